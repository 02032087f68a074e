// Buggify points: each does its unlikely thing when it is told to, and production never tells it.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import { buggified } from "../../../src/mesh/buggify.ts";
import type { MeshAction } from "../../../src/mesh/index.ts";

const nodeId = "a".repeat(64) as NodeId;
const dropped: readonly (readonly [string, MeshAction])[] = [
  ["drop-pull", { kind: "pull-beacons", nodeId }],
  ["drop-dial", { kind: "dial", nodeId, addresses: [] }],
  ["drop-probe", { kind: "probe", nodeId, timeoutMs: 500, suspect: false }],
  ["skip-heartbeat", { kind: "publish", topic: "heartbeat", bytes: new Uint8Array(1) }],
];

test("a point that says yes leaves its action out, and only its own", () => {
  for (const [point, action] of dropped) {
    assert.equal(
      buggified(action, (asked) => asked === point),
      undefined,
      point,
    );
    assert.equal(
      buggified(action, (asked) => asked !== point),
      action,
      point,
    );
  }
});

test("a late timer comes later, and what others must learn is never left out", () => {
  const timer: MeshAction = { kind: "set-timer", id: "dial", delayMs: 100 };
  assert.deepEqual(
    buggified(timer, () => true),
    { ...timer, delayMs: 200 },
  );
  for (const action of [
    { kind: "publish", topic: "state", bytes: new Uint8Array(1) },
    { kind: "epoch-raised", epoch: 2 },
    { kind: "disconnect", nodeId, code: "mesh/quarantined" },
  ] as const) {
    assert.equal(
      buggified(action, () => true),
      action,
    );
  }
});

test("nothing but the port, the mesh and the simulator knows of it: production has none", () => {
  const knowing = globSync("src/**/*.ts").filter((file) =>
    /buggif/i.test(readFileSync(file, "utf8")),
  );
  const rooms = new Set(knowing.map((file) => file.split("/")[1]));
  assert.deepEqual([...rooms].sort(), ["mesh", "ports", "sim"]);
});
