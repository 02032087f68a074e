// Verified identities by NodeId, and how a missing one is fetched: from the peer that forwarded a message of
// that node, because it must have verified the identity itself before it forwarded; or else from the DHT, where
// every node keeps its own record. Whatever comes back is verified in full: its source is no argument.

import {
  ByteReader,
  concatBytes,
  errorCode,
  fromHex,
  MeshError,
  toHex,
  uint32be,
} from "../foundation/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { Result } from "../foundation/index.ts";
import type { Clock, Logger, MonoMs } from "../ports/index.ts";

/** One request: a NodeId (32 bytes). One answer: an identity record. */
export const IDENTITY_PROTOCOL = "/x0tta6bl4/identity/1";

/** Identities kept, above the members that the mesh machine keeps; the one unused longest goes first. 11 KiB each. */
const IDENTITIES_MAX = 4_608;
/** Fetches under way at once, in all and through one peer; more are refused, and the message that wanted one is ignored. */
const FETCHES_MAX = 64;
const FETCHES_PER_PEER_MAX = 4;
/** A node that could not be fetched is not asked for again so soon. */
const FAILURES_MAX = 1_024;
const RETRY_AFTER_MS = 10_000;
const CERTIFICATES_MAX = 4;
/** Four certificates of 8 KiB, the key, and the lengths. */
export const IDENTITY_BYTES_MAX = 33 * 1024;

export interface IdentityDirectoryDeps {
  /** Full verification of a chain, now. */
  readonly verify: (
    chain: readonly Uint8Array[],
    ed25519: Uint8Array,
  ) => Result<PeerIdentity, string>;
  readonly request: (from: NodeId, request: Uint8Array) => Promise<Uint8Array>;
  /** Looks a node up in the DHT, and verifies what is there. */
  readonly find: (nodeId: NodeId) => Promise<PeerIdentity>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long past its end an identity still counts. */
  readonly toleranceMs: number;
  /** The own identity is never forgotten: peers ask for it. */
  readonly self: NodeId;
}

export class NodeIdentities {
  readonly #deps: IdentityDirectoryDeps;
  readonly #known = new Map<NodeId, PeerIdentity>();
  readonly #fetching = new Map<NodeId, Promise<boolean>>();
  readonly #fetchingFrom = new Map<NodeId, number>();
  readonly #failedUntilMs = new Map<NodeId, MonoMs>();

  constructor(deps: IdentityDirectoryDeps) {
    this.#deps = deps;
  }

  lookup(nodeId: NodeId): PeerIdentity | undefined {
    const identity = this.#known.get(nodeId);
    if (identity === undefined) return undefined;
    this.#known.delete(nodeId);
    // An expired one is as good as none: whoever needs it fetches the renewed one.
    if (this.#deps.clock.now().wallMs > identity.notAfterMs + this.#deps.toleranceMs)
      return undefined;
    this.#known.set(nodeId, identity);
    return identity;
  }

  /** Keeps the own identity, whatever was known: peers are told it, and a new authority may give it a shorter life. */
  renewed(identity: PeerIdentity): void {
    this.#known.delete(identity.nodeId);
    this.add(identity);
  }

  /** Forgets who does not verify any more, because the trust bundle or the policy has changed. */
  recheck(): void {
    for (const [nodeId, { chain, ed25519 }] of this.#known)
      if (nodeId !== this.#deps.self && !this.#deps.verify(chain, ed25519).ok)
        this.#known.delete(nodeId);
  }

  /** Keeps an identity that was verified, unless a known one is valid for longer. */
  add(identity: PeerIdentity): void {
    const known = this.#known.get(identity.nodeId);
    if (known !== undefined && known.notAfterMs > identity.notAfterMs) return;
    this.#known.delete(identity.nodeId);
    this.#known.set(identity.nodeId, identity);
    if (this.#known.size > IDENTITIES_MAX) {
      const oldest = this.#known.keys().find((nodeId) => nodeId !== this.#deps.self);
      if (oldest !== undefined) this.#known.delete(oldest);
    }
  }

  /** Fetches and verifies the identity of a node from a peer; true when it is in the directory afterwards. */
  async fetch(nodeId: NodeId, from: NodeId): Promise<boolean> {
    const running = this.#fetching.get(nodeId);
    if (running !== undefined) return running;
    const nowMs = this.#deps.clock.now().monoMs;
    const through = this.#fetchingFrom.get(from) ?? 0;
    if (this.#fetching.size >= FETCHES_MAX || through >= FETCHES_PER_PEER_MAX) return false;
    if (nowMs < (this.#failedUntilMs.get(nodeId) ?? 0)) return false;
    this.#fetchingFrom.set(from, through + 1);
    const fetching = this.#fetch(nodeId, from).finally(() => {
      this.#fetching.delete(nodeId);
      const left = (this.#fetchingFrom.get(from) ?? 1) - 1;
      if (left === 0) this.#fetchingFrom.delete(from);
      else this.#fetchingFrom.set(from, left);
    });
    this.#fetching.set(nodeId, fetching);
    const found = await fetching;
    if (!found) this.#noteFailure(nodeId, (nowMs + RETRY_AFTER_MS) as MonoMs);
    return found;
  }

  #noteFailure(nodeId: NodeId, untilMs: MonoMs): void {
    this.#failedUntilMs.delete(nodeId);
    this.#failedUntilMs.set(nodeId, untilMs);
    if (this.#failedUntilMs.size > FAILURES_MAX) {
      const [oldest] = this.#failedUntilMs.keys();
      if (oldest !== undefined) this.#failedUntilMs.delete(oldest);
    }
  }

  /**
   * Answers a peer's request.
   * @throws MeshError `node/identity-unknown`
   */
  answer(request: Uint8Array): Uint8Array {
    const nodeId = toHex(request) as NodeId;
    const identity = this.lookup(nodeId);
    if (identity === undefined) throw unknown(nodeId);
    return encodeIdentityRecord(identity);
  }

  /**
   * Verifies a peer's answer about a node.
   * @throws MeshError `node/identity-unknown` for a record of another node, the codes of chain verification,
   * `bytes/truncated`
   */
  open(nodeId: NodeId, record: Uint8Array): PeerIdentity {
    const reader = new ByteReader(record);
    const ed25519 = reader.take(32);
    const chain: Uint8Array[] = [];
    while (reader.remaining > 0 && chain.length <= CERTIFICATES_MAX) {
      chain.push(reader.take(reader.uint32be()));
    }
    const verified = this.#deps.verify(chain, ed25519);
    if (!verified.ok) {
      throw new MeshError(verified.code, `The identity record is refused: ${verified.code}.`, {
        nodeId,
      });
    }
    if (verified.value.nodeId !== nodeId) throw unknown(nodeId);
    return verified.value;
  }

  async #fetch(nodeId: NodeId, from: NodeId): Promise<boolean> {
    for (const source of [
      async () => this.open(nodeId, await this.#deps.request(from, fromHex(nodeId))),
      () => this.#deps.find(nodeId),
    ]) {
      try {
        this.add(await source());
        return true;
      } catch (error) {
        this.#deps.logger.debug({ code: errorCode(error), nodeId, from }, "identity fetch failed");
      }
    }
    return false;
  }
}

/** The record of an identity: Ed25519 key (32), then each certificate as `uint32 length || DER`. */
export function encodeIdentityRecord({ ed25519, chain }: PeerIdentity): Uint8Array {
  return concatBytes(ed25519, ...chain.flatMap((der) => [uint32be(der.length), der]));
}

function unknown(nodeId: NodeId): MeshError {
  return new MeshError(
    "node/identity-unknown",
    `No identity of node ${nodeId.slice(0, 12)} is known here.`,
    { nodeId },
  );
}
