// How containers get into a mesh: the script of the image, and the commands that the chart's notes give an operator, with real daemons.
// Only `kubectl` is ours here: it runs a pod's command against that pod's daemon.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { type InProcessDaemon, scratch, startDaemon, until } from "../integration/node/harness.ts";
import { missing, notesOf, packaging } from "./manifests.ts";

const enrol = join(packaging, "docker/meshd-enrol");

/** A folder whose programs a shell of the test finds first. */
function programs(t: TestContext, scripts: Readonly<Record<string, string>> = {}): string {
  const folder = scratch(t);
  const meshctl = `exec '${process.execPath}' src/cli/meshctl.ts "$@"`;
  for (const [name, text] of Object.entries({ meshctl, ...scripts })) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

function shell(folder: string, command: string, env: Readonly<Record<string, string>> = {}) {
  const PATH = `${folder}:${process.env["PATH"] ?? ""}`;
  const child = spawn("sh", ["-euc", command], {
    cwd: join(packaging, ".."),
    env: { ...env, PATH },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdout.resume();
  const exit = once(child, "close").then(([status]) => status as number | null);
  return { child, exit, err: () => err };
}

const socketOf = (daemon: InProcessDaemon): string => join(daemon.directory, "c.sock");
const nameOf = async (daemon: InProcessDaemon): Promise<string | null> =>
  (await daemon.status()).node.name;

describe("meshd-enrol", () => {
  test("founds a mesh, lets a second node in by the issuer's socket, and leaves both alone the next time", async (t) => {
    const folder = programs(t);
    const [a, b] = [await startDaemon(t), await startDaemon(t)];
    for (const round of ["first", "second"]) {
      const founding = shell(folder, `'${enrol}' found mesh.example.org a`, {
        MESHD_SOCKET: socketOf(a),
      });
      assert.equal(await founding.exit, 0, `${round}: ${founding.err()}`);
      const admitting = shell(folder, `'${enrol}' admit b '${socketOf(a)}'`, {
        MESHD_SOCKET: socketOf(b),
      });
      assert.equal(await admitting.exit, 0, admitting.err());
    }
    assert.equal((await a.status()).node.spiffeId, "spiffe://mesh.example.org/node/a");
    assert.equal(await nameOf(b), "b");
    await a.connected("b");
  });

  test("waits for a daemon and for its token, stays when told so, and ends at once with a signal", async (t) => {
    const folder = programs(t, { sleep: "exec /bin/sleep 0.2" });
    const a = await startDaemon(t);
    await a.client.init({ trustDomain: "mesh.example.org", name: "a" });
    const directory = scratch(t);
    const tokenFile = join(directory, "token");
    const joining = shell(folder, `exec '${enrol}' --stay join b '${tokenFile}'`, {
      MESHD_SOCKET: join(directory, "c.sock"),
    });
    t.after(() => joining.child.kill("SIGKILL"));
    const b = await startDaemon(t, {}, directory);
    await until("the script to look for its token", () =>
      Promise.resolve(joining.err().includes("waiting for a join token")),
    );
    writeFileSync(tokenFile, "x0t1-damaged\n");
    await until("the damaged token's refusal", () =>
      Promise.resolve(joining.err().includes("This is no join token")),
    );
    writeFileSync(tokenFile, (await a.client.createToken({ ttlSeconds: 60, name: "b" })).token);
    await until("b to join", async () => (await nameOf(b)) === "b");
    assert.equal(joining.child.exitCode, null);
    joining.child.kill("SIGTERM");
    assert.equal(await joining.exit, 143);
  });

  test("fails where a step fails, and names its usage", async (t) => {
    const folder = programs(t);
    const [a, b] = [await startDaemon(t), await startDaemon(t)];
    // `a` is in no mesh: it cannot let anybody in.
    const env = { MESHD_SOCKET: socketOf(b) };
    assert.notEqual(await shell(folder, `'${enrol}' admit b '${socketOf(a)}'`, env).exit, 0);
    assert.equal((await b.status()).node.state, "unenrolled");
    for (const args of ["", "found mesh.example.org", "leave a b", "--stay"]) {
      const wrong = shell(folder, `'${enrol}' ${args}`, env);
      assert.equal(await wrong.exit, 2, args);
      assert.match(wrong.err(), /meshd-enrol admit NAME ISSUER_SOCKET/);
    }
  });
});

describe("the commands in the chart's notes", { skip: missing("helm") }, () => {
  test("let in every node that waits, under its host's name, and can be run again", async (t) => {
    const commands = /^ {2}kubectl .* get pods (?:.|\n)*?^ {2}done$/m.exec(notesOf(t, []))?.[0];
    assert.ok(commands !== undefined);
    const pods = scratch(t);
    const start = (pod: string): Promise<InProcessDaemon> => {
      const directory = join(pods, pod);
      mkdirSync(directory);
      return startDaemon(t, {}, directory);
    };
    const issuer = await start("x-meshd-issuer-0");
    await issuer.client.init({ trustDomain: "mesh.example.org", name: "x-meshd-issuer-0" });
    const nodes = {
      "host-1": await start("node-abcde"),
      "host-2.example": await start("node-fghij"),
    };
    const folder = programs(t, {
      kubectl: `
        [ "$1 $2" = "-n mesh" ]; shift 2
        if [ "$1" = get ]; then echo 'node-abcde host-1'; echo 'node-fghij host-2.example'; exit; fi
        shift; if [ "$1" = -i ]; then shift; fi
        export MESHD_SOCKET="${pods}/$1/c.sock"; shift 4; exec "$@"`,
    });
    for (const round of ["first", "second"]) {
      const run = shell(folder, commands);
      assert.equal(await run.exit, 0, `${round}: ${run.err()}`);
      for (const [host, daemon] of Object.entries(nodes)) assert.equal(await nameOf(daemon), host);
    }
    await issuer.connected("host-2.example");
  });
});
