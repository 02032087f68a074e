// The own side of the beacons: sequence, hash chain and when to publish. State beacons are debounced and spaced; the
// heartbeat's index follows the clock, so that a stalled node skips links instead of falling behind for ever.

import { type CryptoEngine, HashChain } from "../../crypto/index.ts";
import { concatBytes, toHex } from "../../foundation/index.ts";
import type { MonoMs, Now } from "../../ports/index.ts";
import type { MeshAction, MeshDeps, MeshEvent } from "../machine-types.ts";
import type { MeshOptions } from "../options.ts";
import { encodeHeartbeat } from "./heartbeat.ts";
import { RateLimiter } from "./rate-limiter.ts";
import type { OwnBeacon } from "./validator.ts";
import {
  chainContext,
  encodeUnsigned,
  beaconContext,
  type LearningStatus,
  type NeighbourReport,
  type StateBeacon,
} from "./state-beacon.ts";

type PublisherDeps = Pick<MeshDeps, "signer" | "self" | "random"> & {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly emit: (action: MeshAction) => void;
  /** What the next beacon says of the neighbours: sorted, within the limit. */
  readonly neighbours: () => readonly NeighbourReport[];
  readonly zone: () => string;
};

/**
 * What a change is to others: the first link at home, without which nobody has a route to this node, at once; a fact (addresses,
 * a suspicion, a neighbour lost at home) soon; that there is a link more, or one less to another zone, soon when that is rare;
 * numbers of links late.
 */
export type ChangeKind = "first-link" | "facts" | "links" | "numbers";

type LocalChange = Extract<MeshEvent, { kind: "local-changed" }>;

/** Share of the period by which the periodic beacon varies, so that nodes booted together drift apart. */
const PERIOD_JITTER = 0.05;

/** Key of the one bucket. */
const OWN = "own";

/** First links that are told as such: more of them are somebody who comes and goes before a beacon can name him. */
const FIRST_LINKS_RATE = { burst: 3, perSecond: 0.1, bucketsMax: 1 };

/** Publishes state beacons and heartbeats. */
export class BeaconPublisher {
  readonly #deps: PublisherDeps;
  readonly #options: MeshOptions;
  /** Half of what others allow one origin at once. */
  readonly #allowance: RateLimiter;
  readonly #firstLinks = new RateLimiter(FIRST_LINKS_RATE);
  #facts: Pick<StateBeacon, "addresses" | "roles" | "load" | "learning" | "svidNotAfterMs">;
  #epoch: number;
  #sequence = 0;
  #digest = "";
  #bytes: Uint8Array | undefined;
  #chain: HashChain | undefined;
  #chainBase = 0;
  /** Position of the last heartbeat sent in the chain. */
  #position = 0;
  /** When position 0 of the chain was due. */
  #chainAtMs = 0 as MonoMs;
  #publishedAtMs: MonoMs | undefined;
  /** The running period with its jitter. */
  #periodMs = 0;
  /** When the scheduled beacon goes out; undefined when none is. */
  #dueAtMs: number | undefined;
  /** Between two beacons for changed links; doubles while they keep changing. */
  #linksIntervalMs: number;
  #linksChangedAtMs = Number.NEGATIVE_INFINITY;
  #haveLinksChanged = false;
  /** Whether the last beacon named a neighbour. One that names none leads nobody here. */
  #toldLinks = false;

  constructor(deps: PublisherDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
    const { stateBurst, statePerSecond } = options;
    this.#linksIntervalMs = options.beaconMinIntervalMs;
    this.#allowance = new RateLimiter({
      ...{ burst: Math.max(1, stateBurst / 2), perSecond: statePerSecond, bucketsMax: 1 },
    });
    const { addresses, roles, epoch, svidNotAfterMs } = deps.self;
    this.#epoch = epoch;
    this.#facts = {
      addresses,
      roles,
      load: 0,
      ...(svidNotAfterMs === undefined ? {} : { svidNotAfterMs }),
    };
  }

  get own(): OwnBeacon {
    const { nodeId } = this.#deps.self;
    return { nodeId, epoch: this.#epoch, sequence: this.#sequence, digest: this.#digest };
  }

  /** What the own beacon tells of addresses and load. */
  get facts(): Pick<StateBeacon, "addresses" | "load"> {
    return this.#facts;
  }

  /** The newest own beacon as published. */
  get bytes(): Uint8Array | undefined {
    return this.#bytes;
  }

  /** Makes the first chain, publishes the first beacon and sets the timers. */
  start(now: Now): void {
    this.#newChain(
      0,
      now.monoMs - this.#deps.random.fraction() * this.#options.heartbeatIntervalMs,
    );
    this.publish(now, "up");
    this.#setPeriod();
    this.#setHeartbeat(now);
  }

  /** Another life of this node was seen: go on above it. The own chain binds the epoch, so it is made anew. */
  raiseEpoch(epoch: number, now: Now): void {
    this.#epoch = epoch;
    this.#sequence = 0;
    this.#newChain(0, now.monoMs);
    this.publish(now, "up");
    this.#setHeartbeat(now);
  }

  /** Takes over what has changed; the beacon follows when it is due. */
  localChanged(change: LocalChange, now: Now): void {
    const { learning: before, ...rest } = this.#facts;
    const learning: LearningStatus | null | undefined =
      change.learning === undefined ? before : change.learning;
    this.#facts = {
      ...rest,
      ...(change.addresses === undefined ? {} : { addresses: change.addresses }),
      ...(change.roles === undefined ? {} : { roles: change.roles }),
      ...(change.load === undefined ? {} : { load: change.load }),
      ...(change.svidNotAfterMs === undefined ? {} : { svidNotAfterMs: change.svidNotAfterMs }),
      ...(learning === undefined || learning === null ? {} : { learning }),
    };
    this.changed(now);
  }

  /**
   * Something that the beacon tells has changed: publishes debounced, and not before the minimum interval, but for a first link
   * after a beacon that told of none. Numbers
   * of links alone wait longer: with many links some number moves at any time, and a signature each is too dear. So are
   * those for links that come and go while a mesh grows: their interval doubles up to a maximum, as routers
   * throttle their link-state advertisements, and is the minimum again after two maxima without a change.
   */
  changed(now: Now, what: ChangeKind = "facts"): void {
    const { beaconDebounceMs } = this.#options;
    const intervalMs = this.#intervalMs(what, now.monoMs);
    const earliestMs = (this.#publishedAtMs ?? now.monoMs) + intervalMs;
    const dueAtMs = Math.max(now.monoMs + beaconDebounceMs, earliestMs);
    if (this.#dueAtMs !== undefined && this.#dueAtMs <= dueAtMs) return;
    this.#dueAtMs = dueAtMs;
    this.#deps.emit({ kind: "set-timer", id: "beacon", delayMs: dueAtMs - now.monoMs });
  }

  #intervalMs(what: ChangeKind, nowMs: MonoMs): number {
    const { beaconMinIntervalMs, beaconNumbersIntervalMs, beaconLinksIntervalMaxMs } =
      this.#options;
    if (what === "numbers") return beaconNumbersIntervalMs;
    if (what === "facts") return beaconMinIntervalMs;
    if (what === "first-link" && this.#firstLinks.take(OWN, nowMs))
      return this.#toldLinks ? beaconMinIntervalMs : 0;
    if (nowMs - this.#linksChangedAtMs >= 2 * beaconLinksIntervalMaxMs)
      this.#linksIntervalMs = beaconMinIntervalMs;
    this.#linksChangedAtMs = nowMs;
    this.#haveLinksChanged = true;
    return this.#linksIntervalMs;
  }

  /**
   * Contradicts a suspicion: at once, without waiting for other changes or for the minimum interval, as long as others
   * let so many beacons of one origin pass. True when it went out.
   */
  refute(now: Now): boolean {
    const sinceMs = now.monoMs - (this.#publishedAtMs ?? Number.NEGATIVE_INFINITY);
    // A beacon that is this fresh is still under way, and refutes as well.
    if (sinceMs < this.#options.beaconDebounceMs) return false;
    if (this.#allowance.has(OWN, now.monoMs)) {
      this.publish(now, "up");
      return true;
    }
    this.changed(now);
    return false;
  }

  /** The `beacon` timer. */
  onBeaconTimer(now: Now): void {
    this.publish(now, "up");
  }

  /** The `beacon-period` timer. */
  onPeriodTimer(now: Now): void {
    const sinceMs = now.monoMs - (this.#publishedAtMs ?? Number.NEGATIVE_INFINITY);
    const restMs = Math.floor(this.#periodMs - sinceMs);
    // A beacon for another reason was this period's, too.
    if (restMs > 0) {
      this.#deps.emit({ kind: "set-timer", id: "beacon-period", delayMs: restMs });
      return;
    }
    this.publish(now, "up");
    this.#setPeriod();
  }

  /** The `heartbeat` timer: reveals the link that is due; at the chain's end begins the next chain. */
  onHeartbeatTimer(now: Now): void {
    const { heartbeatIntervalMs: intervalMs, chainLength } = this.#options;
    const due = Math.floor((now.monoMs - this.#chainAtMs) / intervalMs);
    if (due > chainLength) {
      this.#newChain(
        this.#chainBase + chainLength,
        this.#chainAtMs + chainLength * intervalMs,
        now,
      );
      this.publish(now, "up");
    } else if (due > this.#position && this.#chain !== undefined) {
      this.#position = due;
      const { nodeId } = this.#deps.self;
      const bytes = encodeHeartbeat({
        nodeId,
        epoch: this.#epoch,
        index: this.#chainBase + due,
        link: this.#chain.link(due),
      });
      this.#deps.emit({ kind: "publish", topic: "heartbeat", bytes });
    }
    this.#setHeartbeat(now);
  }

  /** Signs and publishes a beacon now. */
  publish(now: Now, status: StateBeacon["status"]): void {
    if (this.#chain === undefined) return;
    this.#sequence++;
    this.#allowance.take(OWN, now.monoMs);
    this.#dueAtMs = undefined;
    this.#publishedAtMs = now.monoMs;
    if (this.#haveLinksChanged) {
      const { beaconLinksIntervalMaxMs } = this.#options;
      this.#linksIntervalMs = Math.min(2 * this.#linksIntervalMs, beaconLinksIntervalMaxMs);
      this.#haveLinksChanged = false;
    }
    const { nodeId } = this.#deps.self;
    const zone = this.#deps.zone();
    const neighbours = this.#deps.neighbours();
    this.#toldLinks = neighbours.length > 0;
    const unsigned = encodeUnsigned({
      ...this.#facts,
      nodeId,
      zone,
      status,
      epoch: this.#epoch,
      sequence: this.#sequence,
      chain: {
        base: this.#chainBase,
        length: this.#options.chainLength,
        position: this.#position,
        anchor: this.#chain.link(this.#position),
        intervalMs: this.#options.heartbeatIntervalMs,
      },
      neighbours,
    });
    this.#digest = toHex(this.#deps.engine.sha256(unsigned));
    this.#bytes = concatBytes(unsigned, this.#deps.signer.sign(unsigned, beaconContext));
    this.#deps.emit({ kind: "publish", topic: "state", bytes: this.#bytes });
  }

  /** Wipes the chain; nothing can be published after it. */
  stop(): void {
    this.#chain?.destroy();
    this.#chain = undefined;
  }

  #newChain(base: number, atMs: number, now?: Now): void {
    const { chainLength: length, heartbeatIntervalMs } = this.#options;
    const { nodeId } = this.#deps.self;
    this.#chain?.destroy();
    this.#chainBase = base;
    this.#position = 0;
    // After a stall longer than a whole chain the indices in between are given up: the chain begins now.
    const over = now !== undefined && now.monoMs - atMs > length * heartbeatIntervalMs;
    this.#chainAtMs = (over ? now.monoMs : atMs) as MonoMs;
    const context = chainContext(nodeId, this.#epoch, base);
    this.#chain = new HashChain(this.#deps.engine, {
      seed: this.#deps.random.bytes(32),
      length,
      context,
    });
  }

  #setHeartbeat(now: Now): void {
    const intervalMs = this.#options.heartbeatIntervalMs;
    const elapsed = now.monoMs - this.#chainAtMs;
    const dueMs = (Math.floor(elapsed / intervalMs) + 1) * intervalMs;
    const delayMs = Math.max(1, Math.ceil(dueMs - elapsed));
    this.#deps.emit({ kind: "set-timer", id: "heartbeat", delayMs });
  }

  #setPeriod(): void {
    const jitter = 1 + PERIOD_JITTER * (2 * this.#deps.random.fraction() - 1);
    this.#periodMs = this.#options.beaconPeriodMs * jitter;
    this.#deps.emit({ kind: "set-timer", id: "beacon-period", delayMs: this.#periodMs });
  }
}
