// The handshake as libp2p connection encrypters. `pqNoise` is the mesh's own protocol and, under the policy
// `pq-required`, the only one registered; `interopNoise` lets other libp2p stacks in under `interop`.

import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxerFactory,
  Upgrader,
} from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import { byteStream } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { CryptoEngine, Ed25519Signer } from "../../crypto/index.ts";
import { errorMessage, isMeshError, MeshError } from "../../foundation/index.ts";
import {
  ATTEMPTS_METRIC,
  type AuthenticatedPeer,
  type AuthenticationOptions,
  DURATION_METRIC,
  FAILURES_METRIC,
  FORGOTTEN_METRIC,
  type HandshakeErrorCode,
  type HandshakeLimiter,
  type HandshakeOutcome,
  type HandshakeProfile,
  type HandshakeReason,
  type HandshakeRole,
  type HandshakeSlot,
  type HandshakeStream,
  type HandshakeSuite,
  INTEROP_PROTOCOL_ID,
  interopProfile,
  limiterKey,
  type LocalCredential,
  MESH_PROTOCOL_ID,
  meshProfile,
  OPEN_METRIC,
  type PeerVerifier,
  performHandshake,
  X25519_BYTES,
  type X25519KeyPair,
} from "../../handshake/index.ts";
import type { Clock, Logger, Meter, Random, Span, Tracer } from "../../ports/index.ts";
import { libp2pNoiseCrypto } from "./noise-crypto.ts";
import { NoiseStream } from "./noise-stream.ts";

/** What both encrypters use. Share one limiter between them: it guards one CPU. */
export interface EncrypterDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly limiter: HandshakeLimiter;
}

export interface PqNoiseDeps extends EncrypterDeps {
  readonly verifier: PeerVerifier;
  /** Read for every handshake, so that a rotated SVID is used at once. Its Ed25519 key is libp2p's. */
  readonly credential: () => LocalCredential;
}

export interface InteropNoiseDeps extends EncrypterDeps {
  /** libp2p's own key. */
  readonly signer: Ed25519Signer;
}

export interface EncrypterOptions {
  /** Deadline over the whole handshake. @default 10000 */
  readonly handshakeTimeoutMs?: number;
  /**
   * Called once for each success, before libp2p sees the connection. `durationMs` is monotonic; `raw` is the
   * stream under the encryption, whose `timeline` object libp2p's Connection will share.
   */
  readonly onAuthenticated?: (
    peer: AuthenticatedPeer,
    peerId: PeerId,
    durationMs: number,
    raw: MessageStream,
  ) => void;
}

export interface PqNoiseOptions extends EncrypterOptions {
  readonly trustDomain: string;
  /** Listener: whether one more peer without a credential may come in now. @default never */
  readonly acceptJoining?: () => boolean;
  /** Dialler that holds a join token: take an issuer whose root it does not know yet. @default false */
  readonly acceptUnanchored?: boolean;
}

/** The part of libp2p's components that an encrypter reads. */
interface EncrypterComponents {
  readonly upgrader: Upgrader;
}

export type EncrypterFactory = (components: EncrypterComponents) => ConnectionEncrypter;

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** What a peer may have in flight while its message is verified: a yamux window and some. */
const UNREAD_BYTES_MAX = 512 * 1024;
const CODE_IP4 = 4;
const CODE_IP6 = 41;

/** The mesh's encrypter. Throws `handshake/failed` and nothing else towards libp2p. */
export function pqNoise(deps: PqNoiseDeps, options: PqNoiseOptions): EncrypterFactory {
  const { trustDomain, acceptJoining, acceptUnanchored = false } = options;
  return (components) =>
    new NoiseEncrypter(deps, options, components, {
      protocol: MESH_PROTOCOL_ID,
      suite: "xxhfs-mldsa65",
      profile: (connection) =>
        meshProfile(deps, deps.credential(), trustDomain, {
          ...connection,
          securityProtocols: [...components.upgrader.getConnectionEncrypters().keys()],
          acceptUnanchored,
          ...(acceptJoining && { acceptJoining }),
        }),
    });
}

/** The community's XXhfs for other stacks: post-quantum secrecy, classical authentication. */
export function interopNoise(
  deps: InteropNoiseDeps,
  options: EncrypterOptions = {},
): EncrypterFactory {
  const { engine, signer } = deps;
  const peerIdText = (ed25519: Uint8Array): string => peerIdOf(ed25519).toString();
  return (components) =>
    new NoiseEncrypter(deps, options, components, {
      protocol: INTEROP_PROTOCOL_ID,
      suite: "xxhfs-ed25519",
      profile: (connection) => interopProfile({ engine, signer, peerIdOf: peerIdText }, connection),
    });
}

/** What one connection brings to a profile. */
type ConnectionOptions = Pick<AuthenticationOptions, "role" | "streamMuxers" | "isExpectedPeer">;

interface SuiteBinding {
  readonly protocol: string;
  readonly suite: HandshakeSuite;
  readonly profile: (connection: ConnectionOptions) => HandshakeProfile;
}

class NoiseEncrypter implements ConnectionEncrypter {
  readonly protocol: string;
  readonly #deps: EncrypterDeps;
  readonly #options: EncrypterOptions;
  readonly #components: EncrypterComponents;
  readonly #binding: SuiteBinding;
  readonly #staticKeyPair: X25519KeyPair;

  constructor(
    deps: EncrypterDeps,
    options: EncrypterOptions,
    components: EncrypterComponents,
    binding: SuiteBinding,
  ) {
    this.protocol = binding.protocol;
    this.#deps = deps;
    this.#options = options;
    this.#components = components;
    this.#binding = binding;
    const secret = deps.random.bytes(X25519_BYTES);
    this.#staticKeyPair = libp2pNoiseCrypto.x25519KeyPair(secret);
    secret.fill(0);
  }

  secureOutbound(
    connection: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    return this.#secure("initiator", connection, options);
  }

  async secureInbound(
    connection: MessageStream,
    options?: SecureConnectionOptions,
  ): Promise<SecuredConnection> {
    const { limiter, meter } = this.#deps;
    const slot = limiter.enter(remoteAddressKey(connection));
    if (!slot.ok) {
      this.#begin("responder");
      this.#failed(slot.code, "");
      throw refuseConnection(connection);
    }
    meter.set(OPEN_METRIC, limiter.open);
    try {
      return await this.#secure("responder", connection, options, slot.value);
    } finally {
      slot.value.release();
      meter.set(OPEN_METRIC, limiter.open);
    }
  }

  /** Whatever goes wrong, the raw connection is closed and libp2p learns one code. */
  async #secure(
    role: HandshakeRole,
    connection: MessageStream,
    options: SecureConnectionOptions = {},
    slot?: HandshakeSlot,
  ): Promise<SecuredConnection> {
    const span = this.#startSpan(role);
    try {
      const secured = await this.#run(role, connection, options, { slot, span });
      span.end();
      return secured;
    } catch (error) {
      if (isMeshError(error, "handshake/failed")) throw error;
      this.#failed("handshake/unexpected", errorMessage(error), span);
      throw refuseConnection(connection);
    }
  }

  /** A peer's handshake is part of nothing that this node does at the time. */
  #startSpan(role: HandshakeRole): Span {
    const attributes = {
      "meshd.handshake.role": role,
      "meshd.handshake.suite": this.#binding.suite,
    };
    return role === "initiator"
      ? this.#deps.tracer.start("handshake", { kind: "client", attributes })
      : this.#deps.tracer.start("handshake", { kind: "server", attributes, parent: "root" });
  }

  async #run(
    role: HandshakeRole,
    connection: MessageStream,
    { remotePeer, signal, skipStreamMuxerNegotiation }: SecureConnectionOptions,
    { slot, span }: { readonly slot: HandshakeSlot | undefined; readonly span: Span },
  ): Promise<SecuredConnection> {
    const { clock, engine, random, meter } = this.#deps;
    const startMs = this.#begin(role);
    const muxers = this.#components.upgrader.getStreamMuxers();
    const profile = this.#binding.profile({
      role,
      streamMuxers: skipStreamMuxerNegotiation === true ? [] : [...muxers.keys()],
      ...(remotePeer && { isExpectedPeer: (key: Uint8Array) => peerIdOf(key).equals(remotePeer) }),
    });
    const bytes = byteStream(connection, { maxBufferSize: UNREAD_BYTES_MAX });
    const deadline = AbortSignal.timeout(this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS);
    const outcome = await performHandshake(
      { noise: libp2pNoiseCrypto, kem: engine.mlKem768, random },
      handshakeStream(connection, bytes),
      {
        role,
        profile,
        staticKeyPair: this.#staticKeyPair,
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
        ...(slot && { beforeB: () => this.#spend(slot) }),
        onFailure: (code, detail) => this.#failed(code, detail, span),
      },
    );
    const durationMs = clock.now().monoMs - startMs;
    if (outcome.peer.kind === "svid") span.set({ "meshd.peer": outcome.peer.identity.spiffeId });
    meter.observe(DURATION_METRIC, durationMs / 1000, { suite: this.#binding.suite });
    return this.#secured(bytes.unwrap(), outcome, muxers, durationMs);
  }

  #secured(
    stream: MessageStream,
    { ed25519, keys, peer, streamMuxer }: HandshakeOutcome,
    muxers: Map<string, StreamMuxerFactory>,
    durationMs: number,
  ): SecuredConnection {
    const remotePeer = peerIdOf(ed25519);
    const muxer = streamMuxer === undefined ? undefined : muxers.get(streamMuxer);
    const connection = new NoiseStream(stream, keys);
    this.#options.onAuthenticated?.(peer, remotePeer, durationMs, stream);
    return { connection, remotePeer, ...(muxer && { streamMuxer: muxer }) };
  }

  #spend(slot: HandshakeSlot): ReturnType<HandshakeSlot["spend"]> {
    const { clock, limiter, meter } = this.#deps;
    const before = limiter.forgotten;
    const spent = slot.spend(clock.now().monoMs);
    if (limiter.forgotten > before) meter.count(FORGOTTEN_METRIC, {}, limiter.forgotten - before);
    return spent;
  }

  #begin(role: HandshakeRole): number {
    this.#deps.meter.count(ATTEMPTS_METRIC, { suite: this.#binding.suite, role });
    return this.#deps.clock.now().monoMs;
  }

  #failed(code: HandshakeReason, detail: string, span?: Span): void {
    const { suite } = this.#binding;
    span?.end(code);
    this.#deps.meter.count(FAILURES_METRIC, { suite, code });
    const fields = { suite, code, detail };
    // Hostile input cannot reach "unexpected": it is a fault of this node.
    if (code === "handshake/unexpected") this.#deps.logger.error(fields, "handshake failed");
    else this.#deps.logger.debug(fields, "handshake failed");
  }
}

/** Closes a raw connection; the error for libp2p says nothing more than the closing does. */
function refuseConnection(connection: MessageStream): MeshError<HandshakeErrorCode> {
  const error = new MeshError<HandshakeErrorCode>(
    "handshake/failed",
    "The handshake failed. See this node's log for the reason.",
  );
  connection.abort(error);
  return error;
}

function peerIdOf(ed25519: Uint8Array): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(ed25519));
}

/** libp2p's stream as the driver reads and writes it. */
function handshakeStream(
  connection: MessageStream,
  bytes: ReturnType<typeof byteStream>,
): HandshakeStream {
  return {
    read: async (length, signal) => (await bytes.read({ bytes: length, signal })).subarray(),
    write: (data, signal) => bytes.write(data, { signal }),
    abort: (error) => connection.abort(error),
  };
}

/** Whom the limiter charges: the IP address of the raw connection, or of the relay it came through. */
function remoteAddressKey(connection: MessageStream & { remoteAddr?: Multiaddr }): string {
  const ip = connection.remoteAddr
    ?.getComponents()
    .find(({ code }) => code === CODE_IP4 || code === CODE_IP6)?.value;
  return ip === undefined ? "unknown" : limiterKey(ip);
}
