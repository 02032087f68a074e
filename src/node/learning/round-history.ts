// The certified rounds of a task as an operator is shown them, kept with their certificates.

import { MODELS_KEPT, type RoundStore } from "../../adapters/sqlite/round-store.ts";
import {
  type Certificate,
  decodeSummary,
  type Influence,
  type RoundReport,
  RoundProgress,
  type RoundSummary,
  stalenessMaxOf,
  type TaskManifest,
} from "../../learning/index.ts";

/** A round's report with what ties it to its certificate. */
export interface CertifiedReport extends RoundReport {
  /** Digests of the certificate and of the model after the round: equal on every honest node. */
  readonly certificate: string;
  readonly model: string;
  /** What all nodes say of it; absent of a void round. */
  readonly summary?: RoundSummary;
}

/** What only this node knows of a round. */
export interface OwnPart {
  /** Empty on a node that took the result of others. */
  readonly influences: readonly Influence[];
  readonly refusals: RoundReport["refusals"];
  readonly durationMs: number;
}

export class RoundHistory {
  readonly #store: RoundStore;
  readonly #task: TaskManifest;
  readonly #reports: CertifiedReport[];

  constructor(store: RoundStore, task: TaskManifest) {
    this.#store = store;
    this.#task = task;
    this.#reports = store.reports(task.taskId).map((text) => JSON.parse(text) as CertifiedReport);
  }

  get reports(): readonly CertifiedReport[] {
    return this.#reports;
  }

  get last(): CertifiedReport | undefined {
    return this.#reports.at(-1);
  }

  at(round: number): CertifiedReport | undefined {
    return this.#reports.findLast((report) => report.round === round);
  }

  /** The quantisation's step after a round: the newest that was told until then. */
  stepSizeAfter(round: number): number | undefined {
    const told = this.#reports.findLast(
      (report) => report.round <= round && report.summary !== undefined,
    );
    return told?.summary?.stepSize;
  }

  /** Schedule and convergence after the rounds that are kept. */
  progress(): RoundProgress {
    const progress = new RoundProgress(this.#task);
    for (const { round, summary } of this.#reports) progress.observe(round, summary);
    return progress;
  }

  /** The models that are kept: the last few, and the initial one while it may be one of them. */
  models(initial: string): Set<string> {
    const newest = this.#reports.slice(-MODELS_KEPT).map(({ model }) => model);
    return new Set(newest.length < MODELS_KEPT ? [initial, ...newest] : newest);
  }

  /** How many of the newest rounds in a row brought no new model. */
  get voidRounds(): number {
    const made = this.#reports.findLastIndex(({ result }) => result === "aggregated");
    return this.#reports.length - 1 - made;
  }

  /** Keeps a certified round. @throws MeshError `state/write-failed`; nothing is kept then */
  add(certificate: Certificate, bytes: Uint8Array, own: OwnPart): CertifiedReport {
    const report = reportOf(this.#task, certificate, own);
    const { round } = report;
    this.#store.certify(this.#task.taskId, {
      ...{ round, certificate: bytes, report: JSON.stringify(report) },
      outdated: round - stalenessMaxOf(this.#task),
    });
    this.#reports.push(report);
    return report;
  }

  /** The model of the newest round was measured. */
  measured(model: string, loss: number | null, accuracy: number | null): void {
    const report = this.last;
    if (report?.model === model && report.loss === null) this.#replaceLast({ loss, accuracy });
  }

  /** Who counted for how much in the newest round, when this node knows it only after its certificate. */
  explained(influences: readonly Influence[]): void {
    this.#replaceLast({ contributors: contributionsOf(influences) });
  }

  #replaceLast(change: Partial<CertifiedReport>): void {
    const { last } = this;
    if (last === undefined) return;
    const report = { ...last, ...change };
    this.#reports[this.#reports.length - 1] = report;
    this.#store.report(this.#task.taskId, report.round, JSON.stringify(report));
  }
}

function contributionsOf(influences: readonly Influence[]): RoundReport["contributors"] {
  return influences.map((influence) => ({
    ...influence,
    votes: influence.share * influences.length,
  }));
}

function reportOf(
  { participants, aggregator }: TaskManifest,
  { round, digest, decision, result }: Certificate,
  { influences, refusals, durationMs }: OwnPart,
): CertifiedReport {
  const summary = decodeSummary(result.summary);
  const held = decision.kind === "void" || (summary.ok && summary.value.held);
  const entries = decision.kind === "set" ? decision.entries : [];
  const present = new Set(entries.map(({ nodeId }) => nodeId));
  const outliers = influences.filter(({ outlier }) => outlier).map(({ nodeId }) => nodeId);
  return {
    round,
    result: decision.kind === "void" ? "void" : held ? "held" : "aggregated",
    held,
    loss: null,
    accuracy: null,
    trainLoss: null,
    aggregator,
    rejected: [...outliers, ...refusals.map(({ nodeId }) => nodeId)].sort(),
    refusals,
    silent: participants.filter((nodeId) => !present.has(nodeId)),
    contributors: contributionsOf(influences),
    durationMs,
    certificate: digest,
    model: result.model,
    ...(summary.ok && decision.kind === "set" ? { summary: summary.value } : {}),
  };
}
