// Many virtual peers in one process: it grows as fast as the daemon lets strangers in, and keeps count.

import { systemRandom } from "../adapters/random.ts";
import { nodeKeysFromSeeds } from "../identity/index.ts";
import { type Domain, engine, issuerOf } from "./domain.ts";
import { keyOf, type Stamps, VirtualPeer } from "./virtual-peer.ts";

export interface CrowdOptions {
  readonly domain: Domain;
  /** With `/p2p/`. */
  readonly address: string;
  /** Distinguishes the names and addresses of crowds. */
  readonly number: number;
  readonly probeIntervalMs: number;
  /** Whether its peers listen, and note when messages come in, instead of when they go out. */
  readonly observes: boolean;
}

/** What happened since the last {@link Crowd.collect}. */
export interface Collected {
  readonly stamps: { readonly state: Stamps; readonly heartbeat: Stamps };
  /** Of probes that were answered. */
  readonly rttMs: readonly number[];
  readonly probesFailed: number;
  readonly connected: number;
}

/** As the daemon's handshake limiter: 20 a second, after a burst. */
const JOINS_PER_SECOND = 18;
const UNDER_WAY_MAX = 32;
/** Attempts of one peer, each with the limiter's refill between. */
const ATTEMPTS_MAX = 5;
const HEARTBEAT_BYTES = 74;

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #issue: ReturnType<typeof issuerOf>;
  readonly #peers: VirtualPeer[] = [];
  #made = 0;
  #collected = emptyCollection();

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#issue = issuerOf(options.domain);
  }

  /** Brings it to `size` peers; the oldest leave first. How many are connected then. */
  async resize(size: number): Promise<number> {
    const leaving = this.#peers.splice(0, Math.max(0, this.#peers.length - size));
    await Promise.all(leaving.map((peer) => peer.leave()));
    const underWay = new Set<Promise<void>>();
    for (let missing = size - this.#peers.length; missing > 0; missing--) {
      const joining = this.#join().finally(() => underWay.delete(joining));
      underWay.add(joining);
      await pause(1_000 / JOINS_PER_SECOND);
      if (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    return this.connected;
  }

  get connected(): number {
    return this.#peers.filter((peer) => peer.connected).length;
  }

  collect(): Collected {
    const collected = this.#collected;
    this.#collected = emptyCollection();
    return { ...collected, connected: this.connected };
  }

  async #join(): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const peer = this.#make(this.#made++);
      try {
        await peer.join(this.#options.address);
        this.#peers.push(peer);
        return;
      } catch {
        await peer.leave();
        await pause(attempt * 1_000);
      }
    }
  }

  #make(index: number): VirtualPeer {
    const { domain, number, probeIntervalMs, observes } = this.#options;
    const stamp = (bytes: Uint8Array): void => {
      const kind = bytes.length === HEARTBEAT_BYTES ? "heartbeat" : "state";
      this.#collected.stamps[kind].set(keyOf(bytes), process.hrtime.bigint());
    };
    const seeds = { ed25519: systemRandom.bytes(32), mldsa65: systemRandom.bytes(32) };
    const keys = nodeKeysFromSeeds(engine, seeds);
    return new VirtualPeer({
      credential: this.#issue(`peer-${number}-${index}`, keys),
      ed25519Seed: seeds.ed25519,
      bundle: domain.bundle,
      localAddress: `127.${100 + number}.${(index >> 8) & 255}.${index & 255 || 1}`,
      probeIntervalMs,
      onPublish: (bytes) => {
        if (!observes) stamp(bytes);
      },
      onProbe: (rttMs) => {
        if (rttMs === undefined) this.#collected.probesFailed++;
        else this.#collected.rttMs.push(rttMs);
      },
      ...(observes && { onMessage: stamp }),
    });
  }
}

function emptyCollection() {
  const stamps = { state: new Map<string, bigint>(), heartbeat: new Map<string, bigint>() };
  return { stamps, rttMs: [] as number[], probesFailed: 0 };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
