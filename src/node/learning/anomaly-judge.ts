// The newest model of telemetry that this node has, and what it makes of samples.

import {
  type Anomaly,
  anomalyOf,
  decodeSafetensors,
  telemetryModel,
  type TaskManifest,
} from "../../learning/index.ts";

export class AnomalyJudge {
  #bytes: Uint8Array | undefined;
  #judge: ((samples: readonly Float32Array[]) => Anomaly | undefined) | undefined;

  /** A task has a model; only those of telemetry are taken, and only when they are new. */
  learn(task: TaskManifest, bytes: Uint8Array | undefined): void {
    if (task.data.kind !== "telemetry" || bytes === undefined || bytes === this.#bytes) return;
    this.#bytes = bytes;
    const model = telemetryModel(task);
    const decoded = decodeSafetensors(model.spec, bytes);
    if (decoded.ok) this.#judge = (samples) => anomalyOf(model, decoded.value.weights, samples);
  }

  /** `undefined` without a model, or without samples. */
  judge(samples: readonly Float32Array[]): Anomaly | undefined {
    return this.#judge?.(samples);
  }
}
