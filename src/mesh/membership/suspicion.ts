// How long a suspicion lasts, and how far the own health stretches time: the arithmetic of Lifeguard
// (Dadgar, Phillips, Currey 2018, arXiv 1707.00788), apart from every timer.

import type { MeshOptions } from "../options.ts";

type SuspicionOptions = Pick<
  MeshOptions,
  "suspicionMult" | "suspicionMaxMult" | "suspicionConfirmations" | "probeIntervalMs"
>;

/**
 * Milliseconds from suspicion to death.
 * min = mult · log10(max(10, n)) · interval; max = min · maxMult;
 * result = max(min, max - (max - min) · log(c + 1) / log(k + 1)), k = min(confirmations wanted, n - 2).
 * With nobody else to ask (k < 1) it is min.
 * @param members members present, the own node included, >= 1
 * @param confirmations independent ones so far, >= 0
 */
export function suspicionTimeoutMs(
  members: number,
  confirmations: number,
  options: SuspicionOptions,
): number {
  const minMs = options.suspicionMult * Math.log10(Math.max(10, members)) * options.probeIntervalMs;
  const maxMs = minMs * options.suspicionMaxMult;
  const wanted = Math.min(options.suspicionConfirmations, members - 2);
  if (wanted < 1) return minMs;
  const share = Math.log(confirmations + 1) / Math.log(wanted + 1);
  return Math.max(minMs, maxMs - (maxMs - minMs) * share);
}

/** Lifeguard's local health: 0 is healthy; every sign that the own node is slow adds one. */
export class LocalHealth {
  readonly #max: number;
  #score = 0;

  /** @param max where the score saturates, >= 0 */
  constructor(max: number) {
    this.#max = max;
  }

  /** 0..max */
  get score(): number {
    return this.#score;
  }

  /** Factor for probe intervals and timeouts: score + 1. */
  get multiplier(): number {
    return this.#score + 1;
  }

  worse(): void {
    this.#score = Math.min(this.#max, this.#score + 1);
  }

  better(): void {
    this.#score = Math.max(0, this.#score - 1);
  }
}
