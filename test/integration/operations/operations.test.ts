// The operations verbs as an operator runs them: meshctl as a process against real daemons.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { parseConfig } from "../../../src/config/index.ts";
import { type Doctor, type EffectiveConfig, type Restored } from "../../../src/control/index.ts";
import { parseTarHeader, TAR_BLOCK, tarPadding } from "../../../src/foundation/index.ts";
import { type Finished, meshctl } from "../cli/run-meshctl.ts";
import {
  converged,
  type DaemonProcess,
  enrol,
  type InProcessDaemon,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  until,
} from "../node/harness.ts";

const PASSPHRASE = "five random words are good";

/** Runs meshctl on a daemon's directory. */
function on(directory: string, ...args: readonly string[]): Promise<Finished> {
  return meshctl(args, { MESHD_SOCKET: join(directory, "c.sock") });
}

function json({ out }: Finished): unknown {
  return JSON.parse(out);
}

/** The files of a tarball. */
function unpack(file: string): Map<string, Buffer> {
  const tar = gunzipSync(readFileSync(file));
  const files = new Map<string, Buffer>();
  for (let at = 0; ; ) {
    const header = parseTarHeader(tar.subarray(at, at + TAR_BLOCK));
    if (header === undefined) return files;
    at += TAR_BLOCK;
    files.set(header.name, tar.subarray(at, at + header.size));
    at += header.size + tarPadding(header.size).length;
  }
}

describe("without a daemon", { concurrency: 2 }, () => {
  test("wait gives up at its deadline and says what was missing", async (t) => {
    const { exit, err } = await on(scratch(t), "wait", "--for", "ready", "--timeout", "1s");
    assert.equal(exit, 1);
    assert.match(err, /Waited 1 s for ready, but the daemon does not run.*\[cli\/wait-timeout\]/);
  });

  test("wait refuses goals and times that do not exist", async (t) => {
    const directory = scratch(t);
    for (const args of [
      ["--for", "happiness"],
      ["--for", "peers=0"],
      ["--for", "peers"],
      ["--for", "ready=1"],
      ["--for", "round=x"],
      ["--for", "live", "--timeout", "soon"],
      [],
    ])
      assert.equal((await on(directory, "wait", ...args)).exit, 2, args.join(" "));
  });

  test("doctor looks at the host, says so, and fails", async (t) => {
    const directory = scratch(t);
    const config = join(directory, "meshd.yml");
    writeFileSync(
      config,
      `state_dir: ${directory}/state\ntelemetry: {metrics: {listen: "127.0.0.1:0"}}`,
    );
    const people = await on(directory, "doctor", "--config", config);
    assert.equal(people.exit, 1);
    assert.match(people.out, /FAIL {2}doctor\/daemon.*Cannot reach the daemon/);
    assert.match(people.out, /No daemon answered: these are the checks of the host alone/);
    const { scope, checks } = json(
      await on(directory, "doctor", "--config", config, "--json"),
    ) as Doctor;
    assert.equal(scope, "host");
    assert.equal(checks.find(({ code }) => code === "doctor/state")?.status, "warn");
    writeFileSync(config, "mesh: {zoen: a}");
    const broken = json(await on(directory, "doctor", "--config", config, "--json")) as Doctor;
    assert.match(
      broken.checks.find(({ code }) => code === "doctor/config")?.finding ?? "",
      /mesh\.zoen \(line 1\)/,
    );
    const missing = await on(directory, "doctor", "--config", join(directory, "none.yml"));
    assert.equal(missing.exit, 1);
    assert.match(missing.out, /doctor\/config.*none\.yml/);
  });

  test("config show reads a file, and what it shows is a file that means the same", async (t) => {
    const directory = scratch(t);
    const file = join(directory, "meshd.yml");
    writeFileSync(
      file,
      "mesh: {zone: berlin, heartbeat_interval: 250ms, bootstrap: [/ip4/10.0.0.1/tcp/1]}",
    );
    const set = await on(directory, "config", "show", file);
    assert.match(set.out, /zone: berlin # file/);
    assert.doesNotMatch(set.out, /default/);
    const all = await on(directory, "config", "show", file, "--effective");
    assert.match(all.out, /connections_target: 16 # default/);
    assert.match(all.out, /heartbeat_interval: "250ms" # file/);
    assert.deepEqual(parseConfig(all.out, "shown"), parseConfig(readFileSync(file, "utf8"), file));
    writeFileSync(file, "mesh: {zone: 7}");
    const bad = await on(directory, "config", "show", file);
    assert.equal(bad.exit, 1);
    assert.match(bad.err, /mesh\.zone.*\[config\/invalid\]/s);
    const { exit, err } = await on(directory, "config", "show");
    assert.deepEqual([exit, /control\/unreachable/.test(err)], [3, true]);
  });

  test("backup create wants --encrypt and a daemon; verify a backup", async (t) => {
    const directory = scratch(t);
    const output = join(directory, "b.x0");
    const pass = join(directory, "pass");
    writeFileSync(pass, `${PASSPHRASE}\n`, { mode: 0o600 });
    const clear = await on(directory, "backup", "create", "--output", output);
    assert.deepEqual([clear.exit, /add --encrypt/.test(clear.err)], [2, true]);
    const encrypted = [
      "backup",
      "create",
      "--encrypt",
      "--output",
      output,
      "--passphrase-file",
      pass,
    ];
    assert.equal((await on(directory, ...encrypted)).exit, 3);
    writeFileSync(output, "mine");
    const taken = await on(directory, ...encrypted);
    assert.deepEqual([taken.exit, /\[cli\/file-exists\]/.test(taken.err)], [1, true]);
    const verify = await on(directory, "backup", "verify", output, "--passphrase-file", pass);
    assert.deepEqual([verify.exit, /\[backup\/not-a-backup\]/.test(verify.err)], [1, true]);
    writeFileSync(pass, "short\n");
    const short = await on(directory, "backup", "verify", output, "--passphrase-file", pass);
    assert.match(short.err, /8 to 1024 characters.*\[cli\/bad-passphrase\]/);
    assert.deepEqual(readdirSync(directory).toSorted(), ["b.x0", "pass"]);
  });
});

describe("with a mesh of three", { concurrency: false }, () => {
  const stack = new Stack();
  let first: InProcessDaemon;
  let second: InProcessDaemon;
  let third: DaemonProcess;
  const directory = (): string => first.directory;

  before(async () => {
    first = await startDaemon(stack, { telemetry: { log: { level: "info" } } });
    second = await startDaemon(stack);
    third = spawnDaemon(stack);
    await third.answers();
    await enrol({ "pump-house": first, "boiler-7": second, "gate-3": third });
    await converged({ "pump-house": first, "boiler-7": second, "gate-3": third });
  });
  after(() => stack.unwind());

  test("wait returns when the goal is reached, also one that is still to come", async () => {
    for (const goal of ["live", "ready", "peers=2"])
      assert.deepEqual(
        await on(directory(), "wait", "--for", goal, "--timeout", "20s"),
        { exit: 0, out: "", err: "" },
        goal,
      );
    const waiting = on(directory(), "wait", "--for", "round=2", "--json");
    await first.client.flStart({
      model: "softmax",
      rounds: 2,
      aggregator: "median",
      byzantine: 0,
      seed: 1,
    });
    const { exit, out } = await waiting;
    assert.equal(exit, 0);
    assert.equal((JSON.parse(out) as { reached: string }).reached, "round=2");
    const many = await on(directory(), "wait", "--for", "peers=3", "--timeout", "1s");
    assert.match(many.err, /2 of 3 peers are connected/);
  });

  test("doctor finds nothing that fails, and a change that waits for a restart", async () => {
    const { scope, checks } = json(await on(directory(), "doctor", "--json")) as Doctor;
    assert.equal(scope, "daemon");
    assert.deepEqual(
      checks.filter(({ status }) => status === "fail"),
      [],
    );
    for (const code of [
      "doctor/peers",
      "doctor/svid",
      "doctor/permissions",
      "doctor/nat",
      "doctor/config",
    ])
      assert.equal(checks.find((check) => check.code === code)?.status, "ok", code);
    const file = join(directory(), "meshd.yml");
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replace('"mdns":false', '"mdns":true'));
    const { exit, out } = await on(directory(), "doctor");
    writeFileSync(file, text);
    assert.equal(exit, 4);
    assert.match(out, /warn {2}doctor\/config.*mesh\.mdns/);
    assert.match(out, /fix: Restart the daemon/);
  });

  test("config show tells what the daemon runs with, not what the file says meanwhile", async () => {
    second.reload({ mesh: { zone: "elsewhere", bootstrap: ["/ip4/127.0.0.1/tcp/1"] } });
    const shown = json(
      await on(second.directory, "config", "show", "--effective", "--json"),
    ) as EffectiveConfig;
    const value = (key: string) => shown.keys.find((each) => each.key === key)?.value;
    assert.equal(value("mesh.zone"), "default");
    assert.deepEqual(value("mesh.bootstrap"), ["/ip4/127.0.0.1/tcp/1"]);
    assert.deepEqual(shown.restartPending, ["mesh.zone"]);
    second.reload({});
  });

  test("bugreport holds what helps, and nothing of planted secrets, names or addresses", async (t) => {
    const { token } = await first.client.createToken({ ttlSeconds: 60 });
    const configFile = join(directory(), "meshd.yml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, `# db password: hunter2-in-a-comment\n${config}`);
    t.after(() => writeFileSync(configFile, config));
    const status = await first.status();
    const keys = join(directory(), "state", "keys");
    const seeds = readdirSync(keys).map((name) => readFileSync(join(keys, name)));
    // A refused join puts its error into the daemon's log, and whatever was typed must not come with it.
    await second.client.join({ token: `${token}x` }).catch(() => undefined);
    const output = join(scratch(t), "report.tar.gz");
    const run = await meshctl(["bugreport", "--output", output], {
      MESHD_SOCKET: join(directory(), "c.sock"),
      MESHD_TOKEN: "token-in-the-environment",
    });
    assert.equal(run.exit, 0, run.err);
    assert.equal(statSync(output).mode & 0o777, 0o600);
    const files = unpack(output);
    assert.deepEqual(
      [...files.keys()].map((name) => name.replace("meshd-bugreport/", "")),
      [
        ...[
          "README.txt",
          "report.json",
          "status.json",
          "beacons.json",
          "identity.json",
          "doctor.json",
        ],
        ...["host.json", "config.yml", "metrics.txt", "log.jsonl"],
      ],
    );
    const whole = Buffer.concat([...files.values()]).toString("latin1");
    const secrets = {
      ...Object.fromEntries(
        seeds.flatMap((seed, i) => [
          [`seed ${i} raw`, seed.toString("latin1")],
          [`seed ${i} hex`, seed.toString("hex")],
          [`seed ${i} base64`, seed.toString("base64").slice(0, 40)],
          [`seed ${i} base64url`, seed.toString("base64url").slice(0, 40)],
        ]),
      ),
      token,
      "the token's body": token.slice(5, 45),
      "the environment": "token-in-the-environment",
      "a comment": "hunter2",
      "own name": "pump-house",
      "a peer's name": "boiler-7",
      "trust domain": status.node.trustDomain ?? "",
      "node id": status.node.nodeId ?? "",
      "peer id": status.node.peerId ?? "",
      ...Object.fromEntries(
        status.peers.map(({ nodeId, peerId }, i) => [`peer ${i}`, nodeId || peerId]),
      ),
    };
    for (const [what, secret] of Object.entries(secrets)) {
      assert.ok(secret.length > 3, what);
      assert.equal(whole.includes(secret), false, `${what} is in the report`);
    }
    const text = (name: string): string => files.get(`meshd-bugreport/${name}`)?.toString() ?? "";
    assert.match(text("log.jsonl"), /"message":"peer connected"/);
    assert.match(text("metrics.txt"), /^meshd_build_info/m);
    assert.match(text("config.yml"), /heartbeat_interval: "250ms" # file/);
    const told = JSON.parse(text("status.json")) as typeof status;
    assert.equal(told.peers.length, 2);
    // One value has one pseudonym throughout.
    assert.match(
      told.node.spiffeId ?? "",
      new RegExp(`${told.node.trustDomain}/node/${told.node.name}$`),
    );
    const again = await on(directory(), "bugreport", "--output", output);
    assert.match(again.err, /\[cli\/cannot-write\]/);
  });

  test("backup, wipe, restore: the node comes back as itself, and the mesh takes it", async (t) => {
    const pass = join(scratch(t), "pass");
    writeFileSync(pass, `${PASSPHRASE}\n`, { mode: 0o600 });
    const file = join(scratch(t), "gate.x0");
    const passphrase = ["--passphrase-file", pass];
    const { nodeId } = (await third.status()).node;
    const created = await on(
      third.directory,
      "backup",
      "create",
      "--encrypt",
      "--output",
      file,
      ...passphrase,
    );
    assert.equal(created.exit, 0, created.err);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const restore = ["backup", "restore", file, "--config", third.configFile, ...passphrase];
    const under = await on(third.directory, ...restore, "--replace");
    assert.deepEqual([under.exit, /\[state\/in-use\]/.test(under.err)], [1, true]);
    await third.end("SIGKILL");
    // Restarts since the backup have used epochs that the backup does not know.
    const between = spawnDaemon(t, {}, third.directory);
    await between.answers();
    const usedEpoch = (await between.status()).node.epoch;
    await between.end("SIGKILL");
    rmSync(join(third.directory, "state"), { recursive: true });

    const verified = await on(third.directory, "backup", "verify", file, ...passphrase);
    assert.match(verified.out, /The backup is whole[\s\S]*gate-3 of it\.mesh/);
    const restored = await on(third.directory, ...restore, "--json");
    assert.equal(restored.exit, 0, restored.err);
    assert.match(restored.err, /two nodes must never run with one identity/);
    assert.equal((json(restored) as Restored).nodeId, nodeId);

    const back = spawnDaemon(t, {}, third.directory);
    await back.answers();
    const { node } = await back.status();
    assert.equal(node.nodeId, nodeId);
    assert.ok(node.epoch > usedEpoch, `${node.epoch} follows ${usedEpoch}`);
    const { entries } = await back.client.audit({ limit: 9 });
    assert.deepEqual(
      entries.slice(0, 2).map(({ event, subject }) => [event, subject]),
      [
        ["backup.restore", nodeId],
        ["daemon.start", nodeId],
      ],
    );
    for (const daemon of [first, second]) {
      const peer = await daemon.connected("gate-3");
      assert.equal(peer.nodeId, nodeId);
      await until(
        "its beacons to count",
        async () => (await daemon.peer("gate-3"))?.epoch === node.epoch,
      );
    }
    await back.end("SIGTERM");
  });
});

test("the first host finds its mesh again after a restart, although nobody dials it", async (t) => {
  const first = await startDaemon(t);
  const others = { b: await startDaemon(t), c: await startDaemon(t) };
  await enrol({ first, ...others });
  await converged({ first, ...others });
  for (const name of ["b", "c"])
    await first.peerIs(name, "alive", ({ addresses }) => addresses.length > 0);
  await first.stop();
  for (const other of Object.values(others)) await other.peerIs("first", "left");
  const again = await startDaemon(t, {}, first.directory);
  await converged({ first: again, ...others });
});
