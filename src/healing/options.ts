// Every knob of healing with its default and what moving it costs.

/** Options of the healing machine. All times in milliseconds. */
export interface HealingOptions {
  /** Actions that this node may have under way at once. @default 2 */
  readonly actionsAtOnce: number;
  /** Actions that this node may begin within `budgetWindowMs`. @default 12 in 10 min */
  readonly actionsPerWindow: number;
  readonly budgetWindowMs: number;
  /**
   * Part of the mesh that may be under disruptive repair at once, this node included; at least one node may.
   * Higher: faster after a disaster, more at risk. @default 0.1
   */
  readonly meshShareMax: number;
  /** A claim of the mesh-wide budget counts for so long unless it is taken again. @default 30000 */
  readonly claimMs: number;
  /** No disruptive action while a greater part of the mesh is unwell. @default 0.3 */
  readonly haltShare: number;
  /** An action is not taken back by its opposite, nor done again to the same target, within this. @default 300000 */
  readonly flapWindowMs: number;
  /** A symptom that stays this long after the last thing to try makes its incident `unmended`. @default 900000 */
  readonly giveUpMs: number;
  /** Symptoms gone for this long close an incident. @default 10000 */
  readonly calmMs: number;
  /** Symptoms that begin within this of an incident's last news may belong to it. @default 15000 */
  readonly groupMs: number;
  /** Nothing is done, all is said. @default false */
  readonly dryRun: boolean;
}

export const healingDefaults: HealingOptions = {
  actionsAtOnce: 2,
  actionsPerWindow: 12,
  budgetWindowMs: 600_000,
  meshShareMax: 0.1,
  claimMs: 30_000,
  haltShare: 0.3,
  flapWindowMs: 300_000,
  giveUpMs: 900_000,
  calmMs: 10_000,
  groupMs: 15_000,
  dryRun: false,
};
