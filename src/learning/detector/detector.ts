// What is known of each identity of a task. Proofs evict: nobody but the identity itself can have made them. Statistics only
// weigh, and fade: with unlike data and no liar at all, distance-based rules leave an honest minority nearly no say, so
// whoever evicted on them would evict honest nodes. A pure function of certified rounds: every node holds the same ledger.

import { type Result, ok, refuse, utf8Bytes, utf8Text } from "../../foundation/index.ts";
import type { LearningErrorCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import { oddnessOf, type RowSigns } from "./oddness.ts";

/** What proves that an identity lies: two headers for one round, chunks unlike their digest, numbers that are none, another base. */
export const proofKinds = ["equivocation", "bad-digest", "not-finite", "wrong-base"] as const;

/** One of {@link proofKinds}. */
export type ProofKind = (typeof proofKinds)[number];

/** Share of a score that a round replaces: a score has forgotten half after 7 rounds. Higher: quicker, noisier. */
const MEMORY_SHARE = 0.1;
/** The least weight of an identity that nothing is proven of. */
const WEIGHT_MIN = 0.25;
/**
 * From this score on an identity is named as suspect: 14 rounds of full oddness. Measured (docs/robustness.md): loud liars come to 0.8
 * to 1, of honest nodes with even data hardly any, with uneven data some; who hides among the honest is not named at all.
 */
export const SUSPECT_SCORE = 0.75;

/** What the ledger says of an identity. */
export interface Standing {
  readonly nodeId: ParticipantId;
  /** Mean oddness of late, 0 to 1. */
  readonly score: number;
  /** Rounds that it took part in. */
  readonly rounds: number;
  /** 0 when evicted, else 1 less the score, at least a quarter. */
  readonly weight: number;
  readonly evicted?: { readonly kind: ProofKind; readonly round: number };
}

interface Entry {
  score: number;
  rounds: number;
  evicted?: { readonly kind: ProofKind; readonly round: number };
}

/** The ledger of one task; it knows the task's participants and nobody else. */
export class ByzantineDetector {
  readonly #entries: ReadonlyMap<ParticipantId, Entry>;

  constructor(participants: readonly ParticipantId[]) {
    this.#entries = new Map(participants.map((id) => [id, { score: 0, rounds: 0 }]));
  }

  /** Evicts for good; false when there is nothing to evict: no participant, or out already (the first proof stays). */
  prove(nodeId: ParticipantId, kind: ProofKind, round: number): boolean {
    const entry = this.#entries.get(nodeId);
    if (entry === undefined || entry.evicted !== undefined) return false;
    entry.evicted = { kind, round };
    return true;
  }

  /**
   * Takes in a certified round: `signs` has one entry for each of `nodeIds`, as has `staleness` (rounds; default all fresh).
   * The scores of those who were not in it fade.
   */
  observe(
    nodeIds: readonly ParticipantId[],
    signs: RowSigns,
    staleness: readonly number[] = [],
  ): void {
    for (const entry of this.#entries.values()) entry.score *= 1 - MEMORY_SHARE;
    oddnessOf(signs, staleness).forEach((oddness, i) => {
      const entry = this.#entries.get(nodeIds[i] as ParticipantId);
      if (entry === undefined) return;
      entry.score += MEMORY_SHARE * oddness;
      entry.rounds++;
    });
  }

  /** Every participant's standing, in the order of the task. */
  standings(): Standing[] {
    return [...this.#entries].map(([nodeId, { score, rounds, evicted }]) => ({
      ...{ nodeId, score, rounds },
      weight: evicted === undefined ? Math.max(WEIGHT_MIN, 1 - score) : 0,
      ...(evicted === undefined ? {} : { evicted }),
    }));
  }

  /** The ledger as bytes. */
  encode(): Uint8Array {
    const entries = [...this.#entries.values()].map(({ score, rounds, evicted }) =>
      evicted === undefined ? [score, rounds] : [score, rounds, evicted.kind, evicted.round],
    );
    return utf8Bytes(JSON.stringify(entries));
  }

  /** The ledger of these participants from its bytes. Codes: `learning/bad-ledger`. */
  static decode(
    bytes: Uint8Array,
    participants: readonly ParticipantId[],
  ): Result<ByzantineDetector, LearningErrorCode> {
    if (bytes.length > participants.length * ENTRY_BYTES_MAX + 2) {
      return refuse("learning/bad-ledger", `${bytes.length} bytes`);
    }
    let value: unknown;
    try {
      value = JSON.parse(utf8Text(bytes));
    } catch {
      return refuse("learning/bad-ledger", "no JSON");
    }
    const detector = new ByzantineDetector(participants);
    if (!Array.isArray(value) || value.length !== participants.length) {
      return refuse("learning/bad-ledger", "another number of participants");
    }
    const restored = [...detector.#entries.values()].every((entry, i) => restore(entry, value[i]));
    return restored ? ok(detector) : refuse("learning/bad-ledger", "an entry is none");
  }
}

/** A score, two rounds and a kind in JSON. */
const ENTRY_BYTES_MAX = 100;

function restore(entry: Entry, value: unknown): boolean {
  if (!Array.isArray(value) || (value.length !== 2 && value.length !== 4)) return false;
  const [score, rounds, kind, round] = value as unknown[];
  if (typeof score !== "number" || !(score >= 0 && score <= 1) || !isCount(rounds)) return false;
  entry.score = score;
  entry.rounds = rounds;
  if (value.length === 2) return true;
  const known = proofKinds.find((one) => one === kind);
  if (known === undefined || !isCount(round)) return false;
  entry.evicted = { kind: known, round };
  return true;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
