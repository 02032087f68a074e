// What healing sees of a daemon, once a second. Nothing here waits, and nothing is guessed: a part that does not run has no
// numbers.

import { statfsSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import { type ProcessReading, processProbe } from "../../adapters/telemetry/process-probe.ts";
import type { PromMeter } from "../../adapters/telemetry/prom-meter.ts";
import { fullestHeap } from "../../adapters/workers/thread-heaps.ts";
import {
  type ObservationName,
  type PeerReading,
  PEERS_READ_MAX,
  type RaisedCondition,
  type Reading,
  type Sensors,
} from "../../healing/index.ts";
import type { EngineSwitch } from "../../crypto/index.ts";
import { lifeLeft } from "../../identity/index.ts";
import type { MemberView } from "../../mesh/index.ts";
import type { Clock, Now } from "../../ports/index.ts";
import type { Member } from "../member.ts";
import { Growth, Recent } from "./rates.ts";

export const LOOK_MS = 1_000;
const MINUTE_LOOKS = 60;
/** statfs(2) may wait for a network file system: not each second. */
const DISK_LOOKS = 5;
/** A self-test takes 2 ms of CPU, of the slowest engine 60: it is not worth more. */
const ENGINE_LOOKS = 10;
/** A member that was heard of within this is heard of. */
const HEARD_MS = 10_000;
/** A death is news for so long: it counts as a sign of the mesh's health. */
const NEWLY_DEAD_MS = 120_000;
/** A peer that had a link to here is wanted back for so long. */
const WANTED_MS = 600_000;

/** Refusals that mean that more comes than may: all others say what came, not how much. */
const rateCodes: ReadonlySet<string> = new Set(["mesh/forwarder-rate", "mesh/origin-rate"]);

export interface NodeSensorsDeps {
  readonly clock: Clock;
  readonly prom: Pick<PromMeter, "snapshot">;
  readonly stateDir: string;
  /** Connections that the mesh keeps. */
  readonly connectionsTarget: number;
  readonly engines: Pick<EngineSwitch, "rank" | "check">;
  readonly member: () => Member | undefined;
  readonly raised: () => readonly RaisedCondition[];
}

type Values = Partial<Record<ObservationName, number>>;

export class NodeSensors implements Sensors {
  readonly #deps: NodeSensorsDeps;
  readonly #probe = processProbe();
  readonly #handshakeFailures: Growth;
  readonly #refused: Growth;
  readonly #flaps = new Recent(MINUTE_LOOKS);
  /** When each peer was connected last. */
  readonly #connectedAtMs = new Map<string, number>();
  #connected: ReadonlySet<string> = new Set();
  #disk: Values = {};
  #looks = 0;
  #before: Now | undefined;

  constructor(deps: NodeSensorsDeps) {
    this.#deps = deps;
    const { prom } = deps;
    this.#handshakeFailures = new Growth(prom, "meshd_handshake_failures_total", MINUTE_LOOKS);
    this.#refused = new Growth(prom, "meshd_mesh_beacons_rejected_total", 1, ({ code }) =>
      rateCodes.has(code ?? ""),
    );
  }

  read(): Reading {
    const now = this.#deps.clock.now();
    const process = this.#probe();
    const member = this.#deps.member();
    const members = member?.mesh.members() ?? [];
    if (this.#looks % DISK_LOOKS === 0) this.#disk = diskOf(this.#deps.stateDir);
    if (this.#looks++ % ENGINE_LOOKS === ENGINE_LOOKS - 1) this.#deps.engines.check();
    const values: Values = {
      ...processValues(process),
      ...this.#disk,
      ...this.#clockValues(now),
      engineRank: this.#deps.engines.rank,
      ...(member && this.#memberValues(member, members, now)),
    };
    return { values, conditions: this.#deps.raised(), peers: this.#peers(members, now) };
  }

  #clockValues(now: Now): Values {
    const before = this.#before;
    this.#before = now;
    if (before === undefined) return {};
    const stepMs = now.wallMs - before.wallMs - (now.monoMs - before.monoMs);
    return { clockStepMs: Math.abs(stepMs) };
  }

  #memberValues(member: Member, members: readonly MemberView[], now: Now): Values {
    const known = members.filter(({ state }) => state !== "left" && state !== "dead");
    const connected = members.filter((one) => one.connected);
    const wanted = Math.min(this.#deps.connectionsTarget, known.length);
    const { prom } = this.#deps;
    const [health] = prom.snapshot("meshd_mesh_local_health_score");
    const [relayed] = prom.snapshot("meshd_network_relayed_links");
    const { anomaly, voidRounds } = member.learning;
    return {
      svidLeftRatio: lifeLeft(member.svid.identity, now.wallMs),
      renewalOverdueMs: Math.max(0, now.wallMs - member.svid.renewAtMs),
      members: known.length,
      connections: connected.length,
      connectedRatio: wanted === 0 ? 1 : Math.min(1, connected.length / wanted),
      unhealthyRatio: unhealthyRatio(members, now),
      quarantined: members.filter(({ state }) => state === "quarantined").length,
      flapsPerMin: this.#flaps.add(this.#broken(members)),
      beaconsHeardRatio: heardRatio(members, now),
      beaconsRefusedPerS: this.#refused.look(),
      handshakeFailuresPerMin: this.#handshakeFailures.look(),
      ...(health !== undefined && { localHealth: health.value }),
      ...linkValues(connected),
      ...(relayed !== undefined && { relayedLinks: relayed.value }),
      roundsVoid: voidRounds,
      ...(anomaly !== undefined && { anomaly: anomaly.score }),
    };
  }

  /** Links that were there at the last look and are not now, but for those of nodes that left. */
  #broken(members: readonly MemberView[]): number {
    const now = new Set(members.filter((one) => one.connected).map(({ nodeId }) => nodeId));
    const gone = members.filter(
      ({ nodeId, state }) => this.#connected.has(nodeId) && !now.has(nodeId) && state !== "left",
    );
    this.#connected = now;
    return gone.length;
  }

  #peers(members: readonly MemberView[], { monoMs }: Now): PeerReading[] {
    for (const { nodeId, connected } of members)
      if (connected) this.#connectedAtMs.set(nodeId, monoMs);
    for (const [nodeId, atMs] of this.#connectedAtMs)
      if (monoMs - atMs > WANTED_MS) this.#connectedAtMs.delete(nodeId);
    const hasRoom = members.filter((one) => one.connected).length < this.#deps.connectionsTarget;
    const readings = members.map(({ nodeId, state, connected, lastAliveAtMs, answeredAtMs }) => ({
      ...{ nodeId, state, connected, proven: state === "quarantined", heardAtMs: lastAliveAtMs },
      ...(answeredAtMs !== undefined && { answeredAtMs }),
      wanted: hasRoom && this.#connectedAtMs.has(nodeId),
    }));
    if (readings.length <= PEERS_READ_MAX) return readings;
    const isWell = (one: PeerReading): boolean => one.state === "alive" && one.connected;
    const ill = readings.filter((one) => !isWell(one));
    return [...ill, ...readings.filter(isWell)].slice(0, PEERS_READ_MAX);
  }
}

function processValues({ cpu, rssBytes, heapBytes, elapsedMs }: ProcessReading): Values {
  return {
    loopLagMs: Math.max(0, elapsedMs - LOOK_MS),
    cpuRatio: cpu,
    rssBytes,
    heapRatio: heapBytes / getHeapStatistics().heap_size_limit,
    trainerHeapRatio: fullestHeap(),
  };
}

function diskOf(stateDir: string): Values {
  try {
    const { bavail, blocks } = statfsSync(stateDir);
    return blocks === 0 ? {} : { diskFreeRatio: bavail / blocks };
  } catch {
    return {}; // it is gone: that is no number
  }
}

/** Those that are suspect or died lately, of all that are there or died lately. */
function unhealthyRatio(members: readonly MemberView[], { monoMs }: Now): number {
  const isNews = ({ lastAliveAtMs }: MemberView): boolean => monoMs - lastAliveAtMs < NEWLY_DEAD_MS;
  const ill = members.filter(
    (one) => one.state === "suspect" || (one.state === "dead" && isNews(one)),
  ).length;
  const well = members.filter(({ state }) => state === "alive" || state === "joining").length;
  return ill === 0 ? 0 : ill / (ill + well);
}

function heardRatio(members: readonly MemberView[], { monoMs }: Now): number {
  const alive = members.filter(({ state }) => state === "alive" || state === "suspect");
  if (alive.length === 0) return 1;
  const heard = alive.filter(({ lastAliveAtMs }) => monoMs - lastAliveAtMs < HEARD_MS);
  return heard.length / alive.length;
}

function linkValues(connected: readonly MemberView[]): Values {
  const rtts = connected.flatMap(({ rttMs }) => (rttMs === undefined ? [] : [rttMs]));
  if (rtts.length === 0) return {};
  return { rttMs: median(rtts), lossRatio: median(connected.map((one) => one.lossRatio ?? 0)) };
}

/** One bad link is not the network. */
function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
