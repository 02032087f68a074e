// The training task of a scenario as a manifest, and what every node computes from it alike: all of it the production code.

import type { NodeId } from "../../identity/index.ts";
import {
  completeDraft,
  compressedBytes,
  contentIdOf,
  decodeSafetensors,
  encodeSafetensors,
  type ModelSpec,
  orchestratorOf,
  parseDraft,
  type RoundOrchestrator,
  ruleDigest,
  taskDigest,
  type Sha256,
  taskInitialWeights,
  type TaskManifest,
  taskModel,
} from "../../learning/index.ts";
import { assert, toHex } from "../../foundation/index.ts";
import type { SimEngine } from "../census.ts";
import type { Learning } from "../scenarios/schema.ts";

/** A third of a task's usual work, in longer steps: a scenario has many rounds to show, and no accuracy to gain. */
const TRAINING = { steps: 20, learningRate: 0.1 };

/** The task of a run. */
export interface LearningTask {
  readonly manifest: TaskManifest;
  /** Of the manifest. */
  readonly digest: string;
  readonly rule: string;
  readonly spec: ModelSpec;
  readonly orchestrator: RoundOrchestrator;
  readonly updateBytes: number;
  readonly initialModel: string;
  readonly initialBytes: Uint8Array;
}

/** All nodes train, and three in ten of them may lie. @throws MeshError `learning/bad-task` */
export function learningTask(
  learning: Learning,
  setting: {
    readonly seed: number;
    readonly nodeIds: readonly NodeId[];
    readonly engine: SimEngine;
  },
): LearningTask {
  const { seed, nodeIds, engine } = setting;
  const sha256: Sha256 = (bytes) => engine.sha256(bytes);
  const { rounds, aggregator, orchestrator: kind, deadline, alpha } = learning;
  const pace = kind === "streaming" ? { intervalMs: deadline } : { deadlineMs: deadline };
  const draft = parseDraft({
    ...{ rounds, seed, orchestrator: { kind, ...pace } },
    ...(aggregator === undefined ? {} : { aggregator }),
    data: { kind: "glyphs", dirichletAlpha: alpha },
    trainer: { kind: "embedded", ...TRAINING },
  });
  const manifest = completeDraft(draft, {
    ...{ taskId: "simulated", trustDomain: "sim.test", createdAtMs: 0, seed },
    ...{ createdBy: nodeIds[0] ?? "", participants: nodeIds },
  });
  const orchestrator = orchestratorOf({ hash: sha256 }, manifest);
  assert(orchestrator !== undefined, "a scenario's rounds are certified");
  const { spec } = taskModel(manifest);
  const initialBytes = encodeSafetensors(spec, taskInitialWeights(manifest), {});
  return {
    ...{ manifest, spec, orchestrator, initialBytes },
    digest: taskDigest(sha256, manifest),
    rule: toHex(ruleDigest(engine, manifest)),
    updateBytes: compressedBytes(manifest.compression, spec.parameters),
    initialModel: contentIdOf(sha256, initialBytes).digest,
  };
}

/** The weights of a model's bytes, which a quorum has certified. */
export function weightsOf({ spec }: LearningTask, bytes: Uint8Array): Float32Array {
  const decoded = decodeSafetensors(spec, bytes);
  assert(decoded.ok, "a certified model can be read");
  return decoded.value.weights;
}
