// The certified rounds of a task as an operator is shown them, kept with their certificates.

import { MODELS_KEPT, type RoundStore } from "../../adapters/sqlite/round-store.ts";
import type { LearningStatus as LearningView } from "../../control/index.ts";
import type { Certificate, Influence } from "../../learning/index.ts";

/** What is known of a certified round. */
export interface CertifiedReport {
  readonly round: number;
  readonly result: "set" | "void" | "held";
  /** Digests of the certificate and of the model after the round: equal on every honest node. */
  readonly certificate: string;
  readonly model: string;
  /** On this node's test samples; `null` while it has not measured. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** Whose updates are in the agreed set, ascending. */
  readonly contributors: readonly string[];
  /** Who counted for how much; empty on a node that took the result of others. */
  readonly influences: readonly Influence[];
  /** The quantisation's step of the round after, where the round told one. */
  readonly stepSize?: number;
  readonly durationMs: number;
}

export class RoundHistory {
  readonly #store: RoundStore;
  readonly #taskId: string;
  readonly #reports: CertifiedReport[];

  constructor(store: RoundStore, taskId: string) {
    this.#store = store;
    this.#taskId = taskId;
    this.#reports = store.reports(taskId).map((text) => JSON.parse(text) as CertifiedReport);
  }

  get last(): CertifiedReport | undefined {
    return this.#reports.at(-1);
  }

  /** The step that the newest round with a summary told. */
  get stepSize(): number | undefined {
    return this.#reports.findLast(({ stepSize }) => stepSize !== undefined)?.stepSize;
  }

  /** The models that are kept: the last few, and the initial one while it may be one of them. */
  models(initial: string): Set<string> {
    const newest = this.#reports.slice(-MODELS_KEPT).map(({ model }) => model);
    return new Set(newest.length < MODELS_KEPT ? [initial, ...newest] : newest);
  }

  /** How many of the newest rounds in a row brought no new model. */
  get voidRounds(): number {
    const made = this.#reports.findLastIndex(({ result }) => result === "set");
    return this.#reports.length - 1 - made;
  }

  /** Keeps a certified round. @throws MeshError `state/write-failed`; nothing is kept then */
  add(
    { round, digest, decision, result }: Certificate,
    bytes: Uint8Array,
    more: Pick<CertifiedReport, "influences" | "durationMs"> & {
      readonly held: boolean;
      readonly stepSize: number | undefined;
    },
  ): CertifiedReport {
    const { held, influences, durationMs, stepSize } = more;
    const entries = decision.kind === "set" ? decision.entries : [];
    const report: CertifiedReport = {
      round,
      result: decision.kind === "set" && held ? "held" : decision.kind,
      certificate: digest,
      model: result.model,
      loss: null,
      accuracy: null,
      contributors: entries.map(({ nodeId }) => nodeId),
      influences,
      ...(stepSize === undefined ? {} : { stepSize }),
      durationMs,
    };
    this.#store.certify(this.#taskId, { round, certificate: bytes, report: JSON.stringify(report) });
    this.#reports.push(report);
    return report;
  }

  /** The model of the newest round was measured. */
  measured(model: string, loss: number, accuracy: number): void {
    const report = this.last;
    if (report?.model !== model || report.loss !== null) return;
    const whole = { ...report, loss, accuracy };
    this.#reports[this.#reports.length - 1] = whole;
    this.#store.report(this.#taskId, report.round, JSON.stringify(whole));
  }

  view(nameOf: (nodeId: string) => string): LearningView["history"] {
    return this.#reports.map(({ round, loss, accuracy, result, contributors, influences }) => ({
      round,
      loss,
      accuracy,
      held: result !== "set",
      rejected: influences.filter(({ outlier }) => outlier).map(({ nodeId }) => nameOf(nodeId)),
      contributors: contributors.length,
    }));
  }
}
