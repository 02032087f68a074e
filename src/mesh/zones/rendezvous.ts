// Rendezvous hashing (Thaler and Ravishankar, 1998): who of a zone stands for it. Every node has a score for the zone,
// the highest are its gateways. When one goes, the next moves up and nobody else changes; without epochs or clocks,
// members with equal views elect the same.

import type { CryptoEngine } from "../../crypto/index.ts";
import { concatBytes, fromHex, toHex, utf8Bytes } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";

const DOMAIN = utf8Bytes("x0tta6bl4/zone-gateway/1");
/** 64 bits decide; equal ones would go by NodeId. */
const SCORE_BYTES = 8;
/** Scores in memory; with one more all are computed anew. */
const SCORES_MAX = 8_192;

/** Scores of nodes for zones, remembered. */
export class Rendezvous {
  readonly #engine: Pick<CryptoEngine, "sha256">;
  readonly #scores = new Map<string, Map<NodeId, string>>();
  #size = 0;

  constructor(engine: Pick<CryptoEngine, "sha256">) {
    this.#engine = engine;
  }

  /** Negative when `a` stands before `b`. */
  compare(zone: string, a: NodeId, b: NodeId): number {
    return this.#score(zone, a) > this.#score(zone, b) ? -1 : 1;
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

  /** Hex, with the NodeId behind it. */
  #score(zone: string, nodeId: NodeId): string {
    const known = this.#scores.get(zone)?.get(nodeId);
    if (known !== undefined) return known;
    const name = utf8Bytes(zone);
    const input = concatBytes(DOMAIN, Uint8Array.of(name.length), name, fromHex(nodeId));
    const score = toHex(this.#engine.sha256(input).subarray(0, SCORE_BYTES)) + nodeId;
    this.#remember(zone, nodeId, score);
    return score;
  }

  #remember(zone: string, nodeId: NodeId, score: string): void {
    if (this.#size >= SCORES_MAX) {
      this.#scores.clear();
      this.#size = 0;
    }
    const scores = this.#scores.get(zone) ?? new Map<NodeId, string>();
    this.#scores.set(zone, scores.set(nodeId, score));
    this.#size++;
  }
}
