import assert from "node:assert/strict";
import { test } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import type { MemberState, MemberView } from "../../../src/mesh/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { memberCalled } from "../../../src/node/member-lookup.ts";

function member(digits: string, name: string, state: MemberState = "alive"): MemberView {
  return {
    ...{ nodeId: digits.padEnd(64, "0") as NodeId, name, state, connected: true, epoch: 1 },
    ...{ sequence: 1, heartbeatIndex: 0, lastBeaconAtMs: 0 as MonoMs, lastAliveAtMs: 0 as MonoMs },
    ...{ addresses: [], zone: "", roles: [], load: 0, reputation: 0 },
  };
}

const members = [
  member("abcd1", "one"),
  member("abcd2", "two"),
  member("beef", "cafe"),
  member("cafe9", "three"),
  member("d00d", "twin", "dead"),
  member("d11d", "twin"),
  member("d22d", "ghost", "left"),
];
const found = (text: string): string | undefined => memberCalled(members, "m.test", text).name;
const code = (wanted: string) => (error: unknown) => isMeshError(error) && error.code === wanted;

test("a member is called by its name, its NodeId, the beginning of it, or its SPIFFE id", () => {
  assert.equal(found("one"), "one");
  assert.equal(found("abcd1".padEnd(64, "0")), "one");
  assert.equal(found("abcd2"), "two");
  assert.equal(found("spiffe://m.test/node/two"), "two");
  assert.throws(() => found("spiffe://other.test/node/two"), code("control/unknown-peer"));
});

test("a beginning needs four digits and must fit one member alone", () => {
  assert.equal(found("beef"), "cafe");
  assert.throws(() => found("bee"), code("control/unknown-peer"));
  assert.throws(() => found("abcd"), code("control/ambiguous-peer"));
  assert.throws(() => found("nobody"), code("control/unknown-peer"));
});

test("a name goes before a beginning, and a living member before one that is gone", () => {
  assert.equal(found("cafe"), "cafe");
  assert.equal(memberCalled(members, "m.test", "twin").state, "alive");
  assert.equal(found("ghost"), "ghost");
});
