// What an action sets, and to what: the guard against A-B-A compares these. Actions that set the same thing are opposites
// of one another when they set it to different values.

import type { ActionKind } from "../incident.ts";

export interface Setting {
  readonly facet: string;
  readonly value: string;
}

/** Values that an undo goes back to. */
const undone = "as before";

/** Kinds that can be taken back, and stand until they are. */
export const undoable: ReadonlySet<ActionKind> = new Set(["shed-load"]);

export function settingOf(kind: ActionKind, target: string | undefined): Setting {
  // To dial a peer and to shut it out are about the same link.
  const isLink = kind === "redial-peer" || kind === "quarantine-peer";
  return { facet: `${isLink ? "link" : kind} ${target ?? ""}`, value: kind };
}

export function undoneOf(kind: ActionKind, target: string | undefined): Setting {
  return { ...settingOf(kind, target), value: undone };
}
