// The playbooks in force: the operator's, and those that ship, but for the ones of the same name. A file with a fault is
// refused whole; what was in force stays.

import { readFileSync, statSync } from "node:fs";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  type ActionKind,
  actionKinds,
  parsePlaybooks,
  type Playbook,
  playbookLimits,
  shippedPlaybooks,
} from "../../healing/index.ts";

export interface PlaybooksRead {
  readonly playbooks: readonly Playbook[];
  /** Why the operator's file was refused. */
  readonly problem?: MeshError;
}

/** @param before what is in force, and stays when the file is refused */
export function readPlaybooks(
  file: string | null,
  can: ReadonlySet<ActionKind>,
  before: readonly Playbook[] = shipped(can),
): PlaybooksRead {
  if (file === null) return { playbooks: shipped(can) };
  try {
    const own = parsePlaybooks(textOf(file), file, can);
    const names = new Set(own.map(({ name }) => name));
    return { playbooks: [...own, ...shipped(can).filter(({ name }) => !names.has(name))] };
  } catch (error) {
    const problem = new MeshError(errorCode(error), errorMessage(error), {}, { cause: error });
    return { playbooks: before, problem };
  }
}

/** Those that ship, without the steps that this node cannot do. */
function shipped(can: ReadonlySet<ActionKind>): Playbook[] {
  return parsePlaybooks(shippedPlaybooks, "shipped playbooks", new Set(actionKinds))
    .map((one) => ({ ...one, steps: one.steps.filter(({ action }) => can.has(action)) }))
    .filter(({ steps }) => steps.length > 0);
}

function textOf(file: string): string {
  try {
    const { size } = statSync(file);
    if (size <= playbookLimits.fileBytesMax) return readFileSync(file, "utf8");
  } catch (cause) {
    throw new MeshError(
      "healing/bad-playbooks",
      `Cannot read the playbooks: ${errorMessage(cause)}. Correct healing.playbooks, or the file, and reload.`,
      { file },
      { cause },
    );
  }
  throw new MeshError(
    "healing/bad-playbooks",
    `Cannot use the playbooks of ${file}: it must have at most ${playbookLimits.fileBytesMax} bytes. Make it shorter and reload.`,
    { file },
  );
}
