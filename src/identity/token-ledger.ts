// The issuer's book of join tokens: each may be used by one node, once, until it expires. The issuer keeps only the
// SHA-256 of the secret, so a stolen database lets nobody in. A joiner whose answer was lost may come back with the
// same keys and the same token.

import type { CryptoEngine } from "../crypto/index.ts";
import { MeshError, ok, refuse, type Result, toHex } from "../foundation/index.ts";
import type { Random, WallMs } from "../ports/index.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { encodeJoinToken, JOIN_SECRET_BYTES, type JoinToken } from "./join-token.ts";
import type { NodeId } from "./peer-identity.ts";
import { isNodeName } from "./spiffe-id.ts";

/** Most tokens a store holds at once, expired ones included until they are pruned. */
export const TOKENS_MAX = 4096;
/** Life of a token unless the operator says otherwise: long enough to walk to a host. */
export const TOKEN_LIFETIME_MS = 3_600_000;
/** Longest life of a token. */
const TOKEN_LIFETIME_MS_MAX = 30 * 86_400_000;

/** What is kept of a token. */
export interface TokenRecord {
  /** SHA-256 of the secret, lower-case hex. */
  readonly secretHash: string;
  readonly expiresAtMs: WallMs;
  /** The only name the token may be used for. */
  readonly name?: string;
  readonly usedBy?: NodeId;
  readonly usedAtMs?: WallMs;
}

/** Where token records are kept. */
export interface TokenStore {
  /** False when the store is full: nothing was inserted. */
  insert(record: TokenRecord): boolean;
  find(secretHash: string): TokenRecord | undefined;
  /** Atomic: false, and nothing changed, when the record is absent or used already. */
  markUsed(secretHash: string, nodeId: NodeId, atMs: WallMs): boolean;
  /** Removes records that expired before `nowMs`; how many. */
  prune(nowMs: WallMs): number;
}

/** Codes with which a token is refused. */
export type RedeemErrorCode =
  | "identity/token-unknown"
  | "identity/token-expired"
  | "identity/token-spent"
  | "identity/token-name-mismatch";

/** A use of a token. */
export interface TokenUse {
  readonly secret: Uint8Array;
  readonly nodeId: NodeId;
  readonly name: string;
  readonly nowMs: WallMs;
}

/** A use of a token of which only the hash is known. */
export type HashedUse = Omit<TokenUse, "secret"> & Pick<TokenRecord, "secretHash">;

/** Makes and redeems join tokens. */
export class TokenLedger {
  readonly #engine: Pick<CryptoEngine, "sha256">;
  readonly #random: Pick<Random, "bytes">;
  readonly #store: TokenStore;

  constructor(deps: {
    readonly engine: Pick<CryptoEngine, "sha256">;
    /** Cryptographically secure: it makes the secrets. */
    readonly random: Pick<Random, "bytes">;
    readonly store: TokenStore;
  }) {
    this.#engine = deps.engine;
    this.#random = deps.random;
    this.#store = deps.store;
  }

  /**
   * Makes a token, optionally for one name only. Its text is shown once and kept nowhere.
   * @throws MeshError `identity/token-malformed` for a bad field or life, `identity/not-a-node-id` for a bad name,
   * `identity/token-store-full`
   */
  create(
    content: Pick<JoinToken, "trustDomain" | "addresses" | "bundleDigest"> & {
      readonly name?: string;
    },
    nowMs: WallMs,
    lifetimeMs: number = TOKEN_LIFETIME_MS,
  ): { readonly text: string; readonly expiresAtMs: WallMs } {
    if (!(lifetimeMs > 0 && lifetimeMs <= TOKEN_LIFETIME_MS_MAX)) {
      throw ledgerError(
        "identity/token-malformed",
        "its life must be above 0 and at most 30 days",
        "Choose another life",
      );
    }
    if (content.name !== undefined && !isNodeName(content.name)) {
      throw ledgerError(
        "identity/not-a-node-id",
        `'${content.name}' is no node name`,
        "Choose another name",
      );
    }
    const secret = this.#random.bytes(JOIN_SECRET_BYTES);
    const expiresAtMs = Math.floor(nowMs + lifetimeMs) as WallMs;
    const text = encodeJoinToken({ ...content, secret, expiresAtMs });
    const record = { secretHash: this.hash(secret), expiresAtMs };
    this.#store.prune(nowMs);
    if (
      !this.#store.insert(content.name === undefined ? record : { ...record, name: content.name })
    ) {
      throw ledgerError(
        "identity/token-store-full",
        "too many unexpired tokens exist",
        "Wait until some expire",
      );
    }
    return { text, expiresAtMs };
  }

  /** Whether a use would succeed; changes nothing. */
  check(use: TokenUse): Result<TokenRecord, RedeemErrorCode> {
    return this.#check({ ...use, secretHash: this.hash(use.secret) });
  }

  /** Uses a token; a second use by the same node succeeds again until the token expires. */
  redeem(use: TokenUse): Result<TokenRecord, RedeemErrorCode> {
    return this.redeemFor({ ...use, secretHash: this.hash(use.secret) });
  }

  /** Uses a token for another issuer, to which a node has shown its secret. */
  redeemFor(use: HashedUse): Result<TokenRecord, RedeemErrorCode> {
    const checked = this.#check(use);
    if (!checked.ok || checked.value.usedBy === use.nodeId) return checked;
    if (this.#store.markUsed(checked.value.secretHash, use.nodeId, use.nowMs)) return checked;
    // Another node, or this one on another connection, was faster: the record says which.
    const current = this.#check(use);
    return current.ok && current.value.usedBy !== use.nodeId
      ? refuse("identity/token-unknown")
      : current;
  }

  /** Notes that the issuer that made a token has let a node use it. */
  adopt({
    secretHash,
    expiresAtMs,
    nodeId,
    nowMs,
  }: HashedUse & Pick<TokenRecord, "expiresAtMs">): void {
    this.#store.prune(nowMs);
    if (this.#store.find(secretHash) === undefined) this.#store.insert({ secretHash, expiresAtMs });
    this.#store.markUsed(secretHash, nodeId, nowMs);
  }

  #check(use: HashedUse): Result<TokenRecord, RedeemErrorCode> {
    const record = this.#store.find(use.secretHash);
    if (record === undefined) return refuse("identity/token-unknown");
    if (use.nowMs >= record.expiresAtMs) return refuse("identity/token-expired");
    if (record.usedBy !== undefined && record.usedBy !== use.nodeId)
      return refuse("identity/token-spent");
    if (record.name !== undefined && record.name !== use.name)
      return refuse("identity/token-name-mismatch");
    return ok(record);
  }

  /** As a token is known by: its secret is kept nowhere. */
  hash(secret: Uint8Array): string {
    return toHex(this.#engine.sha256(secret));
  }
}

/** A token store in memory, for simulations and single-run issuers. */
export class MemoryTokenStore implements TokenStore {
  readonly #records = new Map<string, TokenRecord>();
  readonly #recordsMax: number;

  constructor(recordsMax: number = TOKENS_MAX) {
    this.#recordsMax = recordsMax;
  }

  insert(record: TokenRecord): boolean {
    if (this.#records.size >= this.#recordsMax) return false;
    this.#records.set(record.secretHash, record);
    return true;
  }

  find(secretHash: string): TokenRecord | undefined {
    return this.#records.get(secretHash);
  }

  markUsed(secretHash: string, nodeId: NodeId, atMs: WallMs): boolean {
    const record = this.#records.get(secretHash);
    if (record === undefined || record.usedBy !== undefined) return false;
    this.#records.set(secretHash, { ...record, usedBy: nodeId, usedAtMs: atMs });
    return true;
  }

  prune(nowMs: WallMs): number {
    const before = this.#records.size;
    for (const [hash, { expiresAtMs }] of this.#records) {
      if (expiresAtMs < nowMs) this.#records.delete(hash);
    }
    return before - this.#records.size;
  }
}

function ledgerError(
  code: IdentityErrorCode,
  reason: string,
  nextStep: string,
): MeshError<IdentityErrorCode> {
  return new MeshError<IdentityErrorCode>(
    code,
    `Cannot make a join token: ${reason}. ${nextStep}.`,
  );
}
