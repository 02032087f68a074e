// From an operator's request to a task's manifest, and from a manifest to the CSV file it names.

import { readFileSync, statSync } from "node:fs";
import type { Config } from "../config/index.ts";
import type { FlStartRequest } from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { errorMessage, MeshError, toHex } from "../foundation/index.ts";
import type { PeerIdentity } from "../identity/index.ts";
import {
  completeDraft,
  type CsvFacts,
  parseCsv,
  parseDraft,
  type TaskManifest,
} from "../learning/index.ts";
import type { WallMs } from "../ports/index.ts";

const CSV_BYTES_MAX = 64 * 1024 * 1024;

export interface ManifestContext {
  readonly self: PeerIdentity;
  readonly config: Config["learning"];
  /** This node included. */
  readonly members: readonly {
    readonly nodeId: string;
    readonly name: string;
    readonly alive: boolean;
  }[];
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly nowMs: WallMs;
}

/**
 * The manifest of what an operator wrote, defaults filled in.
 * @throws MeshError `control/unknown-participant`, `learning/bad-task`, `learning/bad-csv`, `learning/bad-data`
 */
export function manifestOf(written: unknown, context: ManifestContext): TaskManifest {
  const { self, nowMs, config, engine } = context;
  const draft = parseDraft(written);
  return completeDraft(draft, {
    taskId: `${nowMs.toString(36)}-${self.nodeId.slice(0, 8)}`,
    trustDomain: self.trustDomain,
    createdBy: self.nodeId,
    createdAtMs: nowMs,
    participants: participantsOf(draft.participants, context),
    seed: nowMs % 2 ** 32,
    ...(draft.data?.kind === "csv" ? { csv: csvFacts(config, engine) } : {}),
  });
}

/** The short form, `fl start`, as a draft. */
export function draftOf(request: FlStartRequest): Record<string, unknown> {
  const { model, hidden, data, dirichletAlpha, roundTimeoutSeconds, ...same } = request;
  const kind = data ?? "glyphs";
  return {
    ...same,
    name: request.name ?? model,
    model: { kind: model, ...(model === "mlp" && hidden !== undefined ? { hidden } : {}) },
    data: { kind, ...(dirichletAlpha === undefined ? {} : { dirichletAlpha }) },
    ...(roundTimeoutSeconds === undefined
      ? {}
      : { orchestrator: { kind: "epidemic", roundTimeoutMs: roundTimeoutSeconds * 1000 } }),
  };
}

function participantsOf(
  names: readonly string[] | undefined,
  { members }: ManifestContext,
): string[] {
  const alive = members.filter((member) => member.alive);
  if (names === undefined) return alive.map(({ nodeId }) => nodeId).sort();
  return names
    .map((name) => {
      const called = members.filter((candidate) => candidate.name === name);
      const member = called.find((candidate) => candidate.alive) ?? called[0];
      if (member !== undefined) return member.nodeId;
      throw new MeshError(
        "control/unknown-participant",
        `No member is named '${name}': there are ${alive.map((candidate) => candidate.name).join(", ")}. See meshctl peers.`,
        { name },
      );
    })
    .sort();
}

/** What this node's own file says. */
function csvFacts(config: Config["learning"], engine: Pick<CryptoEngine, "sha256">): CsvFacts {
  const { bytes, labelColumn } = readCsv(config);
  const { data } = parseCsv(new TextDecoder().decode(bytes), labelColumn);
  return {
    digest: toHex(engine.sha256(bytes)),
    labelColumn,
    features: data.dimensions,
    classes: data.classes,
    samples: data.count,
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
