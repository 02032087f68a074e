// Rendezvous hashing (Thaler and Ravishankar, 1998): who of a zone stands for it. Every node has a score for the zone,
// the highest are its gateways. When one goes, the next moves up and nobody else changes; without epochs or clocks,
// members with equal views elect the same.

import type { CryptoEngine } from "../../crypto/index.ts";
import { concatBytes, fromHex, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";

const DOMAIN = utf8Bytes("x0tta6bl4/zone-gateway/1");
/** 64 bits decide; equal ones go by NodeId. */
const SCORE_BYTES = 8;
/** Scores in memory, unless told otherwise; with one more all are computed anew. */
const SCORES_MAX = 8_192;

interface Score {
  readonly zone: string;
  readonly hex: string;
}

/** Scores of nodes for zones; the last one of each node is remembered, because a node is in one zone at a time. */
export class Rendezvous {
  readonly #engine: Pick<CryptoEngine, "sha256">;
  readonly #scoresMax: number;
  readonly #scores = new Map<NodeId, Score>();

  constructor(engine: Pick<CryptoEngine, "sha256">, scoresMax: number = SCORES_MAX) {
    this.#engine = engine;
    this.#scoresMax = scoresMax;
  }

  /** Negative when `a` stands before `b`. */
  compare(zone: string, a: NodeId, b: NodeId): number {
    const [first, second] = [this.#score(zone, a), this.#score(zone, b)];
    return (first === second ? a > b : first > second) ? -1 : 1;
  }

  /** The first `count` nodes of a zone, by rank. */
  best(zone: string, nodes: readonly NodeId[], count: number): NodeId[] {
    const best: NodeId[] = [];
    for (const node of nodes) {
      const at = best.findIndex((other) => this.compare(zone, node, other) < 0);
      if (at >= 0) best.splice(at, 0, node);
      else if (best.length < count) best.push(node);
      if (best.length > count) best.pop();
    }
    return best;
  }

  #score(zone: string, nodeId: NodeId): string {
    const known = this.#scores.get(nodeId);
    if (known?.zone === zone) return known.hex;
    const name = utf8Bytes(zone);
    const input = concatBytes(DOMAIN, Uint8Array.of(name.length), name, fromHex(nodeId));
    const hex = toHex(this.#engine.sha256(input).subarray(0, SCORE_BYTES));
    if (known === undefined && this.#scores.size >= this.#scoresMax) this.#scores.clear();
    this.#scores.set(nodeId, { zone, hex });
    return hex;
  }
}
