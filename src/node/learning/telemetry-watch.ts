// Watches this node for models of telemetry: a sample a second into a ring in memory, which nobody else sees. Once a model
// is there, it says how unlike the mesh's usual self this node behaves.

import { type ProcessReading, processProbe } from "../../adapters/telemetry/process-probe.ts";
import {
  type Anomaly,
  normalised,
  type TelemetryReading,
  TelemetryRing,
  type TelemetrySamples,
} from "../../learning/index.ts";
import type { MemberView } from "../../mesh/index.ts";
import type { Meter } from "../../ports/index.ts";

const INTERVAL_MS = 1_000;
/** Half an hour. */
const SAMPLES_MAX = 1_800;
/** The anomaly is that of the last so many samples together: one late timer is none. */
const JUDGED_SAMPLES = 10;
/** Part of the newest value in the smoothed rate of beacons, which come every few seconds only. */
const SMOOTHING = 0.1;
const PRESENT: ReadonlySet<MemberView["state"]> = new Set(["joining", "alive"]);

/** What a watch sees of the mesh. */
export interface MeshReading {
  readonly connections: number;
  readonly members: readonly MemberView[];
}

export interface TelemetryWatchDeps {
  readonly meter: Meter;
  readonly mesh: () => MeshReading;
  /** What the newest model of telemetry, if there is one, makes of samples. */
  readonly judge: (samples: readonly Float32Array[]) => Anomaly | undefined;
}

export class TelemetryWatch {
  readonly #deps: TelemetryWatchDeps;
  readonly #ring = new TelemetryRing(SAMPLES_MAX);
  #heard = new Map<string, number>();
  #beaconRate = 0;
  #timer: NodeJS.Timeout | undefined;
  #anomaly: Anomaly | undefined;

  constructor(deps: TelemetryWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    const probe = processProbe();
    this.#timer = setInterval(() => this.#look(probe()), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What the last sample added to. */
  get anomaly(): Anomaly | undefined {
    return this.#anomaly;
  }

  get samples(): TelemetrySamples {
    return this.#ring.split();
  }

  #look(process: ProcessReading): void {
    this.#ring.add(normalised(this.#reading(process, this.#deps.mesh())));
    this.#anomaly = this.#deps.judge(this.#ring.newest(JUDGED_SAMPLES));
    this.#deps.meter.set("meshd_learning_anomaly_ratio", this.#anomaly?.score ?? 0);
  }

  #reading(process: ProcessReading, { connections, members }: MeshReading): TelemetryReading {
    const seconds = process.elapsedMs / 1000;
    const present = members.filter(({ state }) => PRESENT.has(state));
    const known = members.filter(({ state }) => state !== "left" && state !== "quarantined");
    const rate = this.#beaconsOf(present) / seconds / Math.max(1, present.length);
    this.#beaconRate += SMOOTHING * (rate - this.#beaconRate);
    return {
      "loop lag": Math.max(0, process.elapsedMs - INTERVAL_MS) / 1000,
      "loop use": process.loopUse,
      cpu: process.cpu,
      memory: process.rssBytes,
      heap: process.heapBytes,
      peers: connections,
      absent: 1 - present.length / Math.max(1, known.length),
      rtt: mean(members.map(({ rttMs }) => rttMs)) / 1000,
      loss: mean(members.map(({ lossRatio }) => lossRatio)),
      beacons: this.#beaconRate,
    };
  }

  /** Beacons and heartbeats that were heard since the last look. */
  #beaconsOf(members: readonly MemberView[]): number {
    const heard = new Map<string, number>();
    let news = 0;
    for (const { nodeId, epoch, sequence, heartbeatIndex } of members) {
      const key = `${nodeId}/${epoch}`;
      const count = sequence + heartbeatIndex;
      heard.set(key, count);
      news += Math.max(0, count - (this.#heard.get(key) ?? count));
    }
    this.#heard = heard;
    return news;
  }
}

/** Of those that are known; 0 of none. */
function mean(values: readonly (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined);
  return known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
}
