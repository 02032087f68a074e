// A whole epidemic in one process and virtual time: the production machines and learners of n nodes, with messages that
// take a while, liars, and nodes that fall silent. For tests, for tuning, and to see what a task will do.

import { toHex } from "../../foundation/index.ts";
import type { Meter, MonoMs, Now, WallMs } from "../../ports/index.ts";
import type { SplitDataset } from "../data/dataset.ts";
import { SeededRandom } from "../seeded.ts";
import type { ParticipantId, TaskManifest } from "../task.ts";
import { Learner, taskData } from "../trainer/learner.ts";
import { drain } from "../trainer/trainer.ts";
import { EpidemicMachine } from "./epidemic.ts";
import type { EpidemicAction, EpidemicEvent, PullRound, RoundReport } from "./epidemic-protocol.ts";

/** What happens in a simulated epidemic. */
export interface SimulationOptions {
  readonly task: TaskManifest;
  readonly adversaries?: readonly ParticipantId[];
  /** Drawn from the task when left out. */
  readonly data?: SplitDataset;
  /** Nodes that run but answer nobody. */
  readonly silent?: readonly ParticipantId[];
  /** From virtual time `atMs` until `untilMs` the node is cut off: its answers and questions are lost. */
  readonly cuts?: readonly {
    readonly nodeId: ParticipantId;
    readonly atMs: number;
    readonly untilMs: number;
  }[];
  /** Changes what a node serves. */
  readonly tamper?: (from: ParticipantId, to: ParticipantId, bytes: Uint8Array) => Uint8Array;
  /** Virtual duration of a round's training. @default 100 */
  readonly trainMs?: number;
  /** Virtual one-way delay. @default 5 */
  readonly latencyMs?: number;
}

/** How it went. */
export interface SimulationOutcome {
  /** Reports of every node, in order of rounds. */
  readonly reports: ReadonlyMap<ParticipantId, readonly RoundReport[]>;
  /** Mean final accuracy of the nodes that are no adversaries. */
  readonly accuracy: number;
  /** The lowest of them. */
  readonly accuracyLeast: number;
  /** Virtual time at the end. */
  readonly elapsedMs: number;
}

/** `count` ids drawn from a seed, ascending. */
export function simulatedParticipants(count: number, seed: number): ParticipantId[] {
  const random = new SeededRandom("participants", seed);
  const id = (): ParticipantId => toHex(Uint8Array.from({ length: 32 }, () => random.below(256)));
  return Array.from({ length: count }, id).sort();
}

/** Runs a task to its end; equal options give an equal outcome. */
export function simulateEpidemic(options: SimulationOptions): SimulationOutcome {
  return new Simulation(options).run();
}

interface SimulatedNode {
  readonly machine: EpidemicMachine;
  readonly learner: Learner;
  readonly reports: RoundReport[];
  /** Long polls that wait for a round. */
  parked: { readonly round: PullRound; readonly by: ParticipantId; readonly untilMs: number }[];
}

const silentMeter: Meter = {
  count: () => undefined,
  set: () => undefined,
  observe: () => undefined,
};

class Simulation {
  readonly #options: SimulationOptions;
  readonly #nodes = new Map<ParticipantId, SimulatedNode>();
  readonly #queue: { readonly atMs: number; readonly order: number; readonly run: () => void }[] =
    [];
  #nowMs = 0;
  #order = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const { task } = options;
    const data = options.data ?? taskData(task);
    for (const self of task.participants) {
      const adversary = options.adversaries?.includes(self) ?? false;
      const learner = new Learner({ task, self, adversary, data });
      const deps = {
        meter: silentMeter,
        spec: learner.model.spec,
        initialWeights: learner.initialWeights(),
      };
      const machine = new EpidemicMachine(deps, { task, self, adversary });
      this.#nodes.set(self, { machine, learner, reports: [], parked: [] });
    }
  }

  run(): SimulationOutcome {
    for (const self of this.#nodes.keys()) this.#feed(self, { type: "start" });
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#nowMs = next.atMs;
      next.run();
    }
    const honest = [...this.#nodes].filter(
      ([id]) => !(this.#options.adversaries?.includes(id) ?? false),
    );
    const finals = honest.map(([, node]) => node.reports.at(-1)?.accuracy ?? 0);
    return {
      reports: new Map([...this.#nodes].map(([id, node]) => [id, node.reports])),
      accuracy: finals.reduce((a, b) => a + b, 0) / finals.length,
      accuracyLeast: Math.min(...finals),
      elapsedMs: this.#nowMs,
    };
  }

  #next() {
    let best = 0;
    for (let i = 1; i < this.#queue.length; i++) {
      const a = this.#queue[i];
      const b = this.#queue[best];
      if (a && b && (a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order))) best = i;
    }
    return this.#queue.splice(best, 1)[0];
  }

  #after(delayMs: number, run: () => void): void {
    this.#queue.push({ atMs: this.#nowMs + delayMs, order: this.#order++, run });
  }

  #feed(self: ParticipantId, event: EpidemicEvent): void {
    const now: Now = { monoMs: this.#nowMs as MonoMs, wallMs: this.#nowMs as WallMs };
    for (const action of this.#node(self).machine.handle(event, now)) this.#perform(self, action);
  }

  #perform(self: ParticipantId, action: EpidemicAction): void {
    const node = this.#node(self);
    switch (action.type) {
      case "train": {
        const { weights, loss } = drain(node.learner.train(action.round, action.weights));
        const { round } = action;
        this.#after(this.#options.trainMs ?? 100, () =>
          this.#feed(self, { type: "trained", round, weights, loss }),
        );
        return;
      }
      case "evaluate": {
        const { loss, accuracy } = drain(node.learner.evaluate(action.weights));
        const { round } = action;
        this.#after(0, () => this.#feed(self, { type: "evaluated", round, loss, accuracy }));
        return;
      }
      case "pull": {
        const { round, nodeId, timeoutMs } = action;
        const untilMs = this.#nowMs + timeoutMs;
        const timeout = { type: "pull-failed", round, nodeId, code: "timeout" } as const;
        this.#after(timeoutMs, () => this.#feed(self, timeout));
        this.#deliver(self, nodeId, () => this.#ask(nodeId, self, round, untilMs));
        return;
      }
      case "set-timer":
        this.#after(action.delayMs, () => this.#feed(self, { type: "timer", id: action.id }));
        return;
      case "offer":
      case "finished": {
        const waiting = node.parked;
        node.parked = [];
        for (const { round, by, untilMs } of waiting) this.#ask(self, by, round, untilMs);
        return;
      }
      case "round-finished": {
        node.reports.push(action);
        return;
      }
      case "persist":
        return;
    }
  }

  /** A question of `by` at `nodeId`. */
  #ask(nodeId: ParticipantId, by: ParticipantId, round: PullRound, untilMs: number): void {
    if (this.#options.silent?.includes(nodeId) === true || this.#nowMs >= untilMs) return;
    const served = this.#node(nodeId).machine.serve(round);
    if (served === "pending") this.#node(nodeId).parked.push({ round, by, untilMs });
    else if (served === "gone" || served === "none") {
      const code = served === "gone" ? "gone" : "refused";
      this.#deliver(nodeId, by, () => this.#feed(by, { type: "pull-failed", round, nodeId, code }));
    } else {
      const bytes = this.#options.tamper?.(nodeId, by, served) ?? served;
      this.#deliver(nodeId, by, () => this.#feed(by, { type: "pulled", round, nodeId, bytes }));
    }
  }

  #deliver(from: ParticipantId, to: ParticipantId, run: () => void): void {
    if (this.#isCut(from) || this.#isCut(to)) return;
    this.#after(this.#options.latencyMs ?? 5, run);
  }

  #isCut(nodeId: ParticipantId): boolean {
    const cuts = this.#options.cuts ?? [];
    return cuts.some(
      (cut) => cut.nodeId === nodeId && this.#nowMs >= cut.atMs && this.#nowMs < cut.untilMs,
    );
  }

  #node(id: ParticipantId): SimulatedNode {
    return this.#nodes.get(id) as SimulatedNode;
  }
}
