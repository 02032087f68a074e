import assert from "node:assert/strict";
import { test } from "node:test";
import {
  RELAY_HOP_PROTOCOL,
  RELAY_STOP_PROTOCOL,
  UPGRADE_PROTOCOL,
} from "../../../src/adapters/libp2p/relay.ts";
import { mayOpen } from "../../../src/adapters/libp2p/stream-guard.ts";
import type { AuthenticatedPeer } from "../../../src/handshake/index.ts";

const peer = (kind: AuthenticatedPeer["kind"]): AuthenticatedPeer =>
  ({ kind }) as AuthenticatedPeer;

const policy = (member: boolean, unauthenticated: boolean) => ({
  member: () => member,
  unauthenticated: () => unauthenticated,
});

test("a member opens what it has the right to be here for, stream by stream", () => {
  for (const protocol of ["/x0tta6bl4/sync/2", "/meshsub/1.2.0", RELAY_HOP_PROTOCOL]) {
    assert.equal(mayOpen(peer("svid"), protocol, policy(true, false)), true, protocol);
    assert.equal(mayOpen(peer("svid"), protocol, policy(false, true)), false, protocol);
  }
});

test("relaying, hole punching and dial-backs are for members alone, whatever the policy gives others", () => {
  const protocols = [
    RELAY_HOP_PROTOCOL,
    RELAY_STOP_PROTOCOL,
    UPGRADE_PROTOCOL,
    "/x0tta6bl4/autonat/1.0.0",
  ];
  for (const protocol of protocols) {
    assert.equal(mayOpen(peer("svid"), protocol, policy(true, false)), true, protocol);
    for (const kind of ["joining", "unanchored", "interop"] as const)
      assert.equal(mayOpen(peer(kind), protocol, policy(true, true)), false, `${kind} ${protocol}`);
    assert.equal(mayOpen(undefined, protocol, policy(true, true)), false);
  }
  assert.equal(mayOpen(peer("interop"), "/ipfs/id/1.0.0", policy(false, true)), true);
});
