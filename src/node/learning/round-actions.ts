// This node's part in the rounds of a task: what the round machine asks for beyond messages is done here, and told to it as an
// event. Trains, gets updates and models, computes, and keeps what was certified.

import {
  FIRST_STEP,
  genesisDigest,
  type RoundAction,
  type RoundEvent,
  type RoundOrchestrator,
  type RoundProgress,
  type Sha256,
  type TaskManifest,
  type UpdateHeader,
  type UpdateRefusalCode,
} from "../../learning/index.ts";
import type { Clock, Logger, Meter } from "../../ports/index.ts";
import type { RoundTrace } from "../round-trace.ts";
import type { ContentStore } from "./content-store.ts";
import type { RoundFetches } from "./round-fetches.ts";
import type { RoundHistory } from "./round-history.ts";
import type { ModelOfRound, RoundTerms, RoundWork } from "./round-work.ts";
import type { TaskProviders } from "./task-providers.ts";

type ActionOf<Kind extends RoundAction["kind"]> = Extract<RoundAction, { kind: Kind }>;

export interface RoundActionsDeps {
  readonly work: RoundWork;
  readonly contents: ContentStore;
  readonly history: RoundHistory;
  readonly fetches: RoundFetches;
  readonly providers: Pick<TaskProviders, "announce">;
  readonly trace: RoundTrace;
  readonly policy: Pick<RoundOrchestrator, "deadlineMs" | "stalenessMax">;
  readonly sha256: Sha256;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  /** The headers whose updates may still be asked for, as of now. */
  readonly headers: () => readonly UpdateHeader[];
  /** Tells the machine. */
  readonly handle: (event: RoundEvent) => void;
  /** Ended: it is served to those that lag. Halted: nothing is done for it any more. */
  readonly state: () => "running" | "ended" | "halted";
}

export class RoundActions {
  readonly #deps: RoundActionsDeps;
  readonly #task: TaskManifest;
  /** The task in signed messages. */
  readonly #digest: string;
  #initial = "";
  readonly #refusals: { readonly nodeId: string; readonly code: UpdateRefusalCode }[] = [];
  #computed: (ModelOfRound & { readonly round: number }) | undefined;
  #progress: RoundProgress | undefined;
  #roundSinceMs = 0;
  /** Where late updates count: the newest round to train, while an older one is trained. */
  #next: ActionOf<"train"> | undefined;
  #isTraining = false;

  constructor(deps: RoundActionsDeps, task: TaskManifest, digest: string) {
    this.#deps = deps;
    this.#task = task;
    this.#digest = digest;
  }

  /** Rounds begin, or go on, from this initial model and so far. */
  begin(initial: string, progress: RoundProgress): void {
    this.#initial = initial;
    this.#progress = progress;
    this.#roundSinceMs = this.#deps.clock.now().monoMs;
  }

  /** Where late updates count, training that outlasts its round goes on, and the newest round is the next. */
  async train(action: ActionOf<"train">): Promise<void> {
    if (this.#deps.policy.stalenessMax === 0) return this.#train(action);
    this.#next = action;
    if (this.#isTraining) return;
    this.#isTraining = true;
    try {
      for (let next = this.#takeNext(); next !== undefined; next = this.#takeNext())
        await this.#train(next);
    } finally {
      this.#isTraining = false;
    }
  }

  #takeNext(): ActionOf<"train"> | undefined {
    const next = this.#deps.state() === "running" ? this.#next : undefined;
    this.#next = undefined;
    return next;
  }

  async #train({ round }: ActionOf<"train">): Promise<void> {
    const { trace, work, policy, meter, logger, handle } = this.#deps;
    trace.begin(round);
    const terms = this.#terms(round);
    // Without data here, only the trainer can tell, and with its update it does.
    const isMeasuredHere = this.#task.data.kind !== "none";
    if (isMeasuredHere) await this.#measure(terms.model);
    const learningRateFactor = this.#progress?.learningRateFactor ?? 1;
    const deadlineMs = (1 + policy.stalenessMax) * policy.deadlineMs;
    const pace = { learningRateFactor, deadlineMs };
    const trained = await trace.within(() => work.train(terms, pace));
    if (!trained.ok) {
      const { code } = trained;
      meter.count("meshd_learning_trainer_failures_total", { code });
      logger.warn({ code, taskId: this.#task.taskId, round }, "no own update of the round yet");
      handle({ kind: "work-failed", work: "train", round });
      return;
    }
    if (!isMeasuredHere) await this.#measure(terms.model);
    trace.phase("exchange");
    handle({ kind: "trained", baseRound: round - 1, facts: trained.value });
  }

  fetchUpdate({ header, holders }: ActionOf<"fetch-update">): Promise<void> {
    const { fetches, work, meter, handle, trace } = this.#deps;
    return fetches.want(header.digest, [header.nodeId, ...holders], async (known, signal) => {
      const terms = this.#terms(header.baseRound + 1);
      const got = await trace.part("fetch", () => work.fetchUpdate(header, known, signal));
      const refused = got.ok
        ? await trace.part("open", () => work.openUpdate(header, terms, got.value))
        : got.code;
      if (refused === undefined) meter.count("meshd_learning_updates_received_total");
      else this.#refuse(header, refused);
      const kind = refused === undefined ? "update-available" : "update-refused";
      handle({ kind, header: header.digest });
    });
  }

  fetchModel({ round, model, holders }: ActionOf<"fetch-model">): Promise<void> {
    const { fetches, work, handle, state } = this.#deps;
    return fetches.want(model, holders, async (known, signal) => {
      await work.fetchModel(round, model, known, signal);
      handle({ kind: "model-available", model });
      if (state() === "ended") await this.measureLast();
    });
  }

  async aggregate({ round, headers }: ActionOf<"aggregate">): Promise<void> {
    const { trace, work, history, handle } = this.#deps;
    trace.phase("aggregate");
    const computed = await work.aggregate(this.#terms(round), headers);
    const { model } = computed.result;
    if (history.last?.round === round && history.last.model === model) {
      // The others were faster: the round is certified already.
      history.explained(computed.influences);
      handle({ kind: "model-available", model });
      return;
    }
    this.#computed = { ...computed, round };
    handle({ kind: "aggregated", round, result: computed.result });
  }

  /**
   * Keeps a certified round and drops what only it needed; settles when that is done.
   * @throws MeshError `state/write-failed` at once; nothing is kept then
   */
  certified({ certificate, bytes, own }: ActionOf<"certified">): Promise<void> {
    const { history, fetches, work, trace, clock } = this.#deps;
    const { round, decision } = certificate;
    const computed = own === "same" && this.#computed?.round === round ? this.#computed : undefined;
    const durationMs = clock.now().monoMs - this.#roundSinceMs;
    const refusals = this.#refusals.splice(0);
    const influences = computed?.influences ?? [];
    const report = history.add(certificate, bytes, { influences, refusals, durationMs });
    this.#computed = undefined;
    this.#roundSinceMs = clock.now().monoMs;
    const headers = this.#deps.headers();
    fetches.keepOnly(new Set(headers.map(({ digest }) => digest)));
    const forgotten = work.endRound(headers, history.models(this.#initial));
    this.#deps.providers.announce();
    this.#tell(report, own, decision.kind === "set" ? decision.entries.length : 0);
    trace.end(decision.kind === "void" ? "learning/void" : undefined);
    return forgotten;
  }

  /** Measures the newest model of a task that ended, if it is here. After this, the threads have nothing more to do. */
  async measureLast(): Promise<void> {
    const { history, contents, work } = this.#deps;
    const { last } = history;
    // A model that is not here yet is on its way.
    if (last === undefined || contents.get(last.model) === undefined) return;
    await this.#measure(last.model);
    await work.stop();
  }

  /** What updates are coded by that were trained in a round, from the model before it. */
  #terms(round: number): RoundTerms {
    const { history, sha256 } = this.#deps;
    const base = history.at(round - 1);
    return {
      round,
      model: base?.model ?? this.#initial,
      stepSize: history.stepSizeAfter(round - 1) ?? FIRST_STEP,
      seed: base?.certificate ?? genesisDigest(sha256, this.#digest, this.#initial),
    };
  }

  #refuse({ nodeId, round }: UpdateHeader, code: UpdateRefusalCode): void {
    const { meter, logger } = this.#deps;
    this.#refusals.push({ nodeId, code });
    meter.count("meshd_learning_updates_rejected_total", { code });
    logger.warn({ code, taskId: this.#task.taskId, round, nodeId }, "update refused");
  }

  #tell(
    { round, result, model, durationMs }: ReturnType<RoundHistory["add"]>,
    own: ActionOf<"certified">["own"],
    contributors: number,
  ): void {
    const { meter, logger } = this.#deps;
    const { taskId } = this.#task;
    meter.count("meshd_learning_rounds_total", { result });
    meter.observe("meshd_learning_round_duration_seconds", durationMs / 1000);
    meter.set("meshd_learning_round", round);
    meter.set("meshd_learning_void_rounds", this.#deps.history.voidRounds);
    if (own === "other")
      logger.error(
        { code: "learning/diverged", taskId, round },
        "this node computed another result than was certified",
      );
    logger.info(
      { taskId, round, result, own, contributors, model, durationMs },
      "training round certified",
    );
  }

  /** Loss and accuracy of the newest model, for status and for this node's next header. */
  async #measure(model: string): Promise<void> {
    const { work, meter, history, state } = this.#deps;
    const { loss, accuracy } = await work.measure(model);
    if (state() === "halted") return;
    if (loss !== null) meter.set("meshd_learning_loss", loss);
    if (accuracy !== null) meter.set("meshd_learning_accuracy_ratio", accuracy);
    history.measured(model, loss, accuracy);
  }
}
