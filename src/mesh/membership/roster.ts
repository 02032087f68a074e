// All members, bounded, and the one place where a member changes its state.

import { assert } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Meter, MonoMs } from "../../ports/index.ts";
import type { MemberCause, MemberState, MeshAction } from "../machine-types.ts";
import type { MeshOptions } from "../options.ts";
import { type Member, newMember } from "./member.ts";
import { transition } from "./transitions.ts";

export const memberStates: readonly MemberState[] = [
  "joining",
  "alive",
  "suspect",
  "dead",
  "left",
  "quarantined",
];

/** Who is to go first when one more member is needed. */
const evictable: readonly MemberState[] = ["left", "dead"];

type RosterOptions = Pick<MeshOptions, "membersMax" | "retentionMs">;

/** The members by node id. */
export class Roster {
  readonly #members = new Map<NodeId, Member>();
  readonly #connected = new Set<Member>();
  readonly #counts: Record<MemberState, number> = {
    joining: 0,
    alive: 0,
    suspect: 0,
    dead: 0,
    left: 0,
    quarantined: 0,
  };
  readonly #options: RosterOptions;
  readonly #meter: Meter;
  readonly #emit: (action: MeshAction) => void;
  /** Rises with every change of a state or of a connection: what is derived from the roster compares it. */
  version = 0;

  constructor(options: RosterOptions, meter: Meter, emit: (action: MeshAction) => void) {
    this.#options = options;
    this.#meter = meter;
    this.#emit = emit;
  }

  get size(): number {
    return this.#members.size;
  }

  /** How many are in a state. */
  count(state: MemberState): number {
    return this.#counts[state];
  }

  /** Members that are part of the mesh, without the own node. */
  get present(): number {
    return this.#counts.alive + this.#counts.joining + this.#counts.suspect;
  }

  get(nodeId: NodeId): Member | undefined {
    return this.#members.get(nodeId);
  }

  /** In the order in which they were met: the same events give the same order. */
  all(): IterableIterator<Member> {
    return this.#members.values();
  }

  /** Those with a connection to this node. */
  get connected(): ReadonlySet<Member> {
    return this.#connected;
  }

  /** Notes that a member's connection came up, or that its last one is gone. */
  setConnected(member: Member, connected: boolean): void {
    member.connected = connected;
    if (connected) this.#connected.add(member);
    else this.#connected.delete(member);
    this.version++;
    this.#meter.set("meshd_mesh_connections", this.#connected.size);
  }

  /** Whether one more member would find a place. */
  hasRoom(): boolean {
    if (this.#members.size < this.#options.membersMax) return true;
    return evictable.some((state) => this.#counts[state] > 0);
  }

  /** The member; a new one is `joining`. When full, the one longest left or dead makes room. */
  admit(nodeId: NodeId, nowMs: MonoMs, cause: MemberCause): Member {
    const known = this.#members.get(nodeId);
    if (known !== undefined) return known;
    if (this.#members.size >= this.#options.membersMax) this.#evict();
    const member = newMember(nodeId, nowMs);
    this.#members.set(nodeId, member);
    this.#counts.joining++;
    this.#changed(member.nodeId, undefined, "joining", cause);
    return member;
  }

  /** Applies a cause to a member; false when it changes nothing. */
  apply(member: Member, cause: MemberCause, nowMs: MonoMs): boolean {
    const from = member.state;
    const to = transition(from, cause);
    if (to === undefined) return false;
    this.#counts[from]--;
    if (to === "gone") {
      if (member.connected) this.setConnected(member, false);
      this.#members.delete(member.nodeId);
      this.#changed(member.nodeId, from, undefined, cause);
      return true;
    }
    this.#counts[to]++;
    member.state = to;
    member.stateSinceMs = nowMs;
    if (to !== "suspect") member.suspicion = undefined;
    if (to !== "alive") member.probe = undefined;
    this.#changed(member.nodeId, from, to, cause);
    return true;
  }

  /** Forgets members whose time in memory is over: the dead and the left. */
  forgetOld(nowMs: MonoMs): void {
    if (this.#counts.dead + this.#counts.left === 0) return;
    for (const member of this.#members.values()) {
      if (member.connected || (member.state !== "dead" && member.state !== "left")) continue;
      if (nowMs - member.stateSinceMs >= this.#options.retentionMs)
        this.apply(member, "forgotten", nowMs);
    }
  }

  #evict(): void {
    for (const state of evictable) {
      let oldest: Member | undefined;
      for (const member of this.#members.values()) {
        if (member.state !== state) continue;
        if (oldest === undefined || member.stateSinceMs < oldest.stateSinceMs) oldest = member;
      }
      if (oldest !== undefined) {
        this.apply(oldest, "forgotten", oldest.stateSinceMs);
        return;
      }
    }
    assert(false, "a member was admitted to a full roster");
  }

  #changed(
    nodeId: NodeId,
    from: MemberState | undefined,
    to: MemberState | undefined,
    cause: MemberCause,
  ): void {
    this.version++;
    for (const state of [from, to]) {
      if (state !== undefined) this.#meter.set("meshd_mesh_peers", this.#counts[state], { state });
    }
    this.#meter.count("meshd_mesh_member_transitions_total", { to: to ?? "forgotten" });
    this.#emit({ kind: "member-changed", nodeId, from, to, cause });
  }
}
