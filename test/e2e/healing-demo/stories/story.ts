// A story: one fault, done to real daemons from outside, and what they make of it.

import type { DaemonMeshOptions } from "../../namespaces/daemons.ts";
import type { Ending, Stage } from "../stage.ts";

export interface Story {
  readonly name: string;
  /** What happens, in a line. */
  readonly title: string;
  /** @throws when it does not end as it must */
  tell(stage: Stage): Promise<Ending>;
}

/** Stories of one mesh. */
export interface Scene {
  readonly names: readonly string[];
  readonly options: Omit<DaemonMeshOptions, "names">;
  readonly stories: readonly Story[];
}

/** Nodes of the first scene by name. */
export const ash = 0;
export const birch = 1;
export const cedar = 2;
export const elm = 3;
export const fir = 4;
