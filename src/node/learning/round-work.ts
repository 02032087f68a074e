// The work of a task's certified rounds on this node: trains, codes and opens updates, computes models, and keeps all of it where
// peers can fetch it. It knows nothing of agreement: the round machine says what is to be done.

import {
  roundRowsBytes,
  type RoundSetup,
  RoundThread,
  type RowName,
  type UpdateCoding,
} from "../../adapters/workers/round-thread.ts";
import type { RoundStore } from "../../adapters/sqlite/round-store.ts";
import { MeshError, ok, refuse, type Result } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import {
  allFinite,
  compressedBytes,
  type ContentId,
  contentIdOf,
  type ComputedRound,
  decodeNote,
  decodeSafetensors,
  encodeNote,
  encodeSafetensors,
  encodeSummary,
  type Measured,
  type ModelSpec,
  type RoundTrainer,
  stalenessMaxOf,
  type Sha256,
  taskSpec,
  type TaskManifest,
  type TrainerFailureCode,
  type TrainingOrder,
  type UpdateFacts,
  type UpdateHeader,
  type UpdateRefusalCode,
  updateRefusalCodes,
  weightsDigest,
} from "../../learning/index.ts";
import type { ContentFetcher } from "./content-fetcher.ts";
import type { ContentStore } from "./content-store.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ModelShelf } from "./model-shelf.ts";
import type { TaskProviders } from "./task-providers.ts";

/** How a header names the compression of its update. */
const CODECS = ["none", "int8", "int4", "top-k"] as const;

export interface RoundWorkDeps {
  readonly openTrainer: () => RoundTrainer;
  readonly contents: ContentStore;
  readonly fetcher: ContentFetcher;
  readonly providers: Pick<TaskProviders, "find">;
  readonly store: RoundStore;
  readonly sha256: Sha256;
  readonly budget: MemoryBudget;
  /** Models that this node was given to start tasks from. */
  readonly shelf: Pick<ModelShelf, "get">;
}

/** The model before a task's first round; not here: it is fetched from the others. */
export interface InitialModel {
  readonly digest: string;
  readonly here: boolean;
}

/** What every update trained in a round is coded by, and the round is computed by. */
export interface RoundTerms extends UpdateCoding {
  readonly round: number;
  /** Digest of the model before the round. */
  readonly model: string;
}

/** A round's model, as it is certified. */
export interface ModelOfRound extends Pick<ComputedRound, "influences" | "summary"> {
  readonly result: {
    readonly model: string;
    readonly weights: string;
    readonly summary: Uint8Array;
  };
}

export class RoundWork {
  readonly updateBytes: number;
  readonly #deps: RoundWorkDeps;
  readonly #trainer: RoundTrainer;
  readonly #task: TaskManifest;
  readonly #spec: ModelSpec;
  readonly #setup: RoundSetup;
  #thread: RoundThread;
  readonly #modelBytes: number;
  /** Taken for the thread's rows. */
  #rowsBytes: number;
  /** The own update that was trained last: the machine knows of it only when it is committed to. */
  #own: RowName | undefined;
  #measured: { readonly model: string; readonly measured: Measured } | undefined;

  /** @throws MeshError `learning/memory-budget` when a round's rows do not fit */
  constructor(deps: RoundWorkDeps, options: RoundSetup) {
    const { task } = options;
    this.#rowsBytes = roundRowsBytes(task);
    deps.budget.take(this.#rowsBytes);
    this.#trainer = deps.openTrainer();
    this.#deps = deps;
    this.#task = task;
    this.#spec = taskSpec(task);
    this.#setup = options;
    this.#thread = new RoundThread(options);
    this.updateBytes = compressedBytes(task.compression, this.#spec.parameters);
    this.#modelBytes = encodeSafetensors(
      this.#spec,
      new Float32Array(this.#spec.parameters),
      {},
    ).length;
  }

  /** Makes or finds the task's initial model, and takes back what an earlier process held. @throws as the trainer does */
  async begin(): Promise<InitialModel> {
    const { contents, store, shelf } = this.#deps;
    const { taskId, initialWeights: given } = this.#task;
    for (const { digest, bytes } of store.contents(taskId)) {
      contents.put({ digest, bytes: bytes.length }, bytes);
    }
    const drawn = await this.#trainer.initialWeights();
    if (given === null) return { digest: this.#keep(drawn).digest, here: true };
    const bytes = shelf.get(given);
    if (bytes !== undefined && contents.get(given) === undefined) {
      store.saveModel(taskId, 0, { digest: given, bytes });
      contents.put({ digest: given, bytes: bytes.length }, bytes);
    }
    return { digest: given, here: contents.get(given) !== undefined };
  }

  /** Loss and accuracy of a model that is here, or has these weights; measured once. */
  async measure(model: string, weights?: Float32Array): Promise<Measured> {
    if (this.#measured?.model !== model) {
      const measured = await this.#trainer.evaluate(weights ?? this.#weightsOf(model));
      this.#measured = { model, measured };
    }
    return this.#measured.measured;
  }

  /**
   * This node's update, on disk and held for others.
   * @throws MeshError `state/write-failed`, `learning/memory-budget`
   */
  async train(
    terms: RoundTerms,
    pace: Pick<TrainingOrder, "learningRateFactor" | "deadlineMs">,
  ): Promise<Result<UpdateFacts, TrainerFailureCode>> {
    const { contents, store, sha256 } = this.#deps;
    const { round, model } = terms;
    const base = this.#weightsOf(model);
    const trained = await this.#trainer.train({ round, weights: base, ...pace });
    if (!trained.ok) return trained;
    const { weights } = trained.value;
    // Two finite models may lie further apart than float32 goes.
    if (!allFinite(weights.map((value, i) => value - (base[i] as number))))
      return refuse("learning/trainer-failed");
    // By now the model may be of too long ago to be kept.
    const note = encodeNote(await this.measure(model, base));
    const bytes = await this.#thread.encode({ round, weights, base, coding: terms });
    const content = contentIdOf(sha256, bytes);
    store.saveUpdate(this.#task.taskId, round, { digest: content.digest, bytes });
    this.#own = { update: content.digest, baseRound: round - 1 };
    contents.put(content, bytes);
    await this.#thread.open({ ...this.#own, bytes, coding: terms });
    const codec = CODECS.indexOf(this.#task.compression.kind);
    return ok({ update: content.digest, bytes: bytes.length, codec, note });
  }

  /**
   * Gets an update; of another shape it is not even asked for.
   * @throws MeshError as {@link ContentFetcher.fetch}
   */
  async fetchUpdate(
    { update: digest, bytes, codec }: UpdateHeader,
    holders: () => readonly NodeId[],
    signal: AbortSignal,
  ): Promise<Result<Uint8Array, UpdateRefusalCode>> {
    if (bytes !== this.updateBytes || CODECS[codec] !== this.#task.compression.kind) {
      return refuse("learning/wrong-shape");
    }
    return ok(await this.#fetch({ digest, bytes }, holders, signal));
  }

  /** Opens an update that was fetched; why it is not sound, if so. */
  async openUpdate(
    { update, baseRound }: UpdateHeader,
    coding: RoundTerms,
    bytes: Uint8Array,
  ): Promise<UpdateRefusalCode | undefined> {
    const refused = await this.#thread.open({ update, baseRound, bytes, coding });
    if (refused === undefined) return undefined;
    return updateRefusalCodes.find((code) => code === refused) ?? "learning/bad-tensors";
  }

  /** Gets the certified model of a round. @throws as {@link ContentFetcher.fetch}; `learning/bad-tensors` and the like */
  async fetchModel(
    round: number,
    digest: string,
    holders: () => readonly NodeId[],
    signal: AbortSignal,
  ): Promise<void> {
    const content: ContentId = { digest, bytes: this.#modelBytes };
    const bytes = await this.#fetch(content, holders, signal);
    this.#weightsOf(digest);
    this.#deps.store.saveModel(this.#task.taskId, round, { digest, bytes });
  }

  /** The model of a round, on disk and held for others. @throws MeshError `state/write-failed`, `learning/memory-budget` */
  async aggregate(terms: RoundTerms, headers: readonly UpdateHeader[]): Promise<ModelOfRound> {
    const { round, stepSize, model: base, seed: beacon } = terms;
    const { weights, influences, summary } = await this.#thread.aggregate({
      ...{ round, beacon, stepSize, base: this.#weightsOf(base) },
      updates: headers.map(({ nodeId, baseRound, note, update }) => ({
        ...{ nodeId, baseRound, update, note: decodeNote(note) },
      })),
    });
    const model = this.#keep(weights).digest;
    const bytes = this.#deps.contents.get(model)?.bytes ?? new Uint8Array(0);
    this.#deps.store.saveModel(this.#task.taskId, round, { digest: model, bytes });
    return {
      influences,
      summary,
      result: {
        model,
        weights: weightsDigest(this.#deps.sha256, influences),
        summary: encodeSummary(summary),
      },
    };
  }

  /** The rounds begin again: what was opened must be opened again, in another thread if this one died. */
  async reset(): Promise<void> {
    if (this.#thread.isOver) this.#thread = new RoundThread(this.#setup);
    else await this.#thread.forget([]);
  }

  /** A round is over: everything is dropped but these updates and models. */
  async endRound(updates: readonly UpdateHeader[], models: ReadonlySet<string>): Promise<void> {
    const kept: RowName[] = updates.map(({ update, baseRound }) => ({ update, baseRound }));
    // Where only updates of the round itself count, none outlasts it.
    if (this.#own !== undefined && stalenessMaxOf(this.#task) > 0) kept.push(this.#own);
    this.#deps.contents.keepOnly(new Set([...models, ...kept.map(({ update }) => update)]));
    await this.#thread.forget(kept);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#deps.budget.release(this.#rowsBytes);
    this.#rowsBytes = 0;
    await Promise.all([this.#thread.stop(), this.#trainer.stop()]);
  }

  #fetch(
    content: ContentId,
    holders: () => readonly NodeId[],
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const { fetcher, providers } = this.#deps;
    const search = (): ReturnType<TaskProviders["find"]> => providers.find();
    return fetcher.fetch({ taskId: this.#task.taskId, content, holders, search, signal });
  }

  #keep(weights: Float32Array): ContentId {
    const bytes = encodeSafetensors(this.#spec, weights, {});
    const content = contentIdOf(this.#deps.sha256, bytes);
    this.#deps.contents.put(content, bytes);
    return content;
  }

  /** @throws MeshError `learning/model-missing`, and the code of a model that is not sound: a quorum has certified it */
  #weightsOf(model: string): Float32Array {
    const held = this.#deps.contents.get(model);
    const decoded = held && decodeSafetensors(this.#spec, held.bytes);
    if (decoded?.ok === true) return decoded.value.weights;
    const code = decoded?.code ?? "learning/model-missing";
    throw new MeshError(
      code,
      `Cannot use model ${model.slice(0, 12)} of task '${this.#task.taskId}': ${code}. Look at the task's other participants.`,
      { model },
    );
  }
}
