// A load run: a daemon, a crowd that grows from step to step, an observer, and what was measured at each step.

import { createDomain } from "./domain.ts";
import { CrowdProcess, type ProgramCommand } from "./crowd-process.ts";
import { type Sample, Target } from "./target.ts";
import type { Stamps } from "./virtual-peer.ts";

export interface LoadOptions {
  readonly daemon: ProgramCommand;
  readonly self: ProgramCommand;
  /** Sizes of the crowd, ascending. */
  readonly peers: readonly number[];
  /** How long each step is measured. */
  readonly seconds: number;
  /** Go on with larger crowds after the last step until the daemon breaks. */
  readonly findLimit: boolean;
}

/** Times in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadStep {
  readonly peers: number;
  readonly connected: number;
  readonly alive: number;
  /** From before the write on one peer's socket to the copy that the daemon forwarded, at another peer. */
  readonly heartbeat: Latency;
  readonly state: Latency;
  /** Round trips of the peers' probes: a new stream, its negotiation and 32 bytes back. */
  readonly probe: Latency;
  readonly probesFailed: number;
  /** Published by the peers, and of these accepted by the daemon, in beacons a second. */
  readonly offeredPerSecond: number;
  readonly acceptedPerSecond: number;
  /** Of the published heartbeats, how many reached the observer. */
  readonly deliveredRatio: number;
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly eventLoopLagP99Ms: number;
  readonly broken: boolean;
}

/** A step takes so long to settle: meshes are grafted, identities cached, hot code compiled. */
const SETTLE_MS = 10_000;
/** What was published in the last moments of a step is on its way still. */
const DRAIN_MS = 2_000;
const PROBE_INTERVAL_MS = 1_000;
/** A daemon is broken that loses or delays heartbeats as if their senders were ill: a late one proves no life after 3 s. */
const BROKEN_P99_MS = 1_000;
const BROKEN_RATIO = 0.99;
const LIMIT_GROWTH = 1.25;
/** `mesh.connections_target` of 1,024, and the observer. */
const PEERS_MAX = 4_000;

/** Who wants to know how a run goes, and can end it. */
export interface LoadObserver {
  readonly onStep: (step: LoadStep) => void;
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Runs the steps and tells each as it is done. Whatever happens, nothing of it is left. */
export async function runLoad(
  options: LoadOptions,
  { onStep, onProgress, signal }: LoadObserver,
): Promise<void> {
  const domain = createDomain();
  const most = options.findLimit ? PEERS_MAX : Math.max(...options.peers);
  const target = await Target.start(options.daemon, domain, most);
  const crowds: CrowdProcess[] = [];
  // Without its processes every step fails.
  signal.addEventListener("abort", () => void Promise.all(crowds.map((crowd) => crowd.stop())));
  const open = async (number: number, observes: boolean): Promise<CrowdProcess> => {
    const shared = { domain, address: target.address, probeIntervalMs: PROBE_INTERVAL_MS };
    const crowd = await CrowdProcess.start(options.self, { ...shared, number, observes });
    crowds.push(crowd);
    return crowd;
  };
  try {
    // The observer comes first, as long as the gossip meshes have room for it.
    const observer = await open(0, true);
    await observer.resize(1);
    const crowd = await open(1, false);
    for (const peers of sizes(options)) {
      signal.throwIfAborted();
      onProgress(`${peers} peers are joining`);
      await crowd.resize(peers);
      onProgress(`${peers} peers: settling and measuring`);
      const step = await measure({ target, crowd, observer, peers, seconds: options.seconds });
      onStep(step);
      if (step.broken) return;
    }
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.stop()));
    await target.stop();
  }
}

function* sizes({ peers, findLimit }: LoadOptions): Generator<number> {
  yield* peers;
  let size = peers.at(-1) ?? 0;
  while (findLimit && size < PEERS_MAX) {
    size = Math.min(PEERS_MAX, Math.ceil(size * LIMIT_GROWTH));
    yield size;
  }
}

interface Measured {
  readonly target: Target;
  readonly crowd: CrowdProcess;
  readonly observer: CrowdProcess;
  readonly peers: number;
  readonly seconds: number;
}

async function measure({ target, crowd, observer, peers, seconds }: Measured): Promise<LoadStep> {
  await pause(SETTLE_MS);
  await Promise.all([crowd.collect(), observer.collect(), target.sample()]);
  const before = await target.sample();
  await pause(seconds * 1_000);
  const after = await target.sample();
  const sent = await crowd.collect();
  await pause(DRAIN_MS);
  const seen = await observer.collect();
  const heartbeats = latencies(sent.stamps.heartbeat, seen.stamps.heartbeat);
  const heartbeat = latencyOf(heartbeats);
  const deliveredRatio = heartbeats.length / Math.max(1, sent.stamps.heartbeat.size);
  const accepted = (sample: Sample): number => sample.heartbeatsAccepted + sample.statesAccepted;
  const elapsed = (after.atMs - before.atMs) / 1_000;
  const offered = sent.stamps.heartbeat.size + sent.stamps.state.size;
  return {
    peers,
    connected: sent.connected,
    alive: await target.alive(),
    heartbeat,
    state: latencyOf(latencies(sent.stamps.state, seen.stamps.state)),
    probe: latencyOf(sent.rttMs),
    probesFailed: sent.probesFailed,
    offeredPerSecond: offered / elapsed,
    acceptedPerSecond: (accepted(after) - accepted(before)) / elapsed,
    deliveredRatio,
    cpuPercent: (100 * (after.cpuSeconds - before.cpuSeconds)) / elapsed,
    rssBytes: after.rssBytes,
    heapBytes: after.heapBytes,
    eventLoopLagP99Ms: after.lagP99Ms,
    broken: heartbeat.p99 > BROKEN_P99_MS || deliveredRatio < BROKEN_RATIO,
  };
}

/** Of messages that were both sent and seen, in milliseconds. */
function latencies(sent: Stamps, seen: Stamps): number[] {
  return [...sent].flatMap(([key, at]) => {
    const arrived = seen.get(key);
    return arrived === undefined ? [] : [Number(arrived - at) / 1e6];
  });
}

function latencyOf(values: readonly number[]): Latency {
  const sorted = Float64Array.from(values).sort();
  const at = (ratio: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * ratio))] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
