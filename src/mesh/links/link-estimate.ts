// The estimate of one link of the own node: smoothed round trip, loss, and the pair of values that is published.
// What is published moves with hysteresis: a link whose cost flickers must not move routes all over the mesh.

import type { MonoMs } from "../../ports/index.ts";
import { linkCost } from "./cost.ts";
import { nextRtt, type RttEstimate } from "./rtt.ts";

/** Weight of one probe in the loss ratio. */
const LOSS_GAIN = 1 / 8;
/** A cost must differ by this share ... */
export const HYSTERESIS_RATIO = 0.1;
/** ... for so long before it is published: two half-times of the smoothing at one probe a second. */
export const HYSTERESIS_HOLD_MS = 10_000;

/** The link to one neighbour. */
export class LinkEstimate {
  #rtt: RttEstimate | undefined;
  #lossRatio = 0;
  #published = { rttMs: 0, lossRatio: 0 };
  #differsSinceMs: MonoMs | undefined;

  /** Smoothed; `undefined` before the first answer. */
  get rttMs(): number | undefined {
    return this.#rtt?.smoothedMs;
  }

  /** Mean deviation of the round trip. */
  get jitterMs(): number | undefined {
    return this.#rtt?.variationMs;
  }

  get rtt(): RttEstimate | undefined {
    return this.#rtt;
  }

  /** Share of probes without an answer, 0..1. */
  get lossRatio(): number {
    return this.#lossRatio;
  }

  /** What the own beacon reports. */
  get published(): { readonly rttMs: number; readonly lossRatio: number } {
    return this.#published;
  }

  /** A probe was answered. True when the published values moved. @param rttMs >= 0 */
  answered(rttMs: number, nowMs: MonoMs): boolean {
    const first = this.#rtt === undefined;
    this.#rtt = nextRtt(this.#rtt, rttMs);
    this.#lossRatio *= 1 - LOSS_GAIN;
    return this.#publish(nowMs, first);
  }

  /** A probe was lost. True when the published values moved. */
  lost(nowMs: MonoMs): boolean {
    this.#lossRatio += (1 - this.#lossRatio) * LOSS_GAIN;
    return this.#publish(nowMs, false);
  }

  #publish(nowMs: MonoMs, first: boolean): boolean {
    const rttMs = this.#rtt?.smoothedMs ?? 0;
    const held = linkCost(this.#published.rttMs, this.#published.lossRatio, 0);
    const measured = linkCost(rttMs, this.#lossRatio, 0);
    if (!first && !differs(held, measured)) {
      this.#differsSinceMs = undefined;
      return false;
    }
    this.#differsSinceMs ??= nowMs;
    if (!first && nowMs - this.#differsSinceMs < HYSTERESIS_HOLD_MS) return false;
    this.#differsSinceMs = undefined;
    this.#published = { rttMs, lossRatio: this.#lossRatio };
    return true;
  }
}

function differs(held: number, measured: number): boolean {
  if (held === measured) return false; // also when both are infinite
  return Math.abs(measured - held) >= held * HYSTERESIS_RATIO || !Number.isFinite(held);
}
