// The one failure detector: heartbeats, connections and SWIM probes (Das, Gupta, Motivala, DSN 2002) with Lifeguard's
// local health. A silent member is probed, then probed through helpers, then suspected, and dead only when the
// suspicion outlasts its time. Any fresh proof of life refutes. What is sent and heard here goes over authenticated
// connections; nothing of it changes another node's view, which signed beacons alone do.

import type { NodeId } from "../../identity/index.ts";
import type { Meter, MonoMs, Now, Random } from "../../ports/index.ts";
import type { NeighbourReport } from "../beacons/state-beacon.ts";
import type { MemberCause, MeshAction } from "../machine-types.ts";
import type { MeshOptions } from "../options.ts";
import { currentBeacon, isPresent, type Member } from "./member.ts";
import { directTimeoutMs, indirectTimeoutMs } from "./probe-timeout.ts";
import type { Roster } from "./roster.ts";
import { sample } from "./sampling.ts";
import { LocalHealth, suspicionTimeoutMs } from "./suspicion.ts";

interface DetectorDeps {
  readonly roster: Roster;
  readonly random: Random;
  readonly meter: Meter;
  readonly emit: (action: MeshAction) => void;
  /** Whether heartbeats of the member arrive here: those of other zones do not. */
  readonly isHeard: (member: Member) => boolean;
  /** A member became suspect, or a suspect recovered: the own beacon may have to say so. */
  readonly onSuspicion: (member: Member, now: Now) => void;
  /** A member is back from the dead. */
  readonly onFlap: (member: Member, now: Now) => void;
}

/** Looks twice per probe interval, so that a deadline is noticed at most half an interval late. */
const LOOKS_PER_INTERVAL = 2;
/** How many times a probe's timeout the detector itself waits for a driver that never answers. */
const DRIVER_WAIT = 2;
/** Direct probes of a connected member of another zone that may fail in a row: nobody near it can be asked. */
const PROBES_MISSED_MAX = 3;

/** Feeds on evidence and on a timer; its output are roster transitions and probe actions. */
export class FailureDetector {
  readonly health: LocalHealth;
  readonly #deps: DetectorDeps;
  readonly #options: MeshOptions;
  #dueMs: MonoMs | undefined;
  #probeAtMs = Number.NEGATIVE_INFINITY;
  #round: NodeId[] = [];

  constructor(deps: DetectorDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
    this.health = new LocalHealth(options.localHealthMax);
  }

  /** Sets the next timer. */
  schedule(now: Now): void {
    const delayMs = this.#options.probeIntervalMs / LOOKS_PER_INTERVAL;
    this.#dueMs = (now.monoMs + delayMs) as MonoMs;
    this.#deps.emit({ kind: "set-timer", id: "detector", delayMs });
  }

  /** The `detector` timer. */
  tick(now: Now): void {
    this.#excuseOwnStall(now);
    // Nothing that an examination does adds or removes members.
    for (const member of this.#deps.roster.all()) this.#examine(member, now);
    this.#probeNext(now);
    this.#deps.roster.forgetOld(now.monoMs);
    this.#deps.meter.set("meshd_mesh_local_health_score", this.health.score);
    this.schedule(now);
  }

  /** A fresh proof of life. */
  alive(member: Member, cause: MemberCause, now: Now): void {
    member.lastAliveAtMs = now.monoMs;
    member.probe = undefined;
    const wasSuspect = member.state === "suspect";
    if (member.state === "dead") this.#deps.onFlap(member, now);
    const changed = this.#deps.roster.apply(member, cause, now.monoMs);
    if (wasSuspect && changed) {
      this.#deps.meter.count("meshd_mesh_suspicions_total", { outcome: "refuted" });
      this.#deps.onSuspicion(member, now);
    }
  }

  /** A probe was answered: the member lives, and the own network does. */
  answered(member: Member, now: Now): void {
    this.health.better();
    member.probesMissed = 0;
    this.#deps.meter.count("meshd_mesh_probes_total", { result: "answered" });
    this.alive(member, "probe-answered", now);
  }

  /** A direct probe failed: ask others. */
  probeFailed(member: Member, now: Now): void {
    this.#deps.meter.count("meshd_mesh_probes_total", { result: "failed" });
    if (member.probe?.stage !== "direct") return;
    member.probe = undefined;
    member.probesMissed++;
    this.#askHelpers(member, now);
  }

  /**
   * What the helpers found. Reached by them but not from here: the fault may be here. A helper that does not answer,
   * not even that it reached nobody (Lifeguard's nack), speaks for a fault here, too.
   * @param answers helpers that answered, whatever they found
   */
  indirectResult(member: Member, alive: boolean, answers: number, now: Now): void {
    const asked = member.probe?.stage === "indirect" ? member.probe.asked : undefined;
    if (alive) {
      if (member.connected) this.health.worse();
      this.alive(member, "probe-answered", now);
    } else if (asked !== undefined) {
      for (let missing = asked - answers; missing > 0; missing--) this.health.worse();
      this.#suspect(member, "probe-failed", now);
    }
  }

  /** The last connection is gone: no verdict, but a reason to look at once. */
  disconnected(member: Member, now: Now): void {
    if (this.#deps.isHeard(member)) this.#askHelpers(member, now);
  }

  /** Another member suspects it, too. */
  confirm(member: Member, reporter: NodeId): void {
    member.suspicion?.confirmations.add(reporter);
  }

  /** The own node had to refute the suspicion of others: a sign of being slow. */
  refutedOwn(): void {
    this.health.worse();
  }

  /** A timer that comes late shows a stall of the own node: silence in that time is no evidence against others. */
  #excuseOwnStall(now: Now): void {
    const stallMs = this.#dueMs === undefined ? 0 : now.monoMs - this.#dueMs;
    if (stallMs < this.#options.probeIntervalMs) return;
    this.health.worse();
    this.#deps.meter.count("meshd_mesh_own_stalls_total");
    for (const member of this.#deps.roster.all()) {
      member.lastAliveAtMs = (member.lastAliveAtMs + stallMs) as MonoMs;
      if (member.suspicion !== undefined) member.suspicion.graceMs += stallMs;
      if (member.probe !== undefined) {
        const deadlineMs = (member.probe.deadlineMs + stallMs) as MonoMs;
        member.probe = { ...member.probe, deadlineMs };
      }
    }
  }

  #examine(member: Member, now: Now): void {
    if (!member.connected && !this.#deps.isHeard(member)) return;
    const { suspicion, probe } = member;
    if (probe !== undefined && now.monoMs >= probe.deadlineMs) {
      member.probe = undefined;
      if (probe.stage === "direct") this.#askHelpers(member, now);
      else {
        this.health.worse();
        this.#suspect(member, "probe-failed", now);
      }
    } else if (member.state === "suspect" && suspicion !== undefined) {
      const timeoutMs = suspicionTimeoutMs(
        this.#deps.roster.present + 1,
        suspicion.confirmations.size,
        this.#options,
      );
      if (now.monoMs - suspicion.sinceMs - suspicion.graceMs >= timeoutMs) {
        this.#deps.meter.count("meshd_mesh_suspicions_total", { outcome: "dead" });
        this.#deps.roster.apply(member, "suspicion-timeout", now.monoMs);
      } else if (probe === undefined && member.connected && now.monoMs >= suspicion.probeAtMs) {
        suspicion.probeAtMs = (now.monoMs + this.#options.probeIntervalMs) as MonoMs;
        this.#probe(member, now);
      }
    } else if (probe === undefined && this.#isSilent(member, now)) {
      if (member.connected) this.#probe(member, now);
      else this.#askHelpers(member, now);
    }
  }

  #isSilent(member: Member, now: Now): boolean {
    if (member.state !== "alive" && member.state !== "joining") return false;
    if (!this.#deps.isHeard(member)) return false;
    const intervalMs = member.chain?.intervalMs ?? this.#options.heartbeatIntervalMs;
    // A neighbour is asked itself, and given more time if this node is slow; of others silence is all there is.
    const patience = member.connected ? 1 : this.health.multiplier;
    const allowedMs = this.#options.silenceIntervals * intervalMs * patience;
    return now.monoMs - member.lastAliveAtMs > allowedMs;
  }

  #probe(member: Member, now: Now): void {
    const timeoutMs = directTimeoutMs(member, this.#options) * this.health.multiplier;
    const deadlineMs = (now.monoMs + DRIVER_WAIT * timeoutMs) as MonoMs;
    member.probe = { stage: "direct", deadlineMs };
    const { nodeId, state } = member;
    this.#deps.emit({ kind: "probe", nodeId, timeoutMs, suspect: state === "suspect" });
  }

  #askHelpers(member: Member, now: Now): void {
    if (member.state !== "alive" && member.state !== "joining") return;
    if (!this.#deps.isHeard(member) && member.probesMissed <= PROBES_MISSED_MAX) {
      this.#probe(member, now);
      return;
    }
    const helpers = this.#helpers(member);
    if (helpers.length === 0) {
      this.#suspect(member, "silence", now);
      return;
    }
    const timeoutMs = indirectTimeoutMs(helpers, this.#options) * this.health.multiplier;
    const deadlineMs = (now.monoMs + DRIVER_WAIT * timeoutMs) as MonoMs;
    member.probe = { stage: "indirect", deadlineMs, asked: helpers.length };
    const via = helpers.map(({ nodeId }) => nodeId);
    this.#deps.emit({ kind: "probe-via", nodeId: member.nodeId, via, timeoutMs });
  }

  /** Connected members, those first that say they are its neighbours. */
  #helpers(target: Member): Member[] {
    const neighbours: Member[] = [];
    const others: Member[] = [];
    for (const member of this.#deps.roster.connected) {
      if (member.state !== "alive" || member === target) continue;
      (reportOf(member, target) === undefined ? others : neighbours).push(member);
    }
    const k = this.#options.indirectProbes;
    const chosen = sample(neighbours, k, this.#deps.random);
    return [...chosen, ...sample(others, k - chosen.length, this.#deps.random)];
  }

  #suspect(member: Member, cause: MemberCause, now: Now): void {
    // A peer without a beacon yet may be of another zone, and its heartbeats are not to be heard here.
    if (member.accepted.length === 0) return;
    const neighbour = member.connected || member.link !== undefined;
    if (!this.#deps.roster.apply(member, cause, now.monoMs)) return;
    const confirmations = this.#accusers(member);
    const probeAtMs = now.monoMs;
    member.suspicion = { sinceMs: now.monoMs, graceMs: 0, probeAtMs, neighbour, confirmations };
    this.#deps.meter.count("meshd_mesh_suspicions_total", { outcome: "raised" });
    this.#deps.onSuspicion(member, now);
  }

  /** Neighbours of a member that suspected it before this node did. */
  #accusers(member: Member): Set<NodeId> {
    const accusers = new Set<NodeId>();
    for (const { nodeId } of currentBeacon(member)?.neighbours ?? []) {
      const neighbour = this.#deps.roster.get(nodeId);
      if (neighbour?.state !== "alive") continue;
      if (reportOf(neighbour, member)?.suspect === true) accusers.add(nodeId);
    }
    return accusers;
  }

  /** SWIM's round: every connected member once, in random order, one per interval stretched by the local health. */
  #probeNext(now: Now): void {
    if (now.monoMs - this.#probeAtMs < this.#options.probeIntervalMs * this.health.multiplier)
      return;
    this.#probeAtMs = now.monoMs;
    if (this.#round.length === 0) {
      const ids = [...this.#deps.roster.connected].filter(isPresent).map((m) => m.nodeId);
      this.#round = sample(ids, ids.length, this.#deps.random);
    }
    const nodeId = this.#round.pop();
    const member = nodeId === undefined ? undefined : this.#deps.roster.get(nodeId);
    // A suspect is probed on its own account.
    const isDue = member?.connected === true && isPresent(member) && member.state !== "suspect";
    if (isDue && member.probe === undefined) this.#probe(member, now);
  }
}

/** What a member's beacon says of another. */
function reportOf(member: Member, target: Member): NeighbourReport | undefined {
  return currentBeacon(member)?.neighbours.find(({ nodeId }) => nodeId === target.nodeId);
}
