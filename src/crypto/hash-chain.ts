// Hash chains: prove "still me, still alive" with 32 bytes and a hash instead of a signature (Lamport 1981).
// The owner signs the anchor (link 0) once and then reveals links 1, 2, ... Whoever knows link i can check
// link i + n with n hashes, and nobody can make it. Each step hashes a domain, the context (who and which epoch),
// the index and the next link, so a link says nothing for another owner, epoch or place, and no attack
// profits from many chains at once.
//
//   link[i] = SHA-256(STEP_DOMAIN || len(context) || context || uint32(i) || link[i + 1])

import {
  concatBytes,
  equalBytes,
  MeshError,
  ok,
  type Result,
  refuse,
  utf8Bytes,
} from "../foundation/index.ts";
import { requireLength } from "./checks.ts";
import { type CryptoEngine, type CryptoErrorCode, ML_DSA_65 } from "./engine.ts";

/** Bytes of a link. */
export const CHAIN_LINK_BYTES = 32;
/** Bounds of a chain's length; the longest takes 128 KiB and is made in a few milliseconds. */
export const CHAIN_LENGTH = { min: 64, max: 4096 } as const;

/** Why a revealed link was refused. */
export type ChainErrorCode =
  /** Not 32 bytes, or an index that no chain has. */
  | "crypto/chain-malformed"
  /** An index that was revealed before: a replay or a reordering. */
  | "crypto/chain-stale"
  /** More steps than the caller is willing to hash. */
  | "crypto/chain-gap"
  /** It does not lead to the last verified link: forged, or of another owner, epoch or chain. */
  | "crypto/chain-broken";

const STEP_DOMAIN = utf8Bytes("x0tta6bl4 chain step v1");
const TIP_DOMAIN = utf8Bytes("x0tta6bl4 chain tip v1");
const CONTEXT_BYTES_MAX = ML_DSA_65.contextBytesMax;

export interface HashChainOptions {
  /** 32 secret random bytes, used for this one chain. */
  readonly seed: Uint8Array;
  /** How many links can be revealed: {@link CHAIN_LENGTH}. */
  readonly length: number;
  /** Who the chain belongs to, e.g. node id and epoch: 0..255 bytes. */
  readonly context: Uint8Array;
}

type Hasher = Pick<CryptoEngine, "sha256">;
type BatchHasher = Pick<CryptoEngine, "sha256" | "sha256Batch">;

/** Hashes from one link to the one before; reuses one buffer. */
class ChainStep {
  readonly #engine: Hasher;
  readonly #input: Uint8Array;
  readonly #view: DataView;
  readonly #indexOffset: number;

  constructor(engine: Hasher, context: Uint8Array) {
    this.#engine = engine;
    this.#indexOffset = STEP_DOMAIN.length + 1 + context.length;
    this.#input = new Uint8Array(this.#indexOffset + 4 + CHAIN_LINK_BYTES);
    this.#input.set(STEP_DOMAIN);
    this.#input[STEP_DOMAIN.length] = context.length;
    this.#input.set(context, STEP_DOMAIN.length + 1);
    this.#view = new DataView(this.#input.buffer);
  }

  /** `link[index]` from `link[index + 1]`. */
  before(index: number, next: Uint8Array): Uint8Array {
    this.#view.setUint32(this.#indexOffset, index);
    this.#input.set(next, this.#indexOffset + 4);
    return this.#engine.sha256(this.#input);
  }

  wipe(): void {
    this.#input.fill(0);
  }
}

/** The owner's side: all links in memory, revealed by index. */
export class HashChain {
  readonly length: number;
  readonly #links: Uint8Array;
  #live = true;

  /**
   * @throws MeshError `crypto/bad-length` (seed), `crypto/chain-bad-options` (length or context out of range)
   */
  constructor(engine: Hasher, { seed, length, context }: HashChainOptions) {
    requireLength("a hash chain seed", seed, 32);
    if (!Number.isInteger(length) || length < CHAIN_LENGTH.min || length > CHAIN_LENGTH.max) {
      throw badOptions(
        `length must be ${CHAIN_LENGTH.min} to ${CHAIN_LENGTH.max}: current value is ${length}`,
      );
    }
    if (context.length > CONTEXT_BYTES_MAX) {
      throw badOptions(
        `context must have at most ${CONTEXT_BYTES_MAX} bytes: it has ${context.length}`,
      );
    }
    this.length = length;
    this.#links = new Uint8Array((length + 1) * CHAIN_LINK_BYTES);
    const step = new ChainStep(engine, context);
    let link = engine.sha256(concatBytes(TIP_DOMAIN, Uint8Array.of(context.length), context, seed));
    this.#links.set(link, length * CHAIN_LINK_BYTES);
    for (let index = length - 1; index >= 0; index--) {
      link = step.before(index, link);
      this.#links.set(link, index * CHAIN_LINK_BYTES);
    }
    step.wipe();
  }

  /** Link 0, to be signed and published. */
  get anchor(): Uint8Array {
    return this.link(0);
  }

  /**
   * A copy of link `index`, 0..length. To reveal it is to give up all links below it.
   * @throws MeshError `crypto/chain-bad-options` (index), `crypto/destroyed`
   */
  link(index: number): Uint8Array {
    if (!this.#live) {
      throw new MeshError<CryptoErrorCode>(
        "crypto/destroyed",
        "Cannot reveal a link: the chain was destroyed. Make a new chain and publish its anchor.",
      );
    }
    if (!Number.isInteger(index) || index < 0 || index > this.length) {
      throw badOptions(`index must be 0 to ${this.length}: current value is ${index}`);
    }
    return this.#links.slice(index * CHAIN_LINK_BYTES, (index + 1) * CHAIN_LINK_BYTES);
  }

  /** Wipes all links; every later use throws. */
  destroy(): void {
    this.#live = false;
    this.#links.fill(0);
  }
}

/** A revealed link and the last verified one of the same chain. */
export interface ChainClaim {
  /** The same bytes that the owner made the chain with. */
  readonly context: Uint8Array;
  /** The last verified link (at first the signed anchor) and its index (at first 0). */
  readonly lastLink: Uint8Array;
  readonly lastIndex: number;
  /** What was revealed now. */
  readonly link: Uint8Array;
  readonly index: number;
  /** Most hashes to spend, >= 1. */
  readonly stepsMax: number;
}

export interface VerifyLinkInput extends ChainClaim {
  readonly engine: Hasher;
}

/**
 * Checks a revealed link against the last verified one. The value is the number of steps between them; the caller then
 * keeps (`index`, `link`) as the last verified. Refusals cost no hash, `crypto/chain-broken` at most `stepsMax`.
 */
export function verifyLink(input: VerifyLinkInput): Result<number, ChainErrorCode> {
  const steps = stepsOf(input);
  if (!steps.ok) return steps;
  const { engine, context, lastLink, lastIndex, index } = input;
  const step = new ChainStep(engine, context);
  let link = input.link;
  for (let at = index - 1; at >= lastIndex; at--) link = step.before(at, link);
  return equalBytes(link, lastLink) ? steps : refuse("crypto/chain-broken");
}

/**
 * What {@link verifyLink} says of each claim, in their order. Claims of one step, which is what regular heartbeats are, are hashed
 * together: all those whose contexts have one length in one batch.
 */
export function verifyLinks(
  engine: BatchHasher,
  claims: readonly ChainClaim[],
): Result<number, ChainErrorCode>[] {
  const batches = new Map<number, PlacedClaim[]>();
  const results = claims.map((claim, place) => {
    const steps = stepsOf(claim);
    if (!steps.ok) return steps;
    if (steps.value > 1) return verifyLink({ ...claim, engine });
    const batch = batches.get(claim.context.length);
    if (batch === undefined) batches.set(claim.context.length, [{ place, claim }]);
    else batch.push({ place, claim });
    return steps;
  });
  for (const [contextBytes, batch] of batches) {
    const digests = hashSteps(engine, batch, contextBytes);
    for (const [i, { place, claim }] of batch.entries()) {
      const digest = digests.subarray(i * CHAIN_LINK_BYTES, (i + 1) * CHAIN_LINK_BYTES);
      if (!equalBytes(digest, claim.lastLink)) results[place] = refuse("crypto/chain-broken");
    }
  }
  return results;
}

interface PlacedClaim {
  /** Where the answer goes. */
  readonly place: number;
  readonly claim: ChainClaim;
}

/** What the steps of claims of one step lead to, one after the other; all contexts have `contextBytes`. */
function hashSteps(
  engine: BatchHasher,
  batch: readonly PlacedClaim[],
  contextBytes: number,
): Uint8Array {
  const inputBytes = STEP_DOMAIN.length + 1 + contextBytes + 4 + CHAIN_LINK_BYTES;
  const inputs = new Uint8Array(batch.length * inputBytes);
  const view = new DataView(inputs.buffer);
  let offset = 0;
  for (const { claim } of batch) {
    inputs.set(STEP_DOMAIN, offset);
    inputs[offset + STEP_DOMAIN.length] = contextBytes;
    inputs.set(claim.context, offset + STEP_DOMAIN.length + 1);
    offset += inputBytes;
    view.setUint32(offset - CHAIN_LINK_BYTES - 4, claim.lastIndex);
    inputs.set(claim.link, offset - CHAIN_LINK_BYTES);
  }
  return engine.sha256Batch(inputs, batch.length);
}

/** How many steps a claim makes, or why no hash is spent on it. */
function stepsOf(input: ChainClaim): Result<number, ChainErrorCode> {
  const { context, lastLink, lastIndex, index, stepsMax } = input;
  if (input.link.length !== CHAIN_LINK_BYTES || lastLink.length !== CHAIN_LINK_BYTES) {
    return refuse("crypto/chain-malformed");
  }
  if (context.length > CONTEXT_BYTES_MAX) return refuse("crypto/chain-malformed");
  if (!Number.isInteger(index) || index < 0 || index > CHAIN_LENGTH.max) {
    return refuse("crypto/chain-malformed");
  }
  if (index <= lastIndex) return refuse("crypto/chain-stale");
  const steps = index - lastIndex;
  if (!(steps <= stepsMax)) return refuse("crypto/chain-gap");
  return ok(steps);
}

function badOptions(reason: string): MeshError<CryptoErrorCode> {
  return new MeshError("crypto/chain-bad-options", `Cannot use the hash chain so: ${reason}.`);
}
