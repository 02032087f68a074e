// The two suites: ours, and the community's XXhfs for other libp2p stacks. One core, two payloads.

import type { CryptoEngine, Ed25519Signer } from "../crypto/index.ts";
import { refuse } from "../foundation/index.ts";
import {
  type AuthenticationDeps,
  type AuthenticationOptions,
  authenticatePeer,
  chooseMuxer,
  type LocalCredential,
  sealMeshPayload,
} from "./authenticate.ts";
import type { HandshakeProfile } from "./driver.ts";
import {
  encodeInteropPayload,
  INTEROP_PAYLOAD_BYTES_MAX,
  parseInteropPayload,
  verifyInteropPayload,
} from "./interop-payload.ts";
import { PAYLOAD_BYTES_MAX } from "./payload.ts";
import { meshPrologue } from "./prologue.ts";

/** `/x0tta6bl4/noise-xxhfs-mldsa65/1.0.0` for one connection. */
export function meshProfile(
  deps: AuthenticationDeps,
  credential: LocalCredential,
  trustDomain: string,
  options: AuthenticationOptions,
): HandshakeProfile {
  return {
    prologue: meshPrologue(trustDomain),
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    seal: (binding) => sealMeshPayload(deps.engine, credential, options, binding),
    open: (received) => authenticatePeer(deps, options, received),
  };
}

export interface InteropDeps {
  readonly engine: Pick<CryptoEngine, "ed25519">;
  readonly signer: Ed25519Signer;
  /** libp2p's text form of the PeerId of an Ed25519 key. */
  readonly peerIdOf: (ed25519: Uint8Array) => string;
}

/** `/noise-mlkem768-hfs/0.2.0` for one connection: empty prologue, libp2p's payload. */
export function interopProfile(
  { engine, signer, peerIdOf }: InteropDeps,
  options: Pick<AuthenticationOptions, "role" | "streamMuxers" | "isExpectedPeer">,
): HandshakeProfile {
  return {
    prologue: new Uint8Array(0),
    payloadBytesMax: INTEROP_PAYLOAD_BYTES_MAX,
    seal: ({ staticPublicKey }) =>
      encodeInteropPayload(signer, staticPublicKey, options.streamMuxers),
    open: ({ payload, staticPublicKey }) => {
      const parsed = parseInteropPayload(payload);
      if (!parsed.ok) return parsed;
      const { ed25519, streamMuxers } = parsed.value;
      if (options.isExpectedPeer?.(ed25519) === false) return refuse("handshake/wrong-peer");
      if (!verifyInteropPayload(engine, parsed.value, staticPublicKey))
        return refuse("handshake/bad-signature");
      const muxer = chooseMuxer(options, streamMuxers);
      if (!muxer.ok) return muxer;
      const peer = { kind: "interop", suite: "xxhfs-ed25519", peerId: peerIdOf(ed25519) } as const;
      return { ok: true, value: { peer, ed25519, streamMuxer: muxer.value } };
    },
  };
}
