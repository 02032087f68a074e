// Rounds whose agreement is modelled: the set that all honest nodes would agree on is computed once, from who answered when
// and what the orchestrator's policy says of it. What is trained, sent, weighed and applied is computed as on a node.

import {
  ageOf,
  type RoundEntry,
  type RoundOrchestrator,
} from "../orchestrators/round-orchestrator.ts";
import type { TaskManifest } from "../task.ts";
import type { Schedule } from "./schedules.ts";
import type { TaskWork } from "./task-work.ts";

/** A training under way. */
interface Pending {
  readonly participant: number;
  readonly baseRound: number;
  /** Virtual time at which the update is there whole. */
  readonly atMs: number;
}

/** How a round closed. */
export interface ClosedRound {
  readonly entries: readonly RoundEntry[] | "void";
  /** Whose updates came in this round. */
  readonly sent: ReadonlySet<string>;
  readonly durationMs: number;
  /** Participants that are there. */
  readonly here: readonly number[];
}

/** Who is where in their training, in virtual time. */
export class ModelledRounds {
  readonly #task: TaskManifest;
  readonly #orchestrator: RoundOrchestrator;
  readonly #schedule: Schedule;
  readonly #work: TaskWork;
  #pending: Pending[] = [];
  /** What the agreed sets of a stream name: the newest entries of everybody, flooders with all of theirs. */
  #table: readonly RoundEntry[] = [];
  #nowMs = 0;

  constructor(parts: {
    readonly task: TaskManifest;
    readonly orchestrator: RoundOrchestrator;
    readonly schedule: Schedule;
    readonly work: TaskWork;
  }) {
    this.#task = parts.task;
    this.#orchestrator = parts.orchestrator;
    this.#schedule = parts.schedule;
    this.#work = parts.work;
  }

  /** Runs a round until its policy closes it. */
  run(round: number): ClosedRound {
    const here = this.#task.participants
      .map((_, i) => i)
      .filter((i) => this.#schedule.isHere(i, round));
    this.#startTraining(round, new Set(here));
    const endMs = this.#nowMs + this.#orchestrator.deadlineMs;
    const due = this.#pending
      .filter(({ atMs }) => atMs <= endMs)
      .sort((a, b) => a.atMs - b.atMs || a.participant - b.participant);
    const { verdict, held, durationMs } = this.#close(due);
    this.#pending = this.#pending.filter(({ atMs }) => atMs > this.#nowMs + durationMs);
    this.#nowMs += durationMs;
    const entered = verdict === "close" ? due.slice(0, held) : [];
    const sent = this.#work.entriesOf(this.#flooded(entered), round);
    const entries = verdict === "close" ? this.#entriesOf(sent, round) : "void";
    return { entries, sent: new Set(sent.map(({ nodeId }) => nodeId)), durationMs, here };
  }

  /** What a round's set has: what was sent, and with staleness what still stands of the others. */
  #entriesOf(sent: readonly RoundEntry[], round: number): readonly RoundEntry[] {
    const { stalenessMax } = this.#orchestrator;
    if (stalenessMax === 0) return sent;
    const authors = new Set(sent.map(({ nodeId }) => nodeId));
    const standing = this.#table.filter(
      (entry) => !authors.has(entry.nodeId) && ageOf(entry, round) <= stalenessMax,
    );
    this.#table = [...standing, ...sent].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    return this.#table;
  }

  /** Where no late update counts everybody begins anew; else only who has delivered, and who was given up as too late. */
  #startTraining(round: number, here: ReadonlySet<number>): void {
    const goesOn = ({ participant, baseRound }: Pending): boolean =>
      this.#orchestrator.stalenessMax > 0 && here.has(participant) && this.#work.reaches(baseRound);
    this.#pending = this.#pending.filter(goesOn);
    const busy = new Set(this.#pending.map(({ participant }) => participant));
    for (const participant of here) {
      const delayMs = this.#schedule.arrivalMs(participant, round);
      if (busy.has(participant) || delayMs === undefined) continue;
      this.#pending.push({ participant, baseRound: round - 1, atMs: this.#nowMs + delayMs });
    }
  }

  /** With a table nothing but the table itself keeps a flooder's many updates from counting. */
  #flooded(entered: readonly Pending[]): (Pending & { readonly copies: number })[] {
    const isTable = this.#orchestrator.stalenessMax > 0;
    return entered.map((each) => ({
      ...each,
      copies: isTable ? this.#schedule.updatesOf(each.participant) : 1,
    }));
  }

  #close(due: readonly Pending[]) {
    const { deadlineMs } = this.#orchestrator;
    const { participants, byzantine } = this.#task;
    const population = { participants: participants.length, byzantine };
    for (let held = 1; held <= due.length; held++) {
      const elapsedMs = Math.min(deadlineMs, (due[held - 1]?.atMs ?? 0) - this.#nowMs);
      const verdict = this.#orchestrator.closes({ ...population, held, fresh: held, elapsedMs });
      if (verdict === "close") return { verdict, held, durationMs: elapsedMs };
    }
    const held = due.length;
    const verdict = this.#orchestrator.closes({
      ...{ ...population, held, fresh: held, elapsedMs: deadlineMs },
    });
    return { verdict, held, durationMs: deadlineMs };
  }
}
