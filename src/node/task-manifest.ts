// From an operator's request to a task's manifest, and from a manifest to the CSV file it names.

import { readFileSync, statSync } from "node:fs";
import type { Config } from "../config/index.ts";
import type { FlStartRequest } from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { errorMessage, MeshError, toHex } from "../foundation/index.ts";
import type { PeerIdentity } from "../identity/index.ts";
import {
  defaultTraining,
  GLYPH_CLASSES,
  GLYPH_FEATURES,
  parseCsv,
  parseTask,
  type TaskManifest,
} from "../learning/index.ts";
import type { WallMs } from "../ports/index.ts";

/** The share of liars a task assumes unless the operator says otherwise: 30 %, the design's bound. */
const ASSUMED_LIARS_RATIO = 0.3;
const CSV_BYTES_MAX = 64 * 1024 * 1024;
/** A quarter of a CSV file's samples measures the model. */
const CSV_TEST_RATIO = 0.25;

export interface ManifestContext {
  readonly self: PeerIdentity;
  readonly config: Config["learning"];
  /** Alive members, this node included. */
  readonly members: readonly { readonly nodeId: string; readonly name: string }[];
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly nowMs: WallMs;
}

/**
 * The manifest of a request, defaults filled in.
 * @throws MeshError `control/unknown-participant`, `learning/bad-task`, `learning/bad-csv`, `learning/bad-data`
 */
export function manifestOf(request: FlStartRequest, context: ManifestContext): TaskManifest {
  const { self, nowMs } = context;
  const participants = participantsOf(request.participants, context);
  const seed = request.seed ?? nowMs % 2 ** 32;
  const { data, features, classes } = dataOf(request, seed, context);
  const shape = { features, classes };
  const name = request.name ?? request.model;
  return parseTask({
    schemaVersion: 1,
    taskId: `${nowMs.toString(36)}-${self.nodeId.slice(0, 8)}`,
    name,
    trustDomain: self.trustDomain,
    createdBy: self.nodeId,
    createdAtMs: nowMs,
    model:
      request.model === "mlp"
        ? { kind: "mlp", ...shape, hidden: request.hidden ?? defaultTraining.hidden }
        : { kind: "softmax", ...shape },
    seed,
    data,
    trainer: defaultTraining.trainer,
    aggregator: request.aggregator,
    byzantine: request.byzantine ?? Math.floor(ASSUMED_LIARS_RATIO * participants.length),
    orchestrator: "epidemic",
    rounds: request.rounds,
    roundTimeoutMs:
      request.roundTimeoutSeconds === undefined
        ? defaultTraining.roundTimeoutMs
        : request.roundTimeoutSeconds * 1000,
    participants,
    attack: request.attack ?? "none",
  });
}

function participantsOf(
  names: readonly string[] | undefined,
  { members }: ManifestContext,
): string[] {
  if (names === undefined) return members.map(({ nodeId }) => nodeId).sort();
  return names
    .map((name) => {
      const member = members.find((candidate) => candidate.name === name);
      if (member !== undefined) return member.nodeId;
      throw new MeshError(
        "control/unknown-participant",
        `No alive member is named '${name}': there are ${members.map((candidate) => candidate.name).join(", ")}. See meshctl peers.`,
        { name },
      );
    })
    .sort();
}

function dataOf(
  request: FlStartRequest,
  seed: number,
  { config, engine }: ManifestContext,
): { data: object; features: number; classes: number } {
  const dirichletAlpha = request.dirichletAlpha ?? defaultTraining.dirichletAlpha;
  if ((request.data ?? "glyphs") === "glyphs") {
    const { trainSamples, testSamples } = defaultTraining;
    return {
      data: { kind: "glyphs", seed, trainSamples, testSamples, dirichletAlpha },
      features: GLYPH_FEATURES,
      classes: GLYPH_CLASSES,
    };
  }
  const { bytes, labelColumn } = readCsv(config);
  const { data } = parseCsv(new TextDecoder().decode(bytes), labelColumn);
  const testSamples = Math.max(1, Math.floor(data.count * CSV_TEST_RATIO));
  return {
    data: {
      kind: "csv",
      digest: toHex(engine.sha256(bytes)),
      labelColumn,
      seed,
      testSamples,
      dirichletAlpha,
    },
    features: data.dimensions,
    classes: data.classes,
  };
}

/**
 * The text of the CSV file that a task names; undefined for a task on glyphs.
 * @throws MeshError `learning/bad-data` when this node has no such file or another one
 */
export function csvTextOf(
  task: TaskManifest,
  config: Config["learning"],
  engine: Pick<CryptoEngine, "sha256">,
): string | undefined {
  if (task.data.kind !== "csv") return undefined;
  const { bytes } = readCsv(config);
  const digest = toHex(engine.sha256(bytes));
  if (digest !== task.data.digest) {
    throw new MeshError(
      "learning/bad-data",
      `Cannot train task '${task.taskId}': its file has SHA-256 ${task.data.digest.slice(0, 12)}…, the one of learning.csv has ${digest.slice(0, 12)}…. Copy the task's file here.`,
      { taskId: task.taskId },
    );
  }
  return new TextDecoder().decode(bytes);
}

function readCsv({ csv }: Config["learning"]): { bytes: Uint8Array; labelColumn: string } {
  if (csv === null)
    throw new MeshError(
      "learning/bad-data",
      "Cannot train on CSV: this node has none. Set learning.csv.file and learning.csv.label.",
    );
  try {
    const { size } = statSync(csv.file);
    if (size > CSV_BYTES_MAX) {
      throw new MeshError(
        "learning/too-large",
        `Cannot train on '${csv.file}': it has ${size} bytes, at most ${CSV_BYTES_MAX} are allowed. Use a smaller file.`,
        { file: csv.file, size },
      );
    }
    return { bytes: new Uint8Array(readFileSync(csv.file)), labelColumn: csv.label };
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError(
      "learning/bad-data",
      `Cannot read '${csv.file}': ${errorMessage(cause)}. Check learning.csv.file.`,
      { file: csv.file },
      { cause },
    );
  }
}
