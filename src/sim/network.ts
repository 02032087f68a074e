// The network between the nodes: every ordered pair is a link with its own latency, and a message on it
// may be lost, doubled, delayed into the tail, queued behind others or stopped by a block. Every link bounds
// what is in flight.

import { MeshError } from "../foundation/index.ts";
import { type BlockId, Blocks } from "./blocks.ts";
import type { SimErrorCode } from "./errors.ts";
import type { LinkIndex, LinkTable } from "./links.ts";
import type { NodeIndex } from "./node-types.ts";
import { hashWords, type SeededRandom } from "./random.ts";

/** No version of the blocks. */
const NEVER = -1;

/** What all links have in common. Ratios are 0..1. */
export interface NetworkOptions {
  /** The propagation delay of a pair has a fixed place in this range; the places are uniform. */
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

/** A message that will not arrive. */
export const LOST = -1;

/**
 * The links of a world. Pure bookkeeping: the world owns the events. The latency of a pair is a function of seed and
 * pair, so a link costs nothing before it is used.
 */
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
  readonly #links: LinkTable;
  readonly #random: SeededRandom;
  readonly #placement: number;
  readonly #blocks: Blocks;
  // One column per fact, indexed by link; as long as the links that were used.
  /** Where in the latency range the pair lies, 0..1. */
  readonly #distance: number[] = [];
  readonly #inFlight: number[] = [];
  readonly #freeAtMs: number[] = [];
  readonly #blocked: boolean[] = [];
  /** The version of the blocks that `#blocked` was read at. */
  readonly #blockedVersion: number[] = [];
  #options: NetworkOptions;
  #copyAtMs = LOST;

  /** @throws MeshError `sim/bad-option` */
  constructor(
    links: LinkTable,
    nodes: number,
    random: SeededRandom,
    options: Partial<NetworkOptions> = {},
  ) {
    this.#links = links;
    this.#random = random;
    this.#options = checked({ ...NETWORK_DEFAULTS, ...options });
    this.#blocks = new Blocks(nodes);
    this.#placement = random.fork("placement").uint32();
  }

  /**
   * Changes what holds for all links from now on; what is in flight stays as it is. A pair keeps its place in the
   * latency range, also in a new one.
   * @throws MeshError `sim/bad-option`
   */
  configure(options: Partial<NetworkOptions>): void {
    this.#options = checked({ ...this.#options, ...options });
  }

  /** Propagation delay of a pair, one way. */
  latencyMs(from: NodeIndex, to: NodeIndex): number {
    const { latencyMinMs, latencyMaxMs } = this.#options;
    return latencyMinMs + (latencyMaxMs - latencyMinMs) * this.#distanceOf(from, to);
  }

  /** Stops everything from any of `from` to any of `to`; one way only. Blocks add up. */
  block(from: Iterable<NodeIndex>, to: Iterable<NodeIndex>): BlockId {
    return this.#blocks.block(from, to);
  }

  /** Cuts the nodes into groups that cannot reach one another, both ways. Nodes in no group stay linked to all. */
  partition(groups: readonly (readonly NodeIndex[])[]): BlockId {
    return this.#blocks.partition(groups);
  }

  /** Lifts one block or partition. */
  lift(id: BlockId): void {
    this.#blocks.lift(id);
  }

  /** Lifts every block. */
  heal(): void {
    this.#blocks.liftAll();
  }

  isBlocked(from: NodeIndex, to: NodeIndex): boolean {
    return this.#blocks.size > 0 && this.#blocks.isBlocked(from, to);
  }

  /** True while any block stands. */
  get isPartitioned(): boolean {
    return this.#blocks.size > 0;
  }

  /** Both directions are open. */
  isOpen(a: NodeIndex, b: NodeIndex): boolean {
    return !this.isBlocked(a, b) && !this.isBlocked(b, a);
  }

  /**
   * Sends `sizeBytes` at `nowMs`. When it arrives, or {@link LOST}; when the network doubled it, {@link copyAtMs} is the
   * arrival of the copy. The caller says {@link landed} at each arrival.
   */
  transmit(link: LinkIndex, sizeBytes: number, nowMs: number): number {
    const { lossRatio, duplicateRatio, bytesPerMs, inFlightMax } = this.#options;
    this.#copyAtMs = LOST;
    this.counts.sent++;
    this.counts.bytes += sizeBytes;
    if (this.#isShut(link)) {
      this.counts.blocked++;
      return LOST;
    }
    this.#makeRow(link);
    if ((this.#inFlight[link] ?? 0) >= inFlightMax) {
      this.counts.overflowed++;
      return LOST;
    }
    const leavesAtMs = Math.max(nowMs, this.#freeAtMs[link] ?? 0) + sizeBytes / bytesPerMs;
    this.#freeAtMs[link] = leavesAtMs;
    if (this.#random.chance(lossRatio)) {
      this.counts.lost++;
      return LOST;
    }
    const arrivesAtMs = this.#fly(link, leavesAtMs);
    if (duplicateRatio > 0 && this.#random.chance(duplicateRatio)) {
      this.counts.duplicated++;
      this.#copyAtMs = this.#fly(link, leavesAtMs);
    }
    return arrivesAtMs;
  }

  /** When the copy of the message sent last arrives, or {@link LOST}: there is none. */
  get copyAtMs(): number {
    return this.#copyAtMs;
  }

  /** A message left the link at its far end. False: a block appeared while it flew, and it is gone. */
  landed(link: LinkIndex): boolean {
    this.#inFlight[link] = (this.#inFlight[link] ?? 1) - 1;
    if (this.#isShut(link)) {
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

  #fly(link: LinkIndex, leavesAtMs: number): number {
    const { latencyMinMs, latencyMaxMs, jitterMs, tailRatio, tailMs } = this.#options;
    const distance = this.#distance[link] ?? 0;
    let delayMs =
      this.#options.extraLatencyMs + latencyMinMs + (latencyMaxMs - latencyMinMs) * distance;
    delayMs += (jitterMs * this.#random.uint32()) / 2 ** 32;
    if (tailRatio > 0 && this.#random.chance(tailRatio)) {
      delayMs += tailMs * this.#random.fraction();
    }
    this.#inFlight[link] = (this.#inFlight[link] ?? 0) + 1;
    return leavesAtMs + delayMs;
  }

  /** Whether a block lies on the link; remembered until the blocks change. */
  #isShut(link: LinkIndex): boolean {
    if (this.#blocks.size === 0) return false;
    this.#makeRow(link);
    if (this.#blockedVersion[link] !== this.#blocks.version) {
      this.#blockedVersion[link] = this.#blocks.version;
      this.#blocked[link] = this.#blocks.isBlocked(this.#links.from(link), this.#links.to(link));
    }
    return this.#blocked[link] === true;
  }

  #makeRow(link: LinkIndex): void {
    for (let row = this.#inFlight.length; row <= link; row++) {
      this.#distance.push(this.#distanceOf(this.#links.from(row), this.#links.to(row)));
      this.#inFlight.push(0);
      this.#freeAtMs.push(0);
      this.#blocked.push(false);
      this.#blockedVersion.push(NEVER);
    }
  }

  #distanceOf(from: NodeIndex, to: NodeIndex): number {
    return hashWords(this.#placement, Math.min(from, to), Math.max(from, to)) / 2 ** 32;
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
