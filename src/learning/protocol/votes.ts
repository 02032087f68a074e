// The votes of one round: one for each participant, view and kind, counted by value. Views far ahead are not kept: of them
// it is enough to know who is there (Agreement.#furthest).

import type { ParticipantId } from "../task.ts";
import type { VoteMessage } from "./messages.ts";
import type { Digest } from "./types.ts";

type VoteKind = VoteMessage["kind"];

/** Votes of one view and kind. */
class Tally {
  readonly votes = new Map<ParticipantId, VoteMessage>();
  readonly #counts = new Map<Digest | undefined, number>();

  add(vote: VoteMessage): void {
    this.votes.set(vote.nodeId, vote);
    this.#counts.set(vote.value, this.count(vote.value) + 1);
  }

  count(value: Digest | undefined): number {
    return this.#counts.get(value) ?? 0;
  }

  /** The value that has `quorum` votes, if any value or none at all has. */
  winner(quorum: number): { readonly value: Digest | undefined } | undefined {
    for (const [value, count] of this.#counts) if (count >= quorum) return { value };
    return undefined;
  }
}

/** All votes of a round. */
export class VoteBook {
  readonly #views = new Map<number, Record<VoteKind, Tally>>();

  get(kind: VoteKind, view: number, nodeId: ParticipantId): VoteMessage | undefined {
    return this.#views.get(view)?.[kind].votes.get(nodeId);
  }

  /** Takes a vote into a slot that is empty. */
  add(vote: VoteMessage): void {
    this.#tallies(vote.view)[vote.kind].add(vote);
  }

  /** Whether a quorum has voted, whatever for. */
  complete(kind: VoteKind, view: number, quorum: number): boolean {
    return (this.#views.get(view)?.[kind].votes.size ?? 0) >= quorum;
  }

  winner(kind: VoteKind, view: number, quorum: number) {
    return this.#views.get(view)?.[kind].winner(quorum);
  }

  /** Votes of a view for a value. */
  votesFor(kind: VoteKind, view: number, value: Digest): readonly VoteMessage[] {
    const votes = this.#views.get(view)?.[kind].votes.values() ?? [];
    return [...votes].filter((vote) => vote.value === value);
  }

  count(kind: VoteKind, view: number, value: Digest): number {
    return this.#views.get(view)?.[kind].count(value) ?? 0;
  }

  views(): readonly number[] {
    return [...this.#views.keys()];
  }

  *all(view: number): Iterable<VoteMessage> {
    const tallies = this.#views.get(view);
    if (tallies === undefined) return;
    yield* tallies.prevote.votes.values();
    yield* tallies.precommit.votes.values();
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
