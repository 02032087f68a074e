// What participants train and what liars among them send instead. A training is a function of participant, round and model, and is
// computed once: the liars know all of them, as the strongest attacks of the literature assume (learning/attacks).

import { assert } from "../../foundation/index.ts";
import {
  type Attack,
  attackUpdate,
  drain,
  type Evaluation,
  Learner,
  omniscientAttack,
  plainKernels,
  SeededRandom,
  type SplitDataset,
  taskData,
} from "../../learning/index.ts";
import type { Poison } from "../scenarios/faults.ts";
import type { LearningTask } from "./learning-task.ts";

/** What is trained from. */
export interface TrainingBase {
  readonly round: number;
  /** Name of the model. */
  readonly model: string;
  readonly weights: Float32Array;
  /** Digest of the certificate before the round. */
  readonly beacon: string;
  /** Of the round's quantised updates. */
  readonly stepSize: number;
}

/** Who does what in a round, by participant id. */
export interface Liars {
  /** Those who poison in the same way at this moment. */
  readonly colluding: ReadonlySet<string>;
  /** Everyone who will lie at some time. */
  readonly all: ReadonlySet<string>;
}

/** Rounds whose trainings are kept. */
const ROUNDS_KEPT = 3;

/** Trains for all participants. */
export class Trainings {
  readonly #task: LearningTask;
  readonly #data: SplitDataset;
  readonly #learners = new Map<string, Learner>();
  /** By round, then by what. */
  readonly #rows = new Map<number, Map<string, Float32Array>>();
  readonly #evaluations = new Map<string, Evaluation>();
  readonly #attacks = new Map<Poison, Attack>();

  constructor(task: LearningTask) {
    this.#task = task;
    this.#data = taskData(task.manifest);
  }

  /** Loss and accuracy of a model on the test samples. */
  evaluate(model: string, weights: Float32Array): Evaluation {
    const known = this.#evaluations.get(model);
    if (known !== undefined) return known;
    const [first = ""] = this.#task.manifest.participants;
    const evaluation = drain(this.#learner(first, false).evaluate(weights));
    this.#evaluations.set(model, evaluation);
    return evaluation;
  }

  /** The update of an honest participant. */
  honest(nodeId: string, base: TrainingBase, flipsLabels = false): Float32Array {
    const key = `${nodeId}/${base.model}${flipsLabels ? "/flipped" : ""}`;
    return this.#once(base.round, key, () => {
      const learner = this.#learner(nodeId, flipsLabels);
      const { weights } = drain(learner.train(base.round, base.weights));
      return weights.map((value, i) => value - (base.weights[i] as number));
    });
  }

  /** What a liar sends in its place. */
  poisoned(nodeId: string, poison: Poison, base: TrainingBase, liars: Liars): Float32Array {
    if (poison === "scaled") return attackUpdate("scaled", this.honest(nodeId, base));
    const attack = this.#attack(poison);
    if (attack.flags.flipsLabels === true) return this.honest(nodeId, base, true);
    const { participants, seed } = this.#task.manifest;
    const colluding = participants.filter((id) => liars.colluding.has(id));
    const prefix = `${poison}/${base.model}/${colluding.join()}/`;
    return this.#once(base.round, prefix + nodeId, () => {
      const others = participants.filter((id) => !liars.all.has(id));
      const honest = new Map(others.map((id) => [id, this.honest(id, base)]));
      const rows = attack.rows([...honest.values()], colluding.length, {
        random: new SeededRandom("lies", seed, base.round, poison),
        aggregate: (lies) =>
          this.#foresee(base, new Map([...honest, ...colluding.map(pairedWith(lies))])),
      });
      const made = new Map(colluding.map(pairedWith(rows)));
      for (const [id, row] of made) this.#once(base.round, prefix + id, () => row);
      return made.get(nodeId) ?? this.honest(nodeId, base);
    });
  }

  /** What the pipeline in use would make of these rows, were all of them in the set. */
  #foresee(
    { round, beacon, stepSize }: TrainingBase,
    rows: ReadonlyMap<string, Float32Array>,
  ): Float32Array | undefined {
    const { orchestrator, manifest } = this.#task;
    const entries = manifest.participants.flatMap((nodeId) => {
      const row = rows.get(nodeId);
      return row === undefined ? [] : [{ nodeId, baseRound: round - 1, row }];
    });
    const input = { round, beacon, stepSize, entries };
    const output = orchestrator.combine(input, manifest.aggregator, { kernels: plainKernels });
    return output.ok ? output.value.vector : undefined;
  }

  #once(round: number, key: string, make: () => Float32Array): Float32Array {
    const ofRound = this.#rows.get(round) ?? new Map<string, Float32Array>();
    this.#rows.set(round, ofRound);
    this.#rows.delete(round - ROUNDS_KEPT);
    const row = ofRound.get(key) ?? make();
    ofRound.set(key, row);
    return row;
  }

  #attack(poison: Exclude<Poison, "scaled">): Attack {
    const attack = this.#attacks.get(poison) ?? omniscientAttack(poison);
    this.#attacks.set(poison, attack);
    return attack;
  }

  #learner(nodeId: string, flipsLabels: boolean): Learner {
    const key = `${nodeId}/${flipsLabels}`;
    const known = this.#learners.get(key);
    if (known !== undefined) return known;
    const { manifest } = this.#task;
    assert(manifest.participants.includes(nodeId), "who trains takes part");
    const task = { ...manifest, attack: flipsLabels ? "label-flip" : "none" } as const;
    const learner = new Learner({ task, self: nodeId, adversary: flipsLabels, data: this.#data });
    this.#learners.set(key, learner);
    return learner;
  }
}

function pairedWith(rows: readonly Float32Array[]) {
  return (id: string, i: number): readonly [string, Float32Array] => [id, rows[i] as Float32Array];
}
