// The votes of one round, counted by value. Views far ahead are not kept: of them it is enough to know who is there
// (Agreement.#furthest).
//
// An honest participant votes once in each view and kind. A liar's second vote counts too, for its own value, once an
// honest one has voted for that: otherwise a liar could make this node blind for a quorum that others have seen. Two
// quorums still share an honest participant, so no harm comes of it.

import type { ParticipantId } from "../task.ts";
import type { VoteMessage } from "./messages.ts";
import type { Digest } from "./types.ts";

type VoteKind = VoteMessage["kind"];

/** Votes of one view and kind. */
class Tally {
  /** The first of each participant. */
  readonly first = new Map<ParticipantId, VoteMessage>();
  readonly #byValue = new Map<Digest | undefined, Map<ParticipantId, VoteMessage>>();

  add(vote: VoteMessage): void {
    if (!this.first.has(vote.nodeId)) this.first.set(vote.nodeId, vote);
    const same = this.#byValue.get(vote.value) ?? new Map<ParticipantId, VoteMessage>();
    same.set(vote.nodeId, vote);
    this.#byValue.set(vote.value, same);
  }

  for(value: Digest | undefined): ReadonlyMap<ParticipantId, VoteMessage> {
    return this.#byValue.get(value) ?? new Map<ParticipantId, VoteMessage>();
  }

  /** The value that has `quorum` votes, if any value or none at all has. */
  winner(quorum: number): { readonly value: Digest | undefined } | undefined {
    for (const [value, votes] of this.#byValue) if (votes.size >= quorum) return { value };
    return undefined;
  }

  *all(): Iterable<VoteMessage> {
    for (const votes of this.#byValue.values()) yield* votes.values();
  }
}

/** All votes of a round. */
export class VoteBook {
  readonly #views = new Map<number, Record<VoteKind, Tally>>();

  /** The first vote of a participant. */
  get(kind: VoteKind, view: number, nodeId: ParticipantId): VoteMessage | undefined {
    return this.#views.get(view)?.[kind].first.get(nodeId);
  }

  /** Whether a participant's vote for this value is here, be it its first. */
  has({ kind, view, value, nodeId }: VoteMessage): boolean {
    return this.#views.get(view)?.[kind].for(value).has(nodeId) === true;
  }

  add(vote: VoteMessage): void {
    this.#tallies(vote.view)[vote.kind].add(vote);
  }

  /** Whether a quorum has voted, whatever for. */
  complete(kind: VoteKind, view: number, quorum: number): boolean {
    return (this.#views.get(view)?.[kind].first.size ?? 0) >= quorum;
  }

  winner(kind: VoteKind, view: number, quorum: number) {
    return this.#views.get(view)?.[kind].winner(quorum);
  }

  /** Votes of a view for a value. */
  votesFor(kind: VoteKind, view: number, value: Digest): readonly VoteMessage[] {
    return [...(this.#views.get(view)?.[kind].for(value).values() ?? [])];
  }

  count(kind: VoteKind, view: number, value: Digest): number {
    return this.#views.get(view)?.[kind].for(value).size ?? 0;
  }

  views(): readonly number[] {
    return [...this.#views.keys()];
  }

  *all(view: number): Iterable<VoteMessage> {
    const tallies = this.#views.get(view);
    if (tallies === undefined) return;
    yield* tallies.prevote.all();
    yield* tallies.precommit.all();
  }

  /** Forgets a view. */
  drop(view: number): void {
    this.#views.delete(view);
  }

  #tallies(view: number): Record<VoteKind, Tally> {
    let tallies = this.#views.get(view);
    if (tallies === undefined) {
      tallies = { prevote: new Tally(), precommit: new Tally() };
      this.#views.set(view, tallies);
    }
    return tallies;
  }
}
