// One Byzantine agreement, on what a round decides: Tendermint (Buchman, Kwon, Milosevic 2018, algorithm 1). Safe in any
// network when n > 3f; live once messages arrive within a view's time.
//
// A view: its proposer proposes, everyone prevotes for the proposal or for nothing, everyone who sees a quorum of prevotes
// for a value locks it and precommits it, a quorum of precommits decides. Who has locked a value prevotes for another only
// when a later quorum did. What is ours: a view waits for its proposal to become acceptable instead of refusing it at once;
// who has decided starts no further view, but follows those who do; locks are not stored, they are one's own last precommit.

import type { ParticipantId } from "../task.ts";
import type { ProposalContent, ProposalMessage, VoteMessage } from "./messages.ts";
import type { Population } from "./population.ts";
import type { Decision, Digest } from "./types.ts";
import { VoteBook } from "./votes.ts";

/** Views of which messages are kept: so many behind the present one, so many ahead. */
export const VIEWS_BEHIND = 32;
export const VIEWS_AHEAD = 16;
/** From here on views wait no longer than the one before. */
const VIEW_GROWTH_MAX = 30;

type Step = "propose" | "prevote" | "precommit";

/** What an agreement asks of the round around it. */
export interface AgreementHost {
  /** What this node would propose now; undefined while it lacks statements or updates. */
  readonly fresh: () => Omit<ProposalContent, "view" | "validView"> | undefined;
  /** Whether this node agrees to a fresh proposal now; it may later. */
  readonly acceptable: (proposal: ProposalMessage) => boolean;
  /** Signs, persists and publishes a proposal. */
  readonly propose: (content: ProposalContent) => ProposalMessage;
  /** Signs a vote, persists it with `grounds`, publishes it. */
  readonly vote: (
    vote: Pick<VoteMessage, "kind" | "view" | "value">,
    grounds: readonly (ProposalMessage | VoteMessage)[],
  ) => VoteMessage;
  /** Calls {@link Agreement.timeout} after that time, unless this is called again. */
  readonly wait: (delayMs: number) => void;
  readonly viewStarted: () => void;
  /** Once. */
  readonly decided: (value: Digest, decision: Decision) => void;
}

export interface AgreementOptions {
  readonly participants: Population;
  readonly self: ParticipantId;
  /** Digest of the certificate before: the order of proposers follows from it. */
  readonly seed: Digest;
  readonly viewTimeoutMs: number;
}

/** A value that a quorum prevoted for. */
interface Valid {
  readonly view: number;
  readonly value: Digest;
  readonly decision: Decision;
}

/** The agreement of one round. */
export class Agreement {
  readonly #host: AgreementHost;
  readonly #options: AgreementOptions;
  readonly #votes = new VoteBook();
  /** Of each view the first that came, and what of a lying proposer's others an honest participant voted for. */
  readonly #proposals = new Map<number, ProposalMessage[]>();
  /** The highest view that each participant was seen in. */
  readonly #furthest = new Map<ParticipantId, number>();
  #view = -1;
  #step: Step = "propose";
  #locked: { readonly view: number; readonly value: Digest } | undefined;
  #valid: Valid | undefined;
  /** What the timer that is set waits for, in which view. */
  #waiting: { readonly step: Step; readonly view: number } | undefined;
  #decided: { readonly value: Digest; readonly view: number } | undefined;

  constructor(host: AgreementHost, options: AgreementOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** -1 before the first. */
  get view(): number {
    return this.#view;
  }

  /** Who proposes in a view: everyone in turn. */
  proposerOf(view: number): ParticipantId {
    const { participants, seed } = this.#options;
    const { ids } = participants;
    return ids[(Number.parseInt(seed.slice(0, 8), 16) + view) % ids.length] as ParticipantId;
  }

  /** What is in the slot of a message already. */
  find(message: ProposalMessage | VoteMessage): ProposalMessage | VoteMessage | undefined {
    if (message.kind === "proposal") return this.#proposals.get(message.view)?.[0];
    return this.#votes.get(message.kind, message.view, message.nodeId);
  }

  /** Whether a liar's further message for one slot is needed all the same: an honest participant voted for that value. */
  wants(message: ProposalMessage | VoteMessage): boolean {
    const { kind, view, value } = message;
    if (value === undefined) return false;
    const known =
      kind === "proposal" ? this.#decisionOf(value) !== undefined : this.#votes.has(message);
    const kinds = kind === "proposal" ? (["prevote", "precommit"] as const) : [kind];
    const { byzantine } = this.#options.participants;
    return !known && kinds.some((voted) => this.#votes.count(voted, view, value) > byzantine);
  }

  /** Takes a verified message into its empty slot, or one that it {@link wants}. */
  add(message: ProposalMessage | VoteMessage): "taken" | "past" | "future" {
    const { nodeId, view } = message;
    this.#furthest.set(nodeId, Math.max(view, this.#furthest.get(nodeId) ?? -1));
    if (view < this.#view - VIEWS_BEHIND) return "past";
    if (view > this.#view + VIEWS_AHEAD) return "future";
    this.#put(message);
    return "taken";
  }

  /** Takes a message of an earlier run: what this node voted for then, binds it now. */
  restore(message: ProposalMessage | VoteMessage): void {
    if (this.find(message) === undefined) this.#put(message);
    if (message.nodeId === this.#options.self) this.#view = Math.max(this.#view, message.view);
  }

  /** After the last {@link restore}. */
  resume(): void {
    const { self } = this.#options;
    for (const view of this.#votes.views()) {
      const own = this.#votes.get("precommit", view, self);
      if (own?.value === undefined || view <= (this.#locked?.view ?? -1)) continue;
      this.#locked = { view, value: own.value };
      const decision = this.#decisionOf(own.value);
      if (decision !== undefined) this.#valid = { view, value: own.value, decision };
    }
    if (this.#view >= 0) this.#startView(this.#view);
  }

  /** Starts the first view, if none has. */
  begin(): void {
    if (this.#view < 0) this.#startView(0);
  }

  /** Something has changed: applies the rules until none does. */
  poke(): void {
    while (
      this.#decide() ||
      this.#jump() ||
      this.#propose() ||
      this.#prevote() ||
      this.#precommit() ||
      this.#scheduleWait()
    );
  }

  /** The timer of the last `wait` ran out. */
  timeout(): void {
    const waiting = this.#waiting;
    if (waiting?.view !== this.#view) return;
    this.#waiting = undefined;
    if (waiting.step === "propose" && this.#step === "propose") this.#cast("prevote", undefined);
    else if (waiting.step === "prevote" && this.#step === "prevote") {
      this.#cast("precommit", undefined);
    } else if (waiting.step === "precommit" && this.#decided === undefined) {
      this.#startView(this.#view + 1);
    }
    this.poke();
  }

  /** Messages that a participant who lags needs: the present view and the one before, the decision's, the valid value's. */
  *current(): Iterable<ProposalMessage | VoteMessage> {
    const views = new Set([this.#view - 1, this.#view, this.#decided?.view, this.#valid?.view]);
    for (const view of views) {
      if (view === undefined) continue;
      yield* this.#proposals.get(view) ?? [];
      yield* this.#votes.all(view);
    }
  }

  #put(message: ProposalMessage | VoteMessage): void {
    if (message.kind !== "proposal") this.#votes.add(message);
    else this.#proposals.set(message.view, [...(this.#proposals.get(message.view) ?? []), message]);
  }

  #startView(view: number): void {
    const { self } = this.#options;
    this.#view = view;
    this.#step = "propose";
    if (this.#votes.get("prevote", view, self) !== undefined) this.#step = "prevote";
    if (this.#votes.get("precommit", view, self) !== undefined) this.#step = "precommit";
    this.#forget();
    this.#wait("propose");
    this.#host.viewStarted();
  }

  #forget(): void {
    const oldest = this.#view - VIEWS_BEHIND;
    const isOld = (view: number) =>
      view < oldest && view !== this.#valid?.view && view !== this.#decided?.view;
    for (const view of this.#votes.views()) if (isOld(view)) this.#votes.drop(view);
    for (const view of this.#proposals.keys()) if (isOld(view)) this.#proposals.delete(view);
  }

  #decide(): boolean {
    if (this.#decided !== undefined) return false;
    for (const view of this.#votes.views()) {
      const value = this.#votes.winner("precommit", view, this.#quorum)?.value;
      const decision = value === undefined ? undefined : this.#decisionOf(value);
      if (value === undefined || decision === undefined) continue;
      this.#decided = { value, view };
      this.#host.decided(value, decision);
      return true;
    }
    return false;
  }

  /** f + 1 participants are in later views, so an honest one is: catches up with it. */
  #jump(): boolean {
    const views = [...this.#furthest.values()].sort((a, b) => b - a);
    const reached = views[this.#options.participants.byzantine] ?? -1;
    if (reached <= this.#view) return false;
    this.#startView(reached);
    return true;
  }

  #propose(): boolean {
    const view = this.#view;
    const isMine = view >= 0 && this.proposerOf(view) === this.#options.self;
    if (!isMine || this.#step !== "propose" || this.#proposals.has(view)) return false;
    const valid = this.#valid;
    const content =
      valid === undefined
        ? this.#host.fresh()
        : { decision: valid.decision, excluded: [], statements: [] };
    if (content === undefined) return false;
    this.#put(this.#host.propose({ ...content, view, validView: valid?.view ?? -1 }));
    return true;
  }

  #prevote(): boolean {
    if (this.#step !== "propose") return false;
    const proposal = this.#proposals.get(this.#view)?.[0];
    if (proposal === undefined) return false;
    const { value, validView } = proposal;
    const lockedView = this.#locked?.view ?? -1;
    const isLocked = this.#locked?.value === value;
    if (validView >= 0) {
      if (this.#votes.count("prevote", validView, value) < this.#quorum) return false;
      this.#cast("prevote", isLocked || lockedView <= validView ? value : undefined);
      return true;
    }
    if (!isLocked && lockedView >= 0) {
      this.#cast("prevote", undefined);
      return true;
    }
    if (!isLocked && !this.#host.acceptable(proposal)) return false;
    this.#cast("prevote", value);
    return true;
  }

  /** Locks and precommits what a quorum prevoted for. */
  #precommit(): boolean {
    const view = this.#view;
    const winner = this.#votes.winner("prevote", view, this.#quorum);
    if (this.#step === "propose" || winner === undefined) return false;
    const { value } = winner;
    if (value === undefined) {
      if (this.#step !== "prevote") return false;
      this.#cast("precommit", undefined);
      return true;
    }
    const decision = this.#decisionOf(value);
    if (decision === undefined || (this.#valid?.view ?? -1) >= view) return false;
    this.#valid = { view, value, decision };
    if (this.#step !== "prevote") return true;
    this.#locked = { view, value };
    const proposed = [...this.#proposals.values()].flat().filter((other) => other.value === value);
    const grounds = [...proposed.slice(0, 1), ...this.#votes.votesFor("prevote", view, value)];
    this.#cast("precommit", value, grounds);
    return true;
  }

  /** A quorum has voted without agreeing: a while for the rest, then on. */
  #scheduleWait(): boolean {
    const view = this.#view;
    if (view < 0) return false;
    const waitsFor = (step: Step) => this.#waiting?.view === view && this.#waiting.step === step;
    const precommitted = this.#votes.complete("precommit", view, this.#quorum);
    if (precommitted && this.#decided === undefined) {
      if (waitsFor("precommit")) return false;
      this.#wait("precommit");
      return true;
    }
    const prevoted = this.#votes.complete("prevote", view, this.#quorum);
    if (this.#step !== "prevote" || !prevoted || waitsFor("prevote")) return false;
    this.#wait("prevote");
    return true;
  }

  #wait(step: Step): void {
    this.#waiting = { step, view: this.#view };
    this.#host.wait(this.#options.viewTimeoutMs * (1 + Math.min(this.#view, VIEW_GROWTH_MAX)));
  }

  /** Votes, unless this node has voted in that slot before: in an earlier run, it may be. */
  #cast(
    kind: VoteMessage["kind"],
    value: Digest | undefined,
    grounds: readonly (ProposalMessage | VoteMessage)[] = [],
  ): void {
    this.#step = kind;
    const view = this.#view;
    if (this.#votes.get(kind, view, this.#options.self) !== undefined) return;
    this.#votes.add(this.#host.vote({ kind, view, value }, grounds));
  }

  #decisionOf(value: Digest): Decision | undefined {
    if (this.#valid?.value === value) return this.#valid.decision;
    const proposals = [...this.#proposals.values()].flat();
    return proposals.find((proposal) => proposal.value === value)?.decision;
  }

  get #quorum(): number {
    return this.#options.participants.quorum;
  }
}
