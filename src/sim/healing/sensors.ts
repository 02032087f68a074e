// What a simulated node's sensors say: of the mesh what its own machine sees, of its host what the ailments make of it, and a lie where
// a fault says so. The same observations as a daemon's, as far as there is something behind them.

import {
  type ObservationName,
  type PeerReading,
  PEERS_READ_MAX,
  type RaisedCondition,
  type Reading,
  type Sensors,
} from "../../healing/index.ts";
import { type MemberView, meshDefaults } from "../../mesh/index.ts";
import type { Now } from "../../ports/index.ts";
import { SVID_LIFE_MS } from "../census.ts";
import type { MeshNode } from "../mesh-node.ts";
import type { NodeIndex } from "../node-types.ts";
import type { SensorLie } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";

type Values = Partial<Record<ObservationName, number>>;

/** A member that died so long ago is no news. */
const NEWLY_DEAD_MS = 60_000;
/** A live member is heard of when a sign of life is not older. */
const HEARD_WITHIN_MS = 10_000;
const MINUTE_MS = 60_000;
/** An engine is put to its self-test so often. */
const ENGINE_LOOKS = 10;
/** Memory and disk of a host that is well. */
const HEAP_RATIO = 0.4;
const DISK_FREE_RATIO = 0.6;

const lies: Readonly<Record<SensorLie, Values>> = {
  alone: { connections: 0, connectedRatio: 0, beaconsHeardRatio: 0 },
  leaking: { heapRatio: 0.97 },
  overloaded: { loopLagMs: 500, beaconsRefusedPerS: 90 },
  expiring: { svidLeftRatio: 0.01 },
  "mesh-unwell": { unhealthyRatio: 0.9 },
  "all-well": {
    ...{ loopLagMs: 1, heapRatio: HEAP_RATIO, diskFreeRatio: DISK_FREE_RATIO, svidLeftRatio: 0.9 },
    ...{ unhealthyRatio: 0, beaconsHeardRatio: 1, connections: 12, connectedRatio: 1 },
  },
};

export interface SensorParts {
  readonly node: NodeIndex;
  readonly swarm: Swarm;
  readonly mesh: MeshNode;
  readonly now: () => Now;
}

export class SimSensors implements Sensors {
  readonly #parts: SensorParts;
  /** Peers that were connected in this life, and are missed when they are not. */
  readonly #known = new Set<string>();
  #flapsAtMs: number[] = [];
  #looks = 0;
  #isUnsound = false;
  #failuresAtMs: number[] = [];
  #handshakesFailed: number;
  #lagMs = 0;
  #last: Now | undefined;

  constructor(parts: SensorParts) {
    this.#parts = parts;
    this.#handshakesFailed = parts.swarm.ailments.handshakesFailed(parts.node);
  }

  /** A connection came or went. */
  flapped(): void {
    this.#flapsAtMs.push(this.#parts.now().monoMs);
  }

  /** The timer of the loop came so late. */
  late(ms: number): void {
    this.#lagMs = ms;
  }

  read(): Reading {
    const { node, swarm, mesh } = this.#parts;
    const now = this.#parts.now();
    const members = mesh.machine.members();
    const ailment = swarm.ailments.of(node);
    const conditions: RaisedCondition[] = [];
    const isExpired = swarm.census.at(node).identity.notAfterMs <= now.wallMs;
    if (isExpired) conditions.push({ code: "identity/expired", message: "The SVID has expired." });
    if (ailment.diskFull)
      conditions.push({ code: "state/write-failed", message: "The disk is full." });
    const isUnsound = ailment.badSignature || ailment.badVerification || ailment.kemFailure;
    const isTested = this.#looks++ % ENGINE_LOOKS === ENGINE_LOOKS - 1;
    this.#isUnsound = isUnsound && (this.#isUnsound || isTested);
    if (this.#isUnsound)
      conditions.push({
        code: "crypto/engine-unsound",
        message: "The engine fails its self-test.",
      });
    const { sensorLie } = ailment;
    const values = { ...this.#host(now), ...this.#mesh(members, now) };
    this.#last = now;
    return {
      values: sensorLie === undefined ? values : { ...values, ...lies[sensorLie] },
      conditions: sensorLie === "all-well" ? [] : conditions,
      peers: this.#peers(members),
    };
  }

  #host(now: Now): Values {
    const { node, swarm } = this.#parts;
    const { diskFull, leaked } = swarm.ailments.of(node);
    const last = this.#last ?? now;
    const stepMs = Math.abs(now.wallMs - last.wallMs - (now.monoMs - last.monoMs));
    const { notAfterMs } = swarm.census.at(node).identity;
    return {
      loopLagMs: this.#lagMs,
      heapRatio: Math.min(1, HEAP_RATIO + (1 - HEAP_RATIO) * leaked),
      diskFreeRatio: diskFull ? 0 : DISK_FREE_RATIO,
      clockStepMs: stepMs,
      svidLeftRatio: Math.max(0, (notAfterMs - now.wallMs) / SVID_LIFE_MS),
      engineRank: 0,
    };
  }

  #mesh(members: readonly MemberView[], now: Now): Values {
    const here = members.filter(({ state }) => state !== "left" && state !== "dead");
    const alive = here.filter(({ state }) => state === "alive");
    const unwell = members.filter(
      ({ state, lastAliveAtMs }) =>
        ["suspect", "quarantined"].includes(state) ||
        (state === "dead" && now.monoMs - lastAliveAtMs < NEWLY_DEAD_MS),
    );
    const heard = alive.filter(({ lastAliveAtMs }) => now.monoMs - lastAliveAtMs < HEARD_WITHIN_MS);
    const linked = members.filter(({ connected }) => connected);
    const wanted = Math.min(meshDefaults.connectionsTarget, Math.max(1, here.length));
    return {
      members: here.length,
      connections: linked.length,
      connectedRatio: Math.min(1, linked.length / wanted),
      unhealthyRatio: unwell.length / Math.max(1, here.length + unwell.length),
      quarantined: members.filter(({ state }) => state === "quarantined").length,
      beaconsHeardRatio: alive.length === 0 ? 1 : heard.length / alive.length,
      flapsPerMin: (this.#flapsAtMs = within(this.#flapsAtMs, now.monoMs)).length,
      handshakeFailuresPerMin: this.#failures(now.monoMs),
      rttMs: median(linked.flatMap(({ rttMs }) => rttMs ?? [])),
      lossRatio: mean(linked.flatMap(({ lossRatio }) => lossRatio ?? [])),
    };
  }

  #failures(nowMs: number): number {
    const { swarm, node } = this.#parts;
    const failed = swarm.ailments.handshakesFailed(node);
    for (; this.#handshakesFailed < failed; this.#handshakesFailed++)
      this.#failuresAtMs.push(nowMs);
    return (this.#failuresAtMs = within(this.#failuresAtMs, nowMs)).length;
  }

  #peers(members: readonly MemberView[]): PeerReading[] {
    const { machine } = this.#parts.mesh;
    const linked = members.filter(({ connected }) => connected).length;
    const isShort = linked < meshDefaults.connectionsTarget;
    const peers = members.map((member): PeerReading => {
      const { nodeId, state, connected, lastAliveAtMs: heardAtMs, answeredAtMs } = member;
      const wanted = connected || (isShort && this.#known.has(nodeId));
      if (connected) this.#known.add(nodeId);
      const proven = machine.isQuarantined(nodeId);
      const signs = { heardAtMs, ...(answeredAtMs !== undefined && { answeredAtMs }) };
      return { nodeId, state, connected, wanted, proven, ...signs };
    });
    const rank = ({ state, connected }: PeerReading): number =>
      state === "alive" && connected ? 1 : 0;
    return peers.sort((a, b) => rank(a) - rank(b)).slice(0, PEERS_READ_MAX);
  }
}

function within(momentsMs: readonly number[], nowMs: number): number[] {
  return momentsMs.filter((atMs) => nowMs - atMs < MINUTE_MS);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
