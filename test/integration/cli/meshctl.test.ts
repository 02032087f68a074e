import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import { fakeRoute, fakeStatus } from "../control/fake-node.ts";
import { serveNode, socketPathFor } from "../control/served-node.ts";
import { meshctl, repositoryRoot } from "./run-meshctl.ts";

test("every reading verb draws for people and answers programs with schemaVersion 1", async (t) => {
  const { socketPath } = await serveNode(t);
  const verbs: readonly [string[], RegExp, string][] = [
    [["status"], /node-1 is running/, "node"],
    [["peers"], /Peers: 1 suspect, 1 alive/, "peers"],
    [["beacons"], /Refused: 2 mesh\/replayed/, "beacons"],
    [["zones"], /by node-3 through paris/, "zones"],
    [["identity"], /Certificate chain, leaf first/, "chain"],
    [["fl", "status"], /Last rounds/, "learning"],
    [["log", "level"], /^info\n$/, "level"],
    [["heal", "status"], /state +acts\nincidents +0 open/, "mode"],
    [["incidents", "list"], /a1b2c3d4-mabc-0 .* 14 s .*node-c +redial-peer +mended/, "incidents"],
    [
      ["incidents", "show"],
      /redial-peer node-c: mended[^]*check: mesh\/peer-unreachable/,
      "incident",
    ],
    [
      ["incidents", "explain", "a1b2c3d4-mabc-0"],
      /11:57:59 {2}seen[^]*cause[^]*11:58:00 {2}action[^]*11:58:04 {2}check +mended/,
      "explanation",
    ],
    [
      ["incidents", "similar", "a1b2c3d4-mabc-0"],
      /87 % +this one +mended +redial-peer: mended .*\n *40 % +node-c +mended/,
      "similar",
    ],
    [["quarantine", "list"], /node-c .* quarantined .* two beacons 12 of epoch 7/, "quarantine"],
    [
      ["quarantine", "list"],
      /node-e .* two prevotes in view 1 of round 3 of task 666/,
      "quarantine",
    ],
    [["quarantine", "show", "node-e"], /signed {4}two different prevotes in view 1/, "quarantine"],
    [["quarantine", "show", "node-c"], /beacon 2 {2}from \/ip4\/10\.0\.0\.4/, "quarantine"],
    [
      ["links"],
      /node-2\s+12\.5 ms\s+1\.3 ms\s+12\.5 %\s+–\s+1\.14\s+114\s.*3 of 11 samples/,
      "links",
    ],
    [["route", "node-3"], /Route to node-3: cost 192/, "path"],
    [["tunnels"], /RIGHT THAT A PEER NEEDS/, "exposed"],
  ];
  for (const [verb, drawn, field] of verbs) {
    const people = await meshctl([...verb, "--socket", socketPath]);
    assert.deepEqual([people.exit, people.err], [0, ""], verb.join(" "));
    assert.match(people.out, drawn);
    assert.doesNotMatch(people.out, /\u001b/);
    const program = await meshctl([...verb, "--json"], { MESHD_SOCKET: socketPath });
    assert.equal(program.exit, 0);
    const json = JSON.parse(program.out) as Record<string, unknown>;
    assert.equal(json["schemaVersion"], 1);
    assert.ok(field in json, `${verb.join(" ")} has ${field}`);
  }
});

test("the acting verbs send what the command line says", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const env = { MESHD_SOCKET: socketPath };
  const start = await meshctl(
    [
      ...[
        "fl",
        "start",
        "--model",
        "mlp",
        "--hidden",
        "32",
        "--rounds",
        "5",
        "--aggregator",
        "median",
      ],
      ...["--byzantine", "1", "--seed", "7", "--dirichlet-alpha", "0.5", "--attack", "sign-flip"],
      ...[
        "--round-timeout-seconds",
        "2.5",
        "--data",
        "glyphs",
        "--participants",
        "node-1,node-2",
        "--name",
        "x",
      ],
    ],
    env,
  );
  assert.deepEqual([start.exit, start.err], [0, ""]);
  const stop = await meshctl(["fl", "stop", "--json"], env);
  assert.deepEqual(JSON.parse(stop.out), { schemaVersion: 1, taskId: "task-1" });
  assert.equal((await meshctl(["init", "--trust-domain", "a.b", "--name", "n"], env)).exit, 0);
  assert.match(
    (await meshctl(["join", "-", "--name", "n"], env, "secret\n")).out,
    /Joined as spiffe:/,
  );
  const token = await meshctl(["token", "create", "--ttl", "30m", "--name", "n"], env);
  assert.equal(token.out, "x0t.secret\n");
  assert.match(token.err, /for one use/);
  assert.deepEqual(node.calls, [
    {
      model: "mlp",
      hidden: 32,
      rounds: 5,
      aggregator: "median",
      byzantine: 1,
      seed: 7,
      dirichletAlpha: 0.5,
      attack: "sign-flip",
      roundTimeoutSeconds: 2.5,
      data: "glyphs",
      participants: ["node-1", "node-2"],
      name: "x",
    },
    { scope: "mesh" },
    { trustDomain: "a.b", name: "n" },
    { token: "secret", name: "n" },
    { ttlSeconds: 1_800, name: "n" },
  ]);
});

test("log level changes the level, says for how long, and takes no other word", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const changed = await meshctl(["log", "level", "debug", "--socket", socketPath]);
  assert.deepEqual(
    [changed.exit, changed.out],
    [0, "debug, until the next start or reload: the configuration says info\n"],
  );
  assert.deepEqual(node.calls, [{ level: "debug" }]);
  const unknown = await meshctl(["log", "level", "trace", "--socket", socketPath]);
  assert.equal(unknown.exit, 2);
  assert.match(unknown.err, /debug, info, warn, error/);
  assert.equal(node.calls.length, 1);
});

test("route says why the way in use is in use, and exits with 4 when there is none", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const run = (...args: string[]) => meshctl(["route", ...args, "--socket", socketPath]);
  const held = await run("spiffe://mesh.example.org/node/node-3", "--paths", "2");
  assert.deepEqual(node.calls, [{ peer: "spiffe://mesh.example.org/node/node-3", paths: 2 }]);
  assert.match(held.out, /over node-3 it has been cheaper, now by 21\.9 %, for 4 s of the 10 s/);
  assert.match(held.out, /node-2\s+node-3\s+4\.0 ms\s+0\.0 %\s+1\.0 %\s+96/);
  assert.match(held.out, /150\s+−21\.9 %\s+node-3\n/);
  assert.match(held.out, /192\s+\+0\.0 %\s+node-2 → node-3\n/);
  assert.match(held.out, /direct, \/ip4\/10\.0\.0\.3\/tcp\/4001/);
  assert.equal((await run("node-3", "--paths", "9")).exit, 2);

  const lost = await serveNode(t, {
    route: () =>
      fakeRoute({
        ...{ target: { ...fakeRoute().target, state: "suspect" }, path: null, alternatives: [] },
        ...{ disjoint: [], relays: [], transport: { kind: "none", address: null, relay: null } },
      }),
  });
  const none = await meshctl(["route", "node-3", "--socket", lost.socketPath]);
  assert.equal(none.exit, 4);
  assert.match(none.out, /No route to node-3/);
  assert.match(none.out, /a member that is suspect is routed neither to nor through/);
});

test("forward, expose and tunnels send what was typed, and refuse ports that are none", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const run = (...args: string[]) => meshctl([...args, "--socket", socketPath]);
  const forwarded = await run("forward", "node-b", "8080:80");
  assert.equal(forwarded.exit, 0);
  assert.match(forwarded.out, /127\.0\.0\.1:8080\s+node-b\s+80/);
  await run("forward", "node-b", "[::1]:0:443");
  await run("expose", "22");
  await run("expose", "22", "--to", "db.internal:2222");
  await run("tunnels", "close", "forward", "8080");
  await run("tunnels", "close", "expose", "22");
  assert.deepEqual(node.calls, [
    { peer: "node-b", host: "127.0.0.1", port: 8080, remotePort: 80 },
    { peer: "node-b", host: "::1", port: 0, remotePort: 443 },
    { port: 22, host: "127.0.0.1", targetPort: 22 },
    { port: 22, host: "db.internal", targetPort: 2222 },
    { kind: "forward", port: 8080 },
    { kind: "exposed", port: 22 },
  ]);
  const listed = await run("tunnels");
  assert.match(listed.out, /22\s+127\.0\.0\.1:2222\s+tunnel\.connect:22/);
  for (const args of [
    ["forward", "node-b", "8080"],
    ["forward", "node-b", "8080:0"],
    ["forward", "node-b", "65536:80"],
    ["expose", "0"],
    ["expose", "22", "--to", "host:0"],
    ["tunnels", "close", "both", "22"],
  ])
    assert.equal((await run(...args)).exit, 2, args.join(" "));
});

test("quarantine shows one node by name or id, and releases it with a reason alone", async (t) => {
  const { socketPath, node } = await serveNode(t);
  const run = (...args: string[]) => meshctl([...args, "--socket", socketPath]);
  const shown = await run("quarantine", "show", "dddddddd");
  assert.match(shown.out, /released {2}by node-1.*\n {2}reason {4}the cloned image is gone/);
  assert.doesNotMatch(shown.out, /node-c/);
  const unknown = await run("quarantine", "show", "ddddddd");
  assert.deepEqual([unknown.exit, node.calls.length], [1, 0]);
  const released = await run("quarantine", "release", "node-c", "--reason", "the copy is gone");
  assert.equal(released.exit, 0);
  assert.match(released.out, /is released since/);
  assert.deepEqual(node.calls, [{ node: "node-c", reason: "the copy is gone" }]);
  assert.equal((await run("quarantine", "release", "node-c")).exit, 2);
  const long = await run("quarantine", "release", "node-c", "--reason", "r".repeat(201));
  assert.deepEqual([long.exit, node.calls.length], [2, 1]);
});

test("incidents export prints a line of JSON for each incident", async (t) => {
  const { socketPath } = await serveNode(t);
  const { out, exit } = await meshctl(["incidents", "export"], { MESHD_SOCKET: socketPath });
  assert.equal(exit, 0);
  const lines = out.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { id: string }).id),
    ["a1b2c3d4-mabc-0", "a1b2c3d4-mabc-0"],
  );
});

test("status exits with 4 exactly when something is wrong", async (t) => {
  let status = fakeStatus();
  const { socketPath } = await serveNode(t, { status: () => status });
  const exitWith = async (part: Partial<typeof status>): Promise<number | null> => {
    status = { ...fakeStatus(), ...part };
    return (await meshctl(["status", "--json", "--socket", socketPath])).exit;
  };
  const node = fakeStatus().node;
  const health = (severity: "info" | "warning" | "error") => ({
    health: [{ code: "mesh/few-peers", severity, message: "Few peers." }],
  });
  assert.equal(await exitWith(health("info")), 0);
  assert.equal(await exitWith(health("warning")), 4);
  assert.equal(await exitWith(health("error")), 4);
  assert.equal(await exitWith({ node: { ...node, state: "degraded" } }), 4);
  assert.equal(await exitWith({ node: { ...node, state: "unenrolled" } }), 4);
  assert.equal(await exitWith({ node: { ...node, state: "starting" } }), 0);
});

test("status --check answers one question with its exit status and one line", async (t) => {
  let status = fakeStatus();
  const { socketPath } = await serveNode(t, { status: () => status });
  const probe = async (name: string, part: Partial<typeof status>) => {
    status = { ...fakeStatus(), ...part };
    const { exit, out } = await meshctl(["status", "--check", name, "--socket", socketPath]);
    return [exit, out];
  };
  const node = fakeStatus().node;
  const unenrolled = { node: { ...node, state: "unenrolled" as const } };
  const sick = (code: string, severity: "warning" | "error") => ({
    node: { ...node, state: "degraded" as const },
    health: [{ code, severity, message: "Something." }],
  });
  assert.deepEqual(await probe("live", {}), [0, "live\n"]);
  assert.deepEqual(await probe("ready", {}), [0, "ready\n"]);
  // A host that waits for its token is alive: a restart would not help it.
  assert.deepEqual(await probe("live", unenrolled), [0, "live\n"]);
  assert.deepEqual(await probe("ready", unenrolled), [4, "not ready: node/unenrolled\n"]);
  assert.deepEqual(await probe("ready", sick("mesh/few-peers", "warning")), [0, "ready\n"]);
  assert.deepEqual(await probe("live", sick("state/full", "error")), [0, "live\n"]);
  assert.deepEqual(await probe("ready", sick("state/full", "error")), [
    4,
    "not ready: state/full\n",
  ]);
  assert.deepEqual(await probe("live", sick("node/stalled", "error")), [
    4,
    "not live: node/stalled\n",
  ]);
  const unknown = await meshctl(["status", "--check", "well", "--socket", socketPath]);
  assert.equal(unknown.exit, 2);
  const unreachable = await meshctl(["status", "--check", "live", "--socket", `${socketPath}.x`]);
  assert.equal(unreachable.exit, 3);
});

test("a refusal of the daemon exits with 1 and says message and code on standard error", async (t) => {
  const { socketPath } = await serveNode(t, {
    createToken: () => {
      throw new MeshError(
        "control/not-issuer",
        "Cannot create a token: no issuer. Ask node-1.\u001b[2J",
      );
    },
  });
  const result = await meshctl(["token", "create", "--json", "--socket", socketPath]);
  assert.equal(result.exit, 1);
  assert.match(
    result.err,
    /^error: Cannot create a token: no issuer\. Ask node-1\.·\[2J \[control\/not-issuer\]\n$/,
  );
  const json = JSON.parse(result.out) as { schemaVersion: number; error: { code: string } };
  assert.deepEqual([json.schemaVersion, json.error.code], [1, "control/not-issuer"]);
});

test("wrong usage exits with 2 before anything is sent", async (t) => {
  const { socketPath, node } = await serveNode(t);
  for (const args of [
    ["dance"],
    ["status", "--loud"],
    ["status", "extra"],
    ["join"],
    ["init"],
    ["fl", "start", "--rounds", "0"],
    ["fl", "start", "--model", "gpt"],
    ["token", "create", "--ttl", "1w"],
    ["init", "--trust-domain", "UPPER", "--name", "n"],
  ]) {
    const result = await meshctl([...args, "--socket", socketPath]);
    assert.equal(result.exit, 2, args.join(" "));
    assert.match(result.err, /^error: /, args.join(" "));
    assert.equal(result.out, "");
  }
  assert.deepEqual(node.calls, []);
});

test("an unreachable daemon exits with 3 and a next step", async (t) => {
  const socketPath = socketPathFor(t);
  const result = await meshctl(["peers", "--socket", socketPath]);
  assert.equal(result.exit, 3);
  assert.equal(result.out, "");
  assert.match(
    result.err,
    /^error: Cannot reach the daemon at .* Start meshd.* \[control\/unreachable\]\n$/,
  );
});

test("help and version go to standard output and exit with 0", async () => {
  for (const [args, text] of [
    [["--help"], /Exit status: 0 ok/],
    [["fl", "start", "--help"], /--socket <path>/],
    [["--version"], /^\d+\.\d+\.\d+ \(unknown\)\n$/],
  ] as const) {
    const result = await meshctl(args);
    assert.deepEqual([result.exit, result.err], [0, ""]);
    assert.match(result.out, text);
  }
});

test("config check hands the file to the daemon's program and its verdict back", async (t) => {
  if (!existsSync(join(repositoryRoot, "src/cli/meshd.ts"))) {
    t.skip("src/cli/meshd.ts is absent");
    return;
  }
  const good = await meshctl(["config", "check", "packaging/meshd.yml"]);
  assert.deepEqual([good.exit, good.err], [0, ""]);
  const file = join(dirname(socketPathFor(t)), "bad.yml");
  writeFileSync(file, "mesh: {zone: A}\ncolour: red\n");
  const bad = await meshctl(["config", "check", file]);
  assert.equal(bad.exit, 1);
  assert.match(bad.out + bad.err, /mesh\.zone/);
  assert.match(bad.out + bad.err, /colour/);
});

test("the launchers say how to build when nothing is built", (t) => {
  const unbuilt = mkdtempSync(join(tmpdir(), "meshd-unbuilt-"));
  t.after(() => rmSync(unbuilt, { recursive: true, force: true }));
  cpSync(join(repositoryRoot, "bin"), join(unbuilt, "bin"), { recursive: true });
  for (const [interpreter, name] of [
    ["sh", "meshd"],
    [process.execPath, "meshctl"],
  ] as const) {
    const launcher = join(unbuilt, "bin", name);
    const { status, stderr } = spawnSync(interpreter, [launcher], { encoding: "utf8" });
    const message = `error: ${name} is not built. Build it with: npm run build\n`;
    assert.deepEqual([status, stderr], [1, message]);
  }
});
