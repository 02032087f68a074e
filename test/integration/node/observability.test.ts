// What a running daemon shows: metrics, probes, and nothing of its secrets.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { MESH_PROTOCOL_ID } from "../../../src/handshake/index.ts";
import { parseJoinToken } from "../../../src/identity/index.ts";
import {
  converged,
  enrol,
  refusal,
  spawnDaemon,
  startDaemon,
  sumOf,
  type TestDaemon,
  until,
} from "./harness.ts";

/** Series an operator's dashboards and alerts build on, with labels that must have a sample. */
const REQUIRED: readonly [string, Readonly<Record<string, string>>?][] = [
  ["meshd_build_info"],
  ["meshd_crypto_engine_info", { engine: "wasm" }],
  ["meshd_mesh_peers", { state: "alive" }],
  ["meshd_mesh_peers", { state: "suspect" }],
  ["meshd_mesh_peers", { state: "dead" }],
  ["meshd_mesh_peers", { state: "quarantined" }],
  ["meshd_handshake_attempts_total", { suite: "xxhfs-mldsa65", role: "responder" }],
  ["meshd_handshake_failures_total", { suite: "xxhfs-mldsa65", code: "handshake/bad-length" }],
  ["meshd_handshake_duration_seconds_count", { suite: "xxhfs-mldsa65" }],
  ["meshd_mesh_beacons_accepted_total", { kind: "state" }],
  ["meshd_mesh_beacons_accepted_total", { kind: "heartbeat" }],
  ["meshd_mesh_beacons_rejected_total", { code: "mesh/bad-signature" }],
  ["meshd_mesh_heartbeat_verifications_total", { result: "valid" }],
  ["meshd_identity_svid_expiry_timestamp_seconds"],
  ["meshd_learning_round"],
  ["meshd_learning_loss"],
  ["meshd_learning_accuracy_ratio"],
  ["meshd_learning_updates_rejected_total", { code: "learning/outlier" }],
  ["meshd_process_event_loop_lag_seconds", { percentile: "p99" }],
  ["meshd_process_resident_memory_bytes"],
];

function hasSeries(
  exposition: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  return exposition.split("\n").some((line) => {
    const rest = line.startsWith(name) ? line.slice(name.length) : undefined;
    return (
      rest !== undefined &&
      /^[{ ]/.test(rest) &&
      Object.entries(labels).every(([key, value]) => rest.includes(`${key}="${value}"`))
    );
  });
}

/** Something for the failure counter and the debug log: a handshake whose first frame has a wrong length. */
async function breakHandshake(daemon: TestDaemon): Promise<void> {
  const socket = connect(Number(/\/tcp\/(\d+)/.exec(await daemon.address())?.[1]), "127.0.0.1");
  for (const line of ["/multistream/1.0.0\n", `${MESH_PROTOCOL_ID}\n`]) {
    socket.write(Buffer.concat([Buffer.of(line.length), Buffer.from(line)]));
  }
  socket.write(Buffer.of(0, 1, 0));
  socket.resume();
  await new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
}

test("/live is up at once, /ready follows enrolment, and /metrics has every required series", async (t) => {
  const a = await startDaemon(t);
  assert.deepEqual(await a.get("/live"), { status: 200, text: "live\n" });
  const early = await a.get("/ready");
  assert.equal(early.status, 503);
  assert.equal(await a.metric("meshd_node_state", { state: "unenrolled" }), 1);
  assert.equal(await a.metric("meshd_health_issue", { code: "node/unenrolled" }), 1);
  assert.match(early.text, /node\/unenrolled/);
  const b = await startDaemon(t);
  await enrol({ a, b });
  assert.deepEqual(await a.get("/ready"), { status: 200, text: "ready\n" });
  await converged({ a, b });

  await breakHandshake(a);
  await until(
    "the failure to be counted",
    async () =>
      (await a.metric("meshd_handshake_failures_total", { code: "handshake/bad-length" })) > 0,
  );
  await until(
    "a heartbeat",
    async () =>
      (await a.metric("meshd_mesh_heartbeat_verifications_total", { result: "valid" })) > 0,
  );

  const { text } = await a.get("/metrics");
  const missing = REQUIRED.filter(([name, labels]) => !hasSeries(text, name, labels));
  assert.deepEqual(missing, []);
  assert.equal(sumOf(text, "meshd_build_info"), 1);
  assert.equal(sumOf(text, "meshd_mesh_peers", { state: "alive" }), 1);
  assert.ok(sumOf(text, "meshd_handshake_duration_seconds_count") >= 2, "the join and the link");
  assert.equal(sumOf(text, "meshd_node_state", { state: "running" }), 1);
  assert.equal(sumOf(text, "meshd_node_state"), 1);
  assert.equal(sumOf(text, "meshd_health_issue", { code: "node/unenrolled" }), 0);
  assert.ok(sumOf(text, "meshd_node_state_disk_free_bytes") > 0);
  assert.equal(
    sumOf(text, "meshd_node_state_disk_free_bytes") <=
      sumOf(text, "meshd_node_state_disk_size_bytes"),
    true,
  );
  const expiry = "meshd_identity_authority_expiry_timestamp_seconds";
  const intermediateAt = sumOf(text, expiry, { authority: "intermediate" });
  assert.ok(intermediateAt > sumOf(text, "meshd_identity_svid_expiry_timestamp_seconds"));
  assert.ok(sumOf(text, expiry, { authority: "root" }) > intermediateAt);
  assert.ok(sumOf(text, "meshd_process_resident_memory_bytes") > 10_000_000);
  const { svid } = await a.status();
  assert.equal(
    sumOf(text, "meshd_identity_svid_expiry_timestamp_seconds"),
    Math.floor(Date.parse(svid?.notAfter ?? "") / 1000),
  );
});

/** The texts that a secret could appear as. */
function spellings(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  return [
    bytes.toString("hex"),
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("latin1"),
    JSON.stringify([...bytes]).slice(1, -1),
  ];
}

test("no seed and no token secret is in the log, the API's answers or the metrics, and no file lets others read it", async (t) => {
  const root = await spawnDaemon(t, { telemetry: { log: { level: "debug" } } }).answers();
  const b = await spawnDaemon(t, { telemetry: { log: { level: "debug" } } }).answers();
  await enrol({ root, b });
  await converged({ root, b });
  const { token } = await root.client.createToken({ ttlSeconds: 60, name: "other" });
  const parsed = parseJoinToken(token);
  assert.ok(parsed.ok);
  const c = await spawnDaemon(t, { telemetry: { log: { level: "debug" } } }).answers();
  await refusal(c.client.join({ token, name: "wrong" }));
  await refusal(c.client.join({ token: `${token}x`, name: "other" }));
  await c.client.join({ token, name: "other" });
  await converged({ root, b, other: c });

  const secrets = [...spellings(parsed.value.secret), token];
  for (const daemon of [root, b, c]) {
    const keys = join(daemon.directory, "state", "keys");
    const files = readdirSync(keys);
    assert.ok(files.includes("ed25519.seed") && files.includes("ml-dsa-65.seed"));
    assert.equal(
      files.some((file) => file.startsWith("root")),
      daemon === root,
    );
    for (const file of files) secrets.push(...spellings(readFileSync(join(keys, file))));
  }
  for (const daemon of [root, b, c]) {
    const answers = [
      await daemon.status(),
      await daemon.client.identity(),
      await daemon.client.peers(),
      await daemon.client.beacons(),
      await daemon.client.flStatus(),
    ].map((answer) => JSON.stringify(answer));
    await breakHandshake(daemon);
    const { text } = await daemon.get("/metrics");
    await daemon.end("SIGTERM");
    assert.ok(
      daemon.log().some(({ level }) => level === "debug"),
      "the log was at its most talkative",
    );
    for (const shown of [daemon.out, daemon.err, text, ...answers]) {
      assert.deepEqual(
        secrets.filter((secret) => shown.includes(secret)),
        [],
      );
    }
  }
});
