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

test("relaying, hole punching and dial-backs are for members alone, whatever the policy gives others", () => {
  const protocols = [
    RELAY_HOP_PROTOCOL,
    RELAY_STOP_PROTOCOL,
    UPGRADE_PROTOCOL,
    "/x0tta6bl4/autonat/1.0.0",
  ];
  for (const protocol of protocols) {
    assert.equal(mayOpen(peer("svid"), protocol, false), true, protocol);
    for (const kind of ["joining", "unanchored", "interop"] as const)
      assert.equal(mayOpen(peer(kind), protocol, true), false, `${kind} ${protocol}`);
    assert.equal(mayOpen(undefined, protocol, true), false);
  }
  assert.equal(mayOpen(peer("interop"), "/ipfs/id/1.0.0", true), true);
});
