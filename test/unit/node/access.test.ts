// Denials are all counted, and told once a minute for each who asks for what.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuditRecord, DENIALS } from "../../../src/identity/index.ts";
import { Access } from "../../../src/node/policy.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { memoryMeter, NOW } from "../identity/support.ts";

const silent = () => undefined;

function access() {
  const meter = memoryMeter();
  const noted: AuditRecord[] = [];
  const warned: unknown[] = [];
  let monoMs = 0;
  const deps = {
    meter,
    clock: { now: () => ({ wallMs: NOW, monoMs: monoMs as MonoMs }) },
    logger: {
      debug: silent,
      info: silent,
      error: silent,
      warn: (fields: object) => warned.push(fields),
    },
    audit: { record: silent, note: (entry: AuditRecord) => noted.push(entry) },
  };
  const rules = {
    roles: [],
    policy: [{ spiffe: "spiffe://*/node/a", allow: ["mesh.join" as const], roles: [] }],
  };
  return {
    access: new Access(deps, rules),
    meter,
    noted,
    warned,
    pass: (ms: number) => (monoMs += ms),
  };
}

test("a denial is counted each time, and told again after a minute with how often it came meanwhile", () => {
  const { access: policy, meter, noted, warned, pass } = access();
  policy.bind("mesh.example");
  for (let i = 0; i < 5; i++)
    assert.equal(policy.allows("spiffe://mesh.example/node/b", "mesh.join"), false);
  policy.allows("spiffe://mesh.example/node/b", "tunnel.connect:22");
  assert.deepEqual(
    [meter.counts.get(`${DENIALS} mesh.join`), meter.counts.get(`${DENIALS} tunnel.connect`)],
    [5, 1],
  );
  assert.deepEqual([noted.length, warned.length], [2, 2]);
  pass(60_000);
  policy.allows("spiffe://mesh.example/node/b", "mesh.join");
  assert.deepEqual(noted[2], {
    event: "access.deny",
    subject: "spiffe://mesh.example/node/b",
    fields: { right: "mesh.join", why: "no-rule", before: 4 },
  });
});

test("what is only asked is no denial, and the own trust domain is known once it is bound", () => {
  const { access: policy, meter } = access();
  assert.equal(policy.permits("spiffe://mesh.example/node/a", "mesh.join"), false);
  policy.bind("mesh.example");
  assert.equal(policy.permits("spiffe://mesh.example/node/a", "mesh.join"), true);
  assert.equal(policy.permits("spiffe://other.example/node/a", "mesh.join"), false);
  assert.equal(meter.counts.size, 0);
});

test("however many ids are denied, what is remembered of them is bounded", () => {
  const { access: policy, noted } = access();
  for (let i = 0; i < 1_025; i++) policy.allows(`spiffe://a/n${i}`, "mesh.join");
  policy.allows("spiffe://a/n1024", "mesh.join");
  assert.equal(noted.length, 1_025, "the newest is remembered");
  policy.allows("spiffe://a/n0", "mesh.join");
  assert.equal(noted.length, 1_026, "the oldest is forgotten, and told again");
});
