// The estimate of one link of the own node: smoothed round trip, loss, and the pair of values that is published.
// What is published moves with hysteresis. The loss of the other direction is the neighbour's to publish: it multiplies the cost
// before and after alike, so the comparison here needs it not.

import type { MonoMs } from "../../ports/index.ts";
import { linkCost } from "./cost.ts";
import { HYSTERESIS_RATIO, HYSTERESIS_SAMPLES, SAMPLE_GAIN } from "./hysteresis.ts";
import { nextRtt, type RttEstimate } from "./rtt.ts";

/** RFC 9616, appendix: samples older than this say nothing about the link of today. */
export const SAMPLES_VALID_MS = 180_000;

/** The link to one neighbour. */
export class LinkEstimate {
  #rtt: RttEstimate | undefined;
  #lossRatio = 0;
  #published = { rttMs: 0, lossRatio: 0 };
  #differing = 0;
  #sampledAtMs: MonoMs | undefined;

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

  /** How many samples in a row have differed from what is published; at `HYSTERESIS_SAMPLES` it is replaced. */
  get differing(): number {
    return this.#differing;
  }

  /** A new connection after none: goes on with the estimate unless it is too old to be true. */
  reconnected(nowMs: MonoMs): void {
    if (this.#sampledAtMs === undefined || nowMs - this.#sampledAtMs < SAMPLES_VALID_MS) return;
    this.#rtt = undefined;
    this.#lossRatio = 0;
    this.#differing = 0;
  }

  /** A probe was answered. True when the published values moved. @param rttMs >= 0 */
  answered(rttMs: number, nowMs: MonoMs): boolean {
    const first = this.#rtt === undefined;
    this.#rtt = nextRtt(this.#rtt, rttMs);
    this.#lossRatio *= 1 - SAMPLE_GAIN;
    return this.#publish(nowMs, first);
  }

  /** A probe was lost. True when the published values moved. */
  lost(nowMs: MonoMs): boolean {
    this.#lossRatio += (1 - this.#lossRatio) * SAMPLE_GAIN;
    return this.#publish(nowMs, false);
  }

  #publish(nowMs: MonoMs, first: boolean): boolean {
    this.#sampledAtMs = nowMs;
    const rttMs = this.#rtt?.smoothedMs ?? 0;
    const held = linkCost(this.#published.rttMs, this.#published.lossRatio, 0);
    const measured = linkCost(rttMs, this.#lossRatio, 0);
    this.#differing = differs(held, measured) ? this.#differing + 1 : 0;
    if (!first && this.#differing < HYSTERESIS_SAMPLES) return false;
    this.#differing = 0;
    this.#published = { rttMs, lossRatio: this.#lossRatio };
    return true;
  }
}

function differs(held: number, measured: number): boolean {
  if (held === measured) return false; // also when both are infinite
  return Math.abs(measured - held) >= held * HYSTERESIS_RATIO || !Number.isFinite(held);
}
