// meshd as a process: what keeps it from starting, and what its signals do.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  converged,
  type DaemonProcess,
  enrol,
  fileText,
  fromSource,
  type InProcessDaemon,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";

/** A port that is taken for as long as the test lasts. */
async function takenPort(t: { after(work: () => void): void }): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

/** Of <sysexits.h>: only a person can mend this, and a supervisor need not start the daemon again. */
const EX_CONFIG = 78;

/** The process ends with this status and one line on standard error with this code and a next step. */
async function assertFails(
  daemon: DaemonProcess,
  code: string,
  message: RegExp,
  status = 1,
): Promise<void> {
  assert.equal(await daemon.ended(), status, daemon.err);
  assert.match(daemon.err, message);
  assert.ok(daemon.err.endsWith(`[${code}]\n`), daemon.err);
  assert.equal(daemon.err.trimEnd().split("\n").length, 1, `one line, no stack: ${daemon.err}`);
}

describe("meshd does not start and says why", { concurrency: 2 }, () => {
  const stack = new Stack();
  let running: InProcessDaemon;
  before(async () => {
    running = await startDaemon(stack);
    await enrol({ running });
  });
  after(() => stack.unwind());

  test("when the mesh port is taken", async (t) => {
    const directory = scratch(t);
    const first = await startDaemon(t, {}, directory);
    await enrol({ first });
    await first.stop();
    const port = await takenPort(t);
    const listen = [`/ip4/127.0.0.1/tcp/${port}`];
    await assertFails(
      spawnDaemon(t, { mesh: { listen } }, directory),
      "network/port-taken",
      new RegExp(
        `127\\.0\\.0\\.1/tcp/${port}: listen EADDRINUSE.*Free the port or change mesh\\.listen`,
      ),
    );
  });

  test("when the metrics port is taken", async (t) => {
    const port = await takenPort(t);
    await assertFails(
      spawnDaemon(t, { telemetry: { metrics: { listen: `127.0.0.1:${port}` } } }),
      "telemetry/port-taken",
      new RegExp(`127\\.0\\.0\\.1:${port}.*set telemetry\\.metrics\\.listen`),
    );
  });

  test("when another daemon answers on the control socket, which goes on answering", async (t) => {
    const socket = join(running.directory, "c.sock");
    await assertFails(
      spawnDaemon(t, { control: { socket } }),
      "control/socket-in-use",
      /another daemon answers there.*set control\.socket/,
    );
    assert.equal((await running.status()).node.state, "running");
  });

  test("when an engine answers its self-test wrongly", async (t) => {
    const sabotage = `import c from "node:crypto"; import { syncBuiltinESMExports } from "node:module";
      c.verify = () => true; syncBuiltinESMExports();`;
    const command = fromSource([
      "--import",
      `data:text/javascript,${encodeURIComponent(sabotage)}`,
    ]);
    await assertFails(
      spawnDaemon(t, { crypto: { engine: "native" } }, scratch(t), command),
      "crypto/self-test-failed",
      /native/,
    );
  });

  test("when another daemon uses the state directory", async (t) => {
    await assertFails(
      spawnDaemon(t, { state_dir: join(running.directory, "state") }),
      "state/in-use",
      /another meshd uses it\. Stop that one or set another state_dir/,
    );
  });

  test("when a file is where the state directory must be", async (t) => {
    const directory = scratch(t);
    writeFileSync(join(directory, "state"), "in the way");
    await assertFails(spawnDaemon(t, {}, directory), "state/not-writable", /set state_dir/);
  });

  test("when the state file is damaged", async (t) => {
    const directory = scratch(t);
    mkdirSync(join(directory, "state"));
    writeFileSync(
      join(directory, "state", "meshd.sqlite"),
      "this is no database, it only has its name".repeat(99),
    );
    await assertFails(
      spawnDaemon(t, {}, directory),
      "state/corrupt",
      /restore a backup/,
      EX_CONFIG,
    );
  });

  for (const [what, mode, size, message] of [
    ["others may read a key", 0o644, 32, /mode 644 lets others read it\. Run chmod 600/],
    ["a key is cut short", 0o600, 31, /31 bytes instead of 32\. Restore it from a backup/],
  ] as const) {
    test(`when ${what}`, async (t) => {
      const directory = scratch(t);
      mkdirSync(join(directory, "state", "keys"), { recursive: true, mode: 0o700 });
      const file = join(directory, "state", "keys", "ed25519.seed");
      writeFileSync(file, Buffer.alloc(size, 1));
      chmodSync(file, mode);
      await assertFails(spawnDaemon(t, {}, directory), "state/key-unreadable", message, EX_CONFIG);
    });
  }

  test("when the configuration is wrong: every problem at once, and the same from --check-config", async (t) => {
    const directory = scratch(t);
    const daemon = spawnDaemon(t, { mesh: { heartbeat_interval: "1ms", zome: "a" } }, directory);
    assert.equal(await daemon.ended(), EX_CONFIG);
    for (const part of [
      "2 problems",
      "mesh.heartbeat_interval",
      "did you mean zone",
      "[config/invalid]",
    ]) {
      assert.ok(daemon.err.includes(part), `${part} in ${daemon.err}`);
    }
    const checked = meshd("--check-config", daemon.configFile);
    assert.deepEqual([checked.status, checked.stderr], [EX_CONFIG, daemon.err]);
  });

  test("when there is no configuration, and for an option that there is not", () => {
    const missing = meshd("--config", "/nowhere/meshd.yml");
    assert.equal(missing.status, EX_CONFIG);
    assert.match(missing.stderr, /Name another file with --config.*\[config\/unreadable\]/);
    const unknown = meshd("--confg", "x");
    assert.equal(unknown.status, 2);
    assert.match(unknown.stderr, /Usage: meshd/);
  });
});

function meshd(...args: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, ["src/cli/meshd.ts", ...args], {
    cwd: fileURLToPath(new URL("../../../", import.meta.url)),
    encoding: "utf8",
  });
}

describe("a daemon that ends", () => {
  test("by SIGTERM is seen to leave and never to die; its socket is gone and its state is whole", async (t) => {
    const watcher = await startDaemon(t);
    const leaver = await spawnDaemon(t, { telemetry: { log: { level: "info" } } }).answers();
    await enrol({ watcher, leaver });
    await converged({ watcher, leaver });
    assert.equal(statSync(join(leaver.directory, "c.sock")).mode & 0o777, 0o660);
    assert.equal(await leaver.end("SIGTERM"), 0);
    await watcher.peerIs("leaver", "left");
    assert.equal(await watcher.metric("meshd_mesh_member_transitions_total", { to: "suspect" }), 0);
    assert.equal(await watcher.metric("meshd_mesh_member_transitions_total", { to: "dead" }), 0);
    assert.equal(leaver.err, "");
    assert.equal(leaver.log().at(-1)?.["message"], "meshd stopped");
    assert.throws(() => statSync(join(leaver.directory, "c.sock")), { code: "ENOENT" });
  });

  test("by SIGKILL is suspected, then dead; started again it is the same node of a later boot, without a token", async (t) => {
    const watcher = await startDaemon(t);
    const third = await startDaemon(t);
    const victim = await spawnDaemon(t).answers();
    await enrol({ watcher, third, victim });
    await converged({ watcher, third, victim });
    const before = await watcher.connected("victim");

    assert.equal(await victim.end("SIGKILL"), "SIGKILL");
    await watcher.peerIs("victim", "suspect");
    assert.equal((await watcher.peerIs("victim", "dead")).connected, false);
    await third.peerIs("victim", "dead");

    const again = await spawnDaemon(t, {}, victim.directory).answers();
    const after = await watcher.peerIs(
      "victim",
      "alive",
      ({ connected, epoch }) => connected && epoch > before.epoch,
    );
    assert.equal(after.nodeId, before.nodeId);
    await converged({ watcher, third, victim: again });
    assert.equal((await again.status()).node.name, "victim");
    assert.equal(await again.end("SIGTERM"), 0);
    await watcher.peerIs("victim", "left");
  });

  test("by SIGTERM before it is enrolled ends with status 0", async (t) => {
    const idle = await spawnDaemon(t).answers();
    assert.equal(await idle.end("SIGTERM"), 0);
    assert.equal(idle.err, "");
  });
});

describe("SIGHUP", () => {
  test("takes policy and log level from the file, names what needs a restart, and keeps the old for a broken file", async (t) => {
    const root = await spawnDaemon(t, { telemetry: { log: { level: "info" } } }).answers();
    const guest = await startDaemon(t);
    const friend = await startDaemon(t);
    await enrol({ root, guest, friend });
    await converged({ root, guest, friend });
    const reload = (text: string): void => {
      writeFileSync(root.configFile, text);
      root.child.kill("SIGHUP");
    };

    reload("mesh: [broken");
    await until("the complaint", () => Promise.resolve(root.err.includes("[config/invalid]")));
    assert.match(root.err, /the configuration stays as it was/);
    assert.ok((await root.peer("guest"))?.connected);
    const reloadSuccessful = "meshd_node_config_reload_successful";
    assert.equal(await root.metric(reloadSuccessful), 0);
    const loadedAt = await root.metric("meshd_node_config_load_timestamp_seconds");

    reload(
      fileText(root.directory, {
        mesh: { zone: "elsewhere" },
        policy: [
          {
            spiffe: "spiffe://*/node/root",
            allow: ["mesh.join", "beacon.publish", "issuer.attest"],
          },
          { spiffe: "spiffe://*/node/friend", allow: ["mesh.join", "beacon.publish"] },
        ],
        telemetry: { log: { level: "debug" } },
      }),
    );
    const restart = await root.logged({ code: "config/restart-needed" });
    assert.deepEqual(restart["keys"], ["mesh.zone"]);
    assert.deepEqual((await root.logged({ message: "configuration reloaded" }))["keys"], [
      "policy",
      "telemetry.log.level",
    ]);
    assert.equal(await root.metric(reloadSuccessful), 1);
    assert.equal(await root.metric("meshd_node_config_restart_keys"), 1);
    assert.ok((await root.metric("meshd_node_config_load_timestamp_seconds")) > loadedAt);
    await until(
      "the guest to be disconnected",
      async () => (await root.peer("guest"))?.connected !== true,
    );
    assert.ok((await root.peer("friend"))?.connected);
    assert.equal((await root.status()).node.zone, "default");
    await root.logged({ level: "debug" });

    // The guest dials again, and is refused for as long as the policy says so.
    await until(
      "a refused attempt of the guest",
      async () =>
        (await root.metric("meshd_handshake_failures_total", { code: "handshake/not-allowed" })) >
        0,
    );
    assert.notEqual((await root.peer("guest"))?.connected, true);

    reload(fileText(root.directory, { telemetry: { log: { level: "info" } } }));
    assert.ok((await root.connected("guest")).connected);
    assert.equal(await root.end("SIGTERM"), 0);
  });
});
