// The network between the nodes: every ordered pair is a link with its own latency, and a message on it
// may be lost, doubled, delayed into the tail, queued behind others or stopped by a partition. Partitions
// are sets of directed blocks, so that one-way failures exist. Every link bounds what is in flight.

import { MeshError } from "../foundation/index.ts";
import type { SimErrorCode } from "./errors.ts";
import type { SeededRandom } from "./random.ts";

/** What all links have in common. Ratios are 0..1. */
export interface NetworkOptions {
  /** The propagation delay of a pair is drawn once, uniformly from this range. */
  readonly latencyMinMs: number;
  readonly latencyMaxMs: number;
  /** Added per message, uniform in [0, jitterMs): more than the gap between two messages reorders them. */
  readonly jitterMs: number;
  /** Share of messages that take up to `tailMs` longer: retransmissions, a busy radio. */
  readonly tailRatio: number;
  readonly tailMs: number;
  readonly lossRatio: number;
  readonly duplicateRatio: number;
  /** Share of messages with a bit changed on the way: the channel's authentication fails, and it closes. */
  readonly corruptRatio: number;
  /** Added to the propagation delay of every message. */
  readonly extraLatencyMs: number;
  /** Per link and direction; Infinity for no limit. */
  readonly bytesPerMs: number;
  /** Messages on one directed link at once; what is beyond is dropped. */
  readonly inFlightMax: number;
}

/** A site-to-site network of some hosts: 2..40 ms, no loss. */
export const NETWORK_DEFAULTS: NetworkOptions = {
  latencyMinMs: 2,
  latencyMaxMs: 40,
  jitterMs: 5,
  tailRatio: 0.01,
  tailMs: 200,
  lossRatio: 0,
  duplicateRatio: 0,
  corruptRatio: 0,
  extraLatencyMs: 0,
  bytesPerMs: 1_250,
  inFlightMax: 4_096,
};

/** What happened to the messages so far. */
export interface NetworkCounts {
  sent: number;
  /** Of everything sent, frames included. */
  bytes: number;
  corrupted: number;
  arrived: number;
  lost: number;
  duplicated: number;
  blocked: number;
  overflowed: number;
}

/** The links between `nodes` nodes. Pure bookkeeping: the world owns the events. */
export class Network {
  readonly counts: NetworkCounts = {
    sent: 0,
    bytes: 0,
    corrupted: 0,
    arrived: 0,
    lost: 0,
    duplicated: 0,
    blocked: 0,
    overflowed: 0,
  };
  readonly #nodes: number;
  readonly #random: SeededRandom;
  readonly #latencyMs: Float64Array;
  readonly #inFlight: Int32Array;
  readonly #freeAtMs: Float64Array;
  /** Per directed link: how many blocks lie on it. */
  readonly #blocks: Uint8Array;
  #options: NetworkOptions;

  /** @throws MeshError `sim/bad-option` */
  constructor(nodes: number, random: SeededRandom, options: Partial<NetworkOptions> = {}) {
    this.#nodes = nodes;
    this.#random = random;
    this.#options = checked({ ...NETWORK_DEFAULTS, ...options });
    this.#latencyMs = new Float64Array(nodes * nodes);
    this.#inFlight = new Int32Array(nodes * nodes);
    this.#freeAtMs = new Float64Array(nodes * nodes);
    this.#blocks = new Uint8Array(nodes * nodes);
    const { latencyMinMs, latencyMaxMs } = this.#options;
    const placement = random.fork("placement");
    for (let a = 0; a < nodes; a++) {
      for (let b = a + 1; b < nodes; b++) {
        const ms = latencyMinMs + (latencyMaxMs - latencyMinMs) * placement.fraction();
        this.#latencyMs[a * nodes + b] = ms;
        this.#latencyMs[b * nodes + a] = ms;
      }
    }
  }

  /**
   * Changes what holds for all links from now on; what is in flight stays as it is. Latency ranges do
   * not move pairs that are already placed.
   * @throws MeshError `sim/bad-option`
   */
  configure(options: Partial<NetworkOptions>): void {
    this.#options = checked({ ...this.#options, ...options });
  }

  /** Propagation delay of a pair, one way. */
  latencyMs(from: number, to: number): number {
    return this.#latencyMs[from * this.#nodes + to] ?? 0;
  }

  /** Stops everything from any of `from` to any of `to`; one way only. Blocks add up (255 at most). */
  block(from: Iterable<number>, to: Iterable<number>): void {
    const targets = [...to];
    for (const a of from) {
      for (const b of targets) {
        const link = a * this.#nodes + b;
        if (a !== b) this.#blocks[link] = Math.min(255, (this.#blocks[link] ?? 0) + 1);
      }
    }
  }

  /** Cuts the nodes into groups that cannot reach one another, both ways. Nodes in no group stay linked to all. */
  partition(groups: readonly (readonly number[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const [otherIndex, other] of groups.entries()) {
        if (index !== otherIndex) this.block(group, other);
      }
    }
  }

  /** Lifts every block. */
  heal(): void {
    this.#blocks.fill(0);
  }

  isBlocked(from: number, to: number): boolean {
    return (this.#blocks[from * this.#nodes + to] ?? 0) > 0;
  }

  /** True while any block lies on any link. */
  get isPartitioned(): boolean {
    return this.#blocks.some((count) => count > 0);
  }

  /** Both directions are open. */
  isOpen(a: number, b: number): boolean {
    return !this.isBlocked(a, b) && !this.isBlocked(b, a);
  }

  /**
   * Sends `sizeBytes` at `nowMs`; `arrive` is called with each arrival time: never, once or twice.
   * The caller says {@link Network.landed} for each arrival.
   */
  transmit(
    from: number,
    to: number,
    sizeBytes: number,
    nowMs: number,
    arrive: (atMs: number) => void,
  ): void {
    const { lossRatio, duplicateRatio, bytesPerMs, inFlightMax } = this.#options;
    const link = from * this.#nodes + to;
    this.counts.sent++;
    this.counts.bytes += sizeBytes;
    if ((this.#blocks[link] ?? 0) > 0) {
      this.counts.blocked++;
      return;
    }
    if ((this.#inFlight[link] ?? 0) >= inFlightMax) {
      this.counts.overflowed++;
      return;
    }
    const leavesAtMs = Math.max(nowMs, this.#freeAtMs[link] ?? 0) + sizeBytes / bytesPerMs;
    this.#freeAtMs[link] = leavesAtMs;
    if (this.#random.chance(lossRatio)) {
      this.counts.lost++;
      return;
    }
    this.#fly(link, leavesAtMs, arrive);
    if (duplicateRatio > 0 && this.#random.chance(duplicateRatio)) {
      this.counts.duplicated++;
      this.#fly(link, leavesAtMs, arrive);
    }
  }

  /** A message left the link at its far end. False: a block appeared while it flew, and it is gone. */
  landed(from: number, to: number): boolean {
    const link = from * this.#nodes + to;
    this.#inFlight[link] = (this.#inFlight[link] ?? 1) - 1;
    if ((this.#blocks[link] ?? 0) > 0) {
      this.counts.blocked++;
      return false;
    }
    this.counts.arrived++;
    return true;
  }

  /** Whether the message that just landed was changed on the way. */
  isCorrupted(): boolean {
    const { corruptRatio } = this.#options;
    if (corruptRatio === 0 || !this.#random.chance(corruptRatio)) return false;
    this.counts.corrupted++;
    return true;
  }

  #fly(link: number, leavesAtMs: number, arrive: (atMs: number) => void): void {
    const { extraLatencyMs, jitterMs, tailRatio, tailMs } = this.#options;
    let delayMs =
      extraLatencyMs + (this.#latencyMs[link] ?? 0) + (jitterMs * this.#random.uint32()) / 2 ** 32;
    if (tailRatio > 0 && this.#random.chance(tailRatio))
      delayMs += tailMs * this.#random.fraction();
    this.#inFlight[link] = (this.#inFlight[link] ?? 0) + 1;
    arrive(leavesAtMs + delayMs);
  }
}

function checked(options: NetworkOptions): NetworkOptions {
  const ratios = ["lossRatio", "duplicateRatio", "corruptRatio", "tailRatio"] as const;
  for (const name of ratios) {
    if (!(options[name] >= 0 && options[name] <= 1)) refuse(name, options[name], "in 0..1");
  }
  const lengths = ["latencyMinMs", "extraLatencyMs", "jitterMs", "tailMs"] as const;
  for (const name of lengths) {
    if (!(options[name] >= 0 && options[name] < Infinity))
      refuse(name, options[name], "at least 0");
  }
  if (!(options.latencyMaxMs >= options.latencyMinMs && options.latencyMaxMs < Infinity)) {
    refuse("latencyMaxMs", options.latencyMaxMs, "at least latencyMinMs");
  }
  if (!(options.bytesPerMs > 0)) refuse("bytesPerMs", options.bytesPerMs, "above 0");
  if (!(options.inFlightMax >= 1)) refuse("inFlightMax", options.inFlightMax, "at least 1");
  return options;
}

function refuse(name: string, value: number, rule: string): never {
  const code: SimErrorCode = "sim/bad-option";
  throw new MeshError(code, `Network option '${name}' must be ${rule}: current value is ${value}.`);
}
