// The part of a gateway: when this node speaks for its zone, and what it says. The first of the rendezvous ranking
// does; the next takes over when it hears nothing in time, and is quiet again after having heard its better twice.

import { concatBytes, fromHex } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { MonoMs, Now } from "../../ports/index.ts";
import { linkCost } from "../links/cost.ts";
import type { MeshAction, MeshDeps } from "../machine-types.ts";
import { currentBeacon, type Member } from "../membership/member.ts";
import { sample } from "../membership/sampling.ts";
import type { MeshOptions } from "../options.ts";
import type { Home } from "./home.ts";
import type { Rendezvous } from "./rendezvous.ts";
import {
  type Contact,
  encodeSummary,
  type Gateway,
  lastWord,
  summaryLimits,
  type ZoneLink,
  type ZoneSummary,
} from "./summary.ts";
import type { SummaryTable } from "./summary-table.ts";

const PERIOD_JITTER = 0.1;
/** A gateway waits so many periods more than the one before it. */
const TAKEOVER_STEP = 0.5;
/** Summaries of a better ranked gateway before the own part ends. */
const HEARD_TO_YIELD = 2;

interface GatewayDeps extends Pick<MeshDeps, "signer" | "random"> {
  readonly engine: Pick<MeshDeps["engine"], "sha256">;
  readonly self: NodeId;
  readonly home: Home;
  readonly rendezvous: Rendezvous;
  readonly table: SummaryTable;
  /** The members of the zone that are present, without the own node. */
  readonly members: () => readonly Member[];
  readonly connected: () => readonly Member[];
  /** The own epoch, addresses and load. */
  readonly own: () => {
    readonly epoch: number;
    readonly addresses: readonly string[];
    readonly load: number;
  };
  readonly emit: (action: MeshAction) => void;
}

/** The own summary as published. */
export interface Published {
  readonly summary: ZoneSummary;
  readonly bytes: Uint8Array;
  readonly essence: string;
  readonly atMs: MonoMs;
}

/** Speaks for the zone when it is this node's turn. */
export class GatewayRole {
  readonly #deps: GatewayDeps;
  readonly #options: MeshOptions;
  #gateways: readonly NodeId[] = [];
  #members: readonly Member[] = [];
  #epoch = 0;
  #sequence = 0;
  /** The last own summary, and whether this node still speaks for that zone. */
  #last: Published | undefined;
  #isSpeaking = false;
  #dueAtMs = 0 as MonoMs;
  /** Since when the rank is what it is: a new gateway's patience begins then. */
  #rank: number | undefined;
  #rankedAtMs = 0 as MonoMs;
  #takenOver = false;
  #heardSince = 0;

  constructor(deps: GatewayDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The newest own summary, while it speaks for the zone. */
  get published(): Published | undefined {
    return this.#isSpeaking ? this.#last : undefined;
  }

  /** The gateways of the own zone, by rank, as this node saw it at its last tick. */
  get gateways(): readonly NodeId[] {
    return this.#gateways;
  }

  /** The members of the own zone at the last tick, without the own node. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** The place of a node among the gateways, from 0; `undefined` when it is none. */
  rankOf(nodeId: NodeId): number | undefined {
    const rank = this.#gateways.indexOf(nodeId);
    return rank < 0 ? undefined : rank;
  }

  /** Another gateway of the own zone spoke. */
  heard(publisher: NodeId): void {
    const rank = this.rankOf(publisher);
    if (this.#takenOver && rank !== undefined && rank < (this.#rank ?? 0)) this.#heardSince++;
  }

  /** Looks whether there is something to say. */
  tick(now: Now): void {
    this.#updateRank(now);
    if (!this.#deps.home.isSettled(now.monoMs) || !this.#isSpeaker(now)) {
      this.#isSpeaking = false;
      return;
    }
    const last = this.published;
    const sinceMs = last === undefined ? Number.POSITIVE_INFINITY : now.monoMs - last.atMs;
    if (sinceMs < this.#options.summaryMinIntervalMs) return;
    const summary = this.#compose(now);
    if (last === undefined || this.#isNews(last, summary, now) || now.monoMs >= this.#dueAtMs)
      this.#publish(summary, now);
  }

  /**
   * The own node has left a zone for good. What it said of it last would be believed until it expires, and gateways of other
   * zones would look for a way into a zone where nobody is.
   */
  left(zone: string, now: Now): void {
    const last = this.#last;
    if (last?.summary.zone !== zone) return;
    if (now.monoMs - last.atMs < this.#options.summaryTtlMs)
      this.#publish(lastWord(last.summary, now.wallMs), now);
    this.#last = undefined;
    this.#isSpeaking = false;
  }

  #updateRank(now: Now): void {
    const { rendezvous, home, self } = this.#deps;
    this.#members = this.#deps.members();
    const ids = [self, ...this.#members.map(({ nodeId }) => nodeId)];
    this.#gateways = rendezvous.best(home.zone, ids, this.#options.zoneGateways);
    const rank = this.rankOf(this.#deps.self);
    if (rank === this.#rank) return;
    this.#rank = rank;
    this.#rankedAtMs = now.monoMs;
    this.#takenOver = false;
  }

  #isSpeaker(now: Now): boolean {
    if (this.#rank === undefined) return false;
    if (this.#rank === 0) return true;
    if (this.#takenOver) this.#takenOver = this.#heardSince < HEARD_TO_YIELD;
    else {
      const patienceMs = this.#options.summaryPeriodMs * (1 + TAKEOVER_STEP * this.#rank);
      this.#takenOver = now.monoMs - this.#betterHeardAtMs() > patienceMs;
      this.#heardSince = 0;
    }
    return this.#takenOver;
  }

  #betterHeardAtMs(): number {
    const { home, table } = this.#deps;
    const better = table.of(home.zone).filter(({ summary }) => {
      const rank = this.rankOf(summary.publisher);
      return rank !== undefined && rank < (this.#rank ?? 0);
    });
    const entered = Math.max(this.#rankedAtMs, home.enteredAtMs);
    return Math.max(entered, ...better.map(({ issuedAtMs }) => issuedAtMs));
  }

  #publish(summary: ZoneSummary, now: Now): void {
    const bytes = encodeSummary(summary, this.#deps.signer);
    const jitter = 1 + PERIOD_JITTER * (2 * this.#deps.random.fraction() - 1);
    this.#dueAtMs = (now.monoMs + this.#options.summaryPeriodMs * jitter) as MonoMs;
    this.#last = { summary, bytes, essence: essence(summary), atMs: now.monoMs };
    this.#isSpeaking = true;
    this.#sequence = summary.sequence;
    this.#deps.emit({ kind: "publish", topic: "summary", bytes });
  }

  #compose(now: Now): ZoneSummary {
    const { home, self, engine } = this.#deps;
    const { epoch, load } = this.#deps.own();
    if (epoch !== this.#epoch) this.#sequence = 0;
    this.#epoch = epoch;
    const members = this.#members;
    const ids = [self, ...members.map(({ nodeId }) => nodeId)].sort();
    const loads = members.reduce((sum, member) => sum + (currentBeacon(member)?.load ?? 0), load);
    return {
      zone: home.zone,
      publisher: self,
      epoch,
      sequence: this.#sequence + 1,
      issuedAtMs: now.wallMs,
      members: ids.length,
      load: loads / ids.length,
      digest: engine.sha256(concatBytes(...ids.map(fromHex))),
      gateways: this.#gateways.map((nodeId) => this.#gateway(nodeId, members)),
      contacts: this.#contacts(members),
      neighbours: this.links(),
    };
  }

  #gateway(nodeId: NodeId, members: readonly Member[]): Gateway {
    const beacon = members.find((member) => member.nodeId === nodeId)?.accepted[0]?.beacon;
    const { epoch, addresses } = beacon ?? this.#deps.own();
    return { nodeId, epoch, addresses: addresses.slice(0, summaryLimits.gatewayAddresses) };
  }

  #contacts(members: readonly Member[]): Contact[] {
    const { random, home } = this.#deps;
    const chosen = sample(members, summaryLimits.contacts, random).flatMap((member) => {
      const beacon = currentBeacon(member);
      const address = beacon?.addresses[0];
      const isHere = beacon?.zone === home.zone;
      return address === undefined || !isHere ? [] : [{ nodeId: member.nodeId, address }];
    });
    return chosen.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  /**
   * What the other zones should hear of before the period ends: who is in the zone, who stands for it, and that it lost its last link
   * to another zone, because ways lead over it. A first link to one can wait for a quarter of a period: while a mesh starts there is
   * one every moment. Which ones are the cheapest can wait altogether.
   */
  #isNews(last: Published, summary: ZoneSummary, now: Now): boolean {
    if (last.essence !== essence(summary)) return true;
    const linked = this.#linked();
    const told = last.summary.neighbours;
    if (told.some(({ zone }) => !linked.has(zone))) return true;
    const hasMore = told.length < Math.min(linked.size, summaryLimits.neighbours);
    return hasMore && now.monoMs - last.atMs >= this.#options.summaryPeriodMs / 4;
  }

  /** The cheapest own link to each other zone, ascending by name; the cheapest zones when there are too many. */
  links(): ZoneLink[] {
    const links = [...this.#linked()].map(([zone, cost]) => ({ zone, cost }));
    links.sort((a, b) => a.cost - b.cost || (a.zone < b.zone ? -1 : 1));
    return links.slice(0, summaryLimits.neighbours).sort((a, b) => (a.zone < b.zone ? -1 : 1));
  }

  /** The zones that this node has a link to, with what the cheapest costs. */
  #linked(): Map<string, number> {
    const cheapest = new Map<string, number>();
    for (const member of this.#deps.connected()) {
      const zone = currentBeacon(member)?.zone;
      const { rttMs, lossRatio } = member.link?.published ?? { rttMs: 0, lossRatio: 0 };
      const cost = Math.round(linkCost(rttMs, lossRatio, lossRatio));
      if (zone === undefined || zone === this.#deps.home.zone || !Number.isFinite(cost)) continue;
      cheapest.set(zone, Math.min(cost, cheapest.get(zone) ?? cost));
    }
    return cheapest;
  }
}

function essence({ zone, epoch, digest, gateways }: ZoneSummary): string {
  const names = gateways.map((gateway) => `${gateway.nodeId}.${gateway.epoch}`);
  return [zone, epoch, digest.toHex(), ...names].join(" ");
}
