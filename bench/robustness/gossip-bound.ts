// How many random peers a node must pull in gossip: exact, by the hypergeometric tail and a union bound over all honest nodes and rounds
// (table B11). The published lemma (RPEL, arXiv 2510.08311) says nothing at these sizes.

import { liarsAbove } from "../../src/learning/index.ts";

/** A mesh that gossips. */
export interface GossipSetting {
  readonly nodes: number;
  readonly liars: number;
  readonly rounds: number;
}

/** What may go wrong in a whole run. */
const RISK = 0.01;

/** Bound on the probability that, in some round, some honest node pulls more than `limit` liars among `pulls`. */
export function riskOf(limit: number, pulls: number, setting: GossipSetting): number {
  const { nodes, liars, rounds } = setting;
  const drawn = { size: pulls, population: nodes - 1, byzantine: liars };
  return Math.min(1, (nodes - liars) * rounds * liarsAbove(limit, drawn));
}

/** The fewest pulls with which liars stay below `share` of the rows, the own one included; `undefined`: not even all. */
export function pullsNeeded(setting: GossipSetting, share = 0.5): number | undefined {
  for (let pulls = 1; pulls < setting.nodes; pulls++) {
    const least = Math.ceil(share * (pulls + 1) - 1e-9);
    if (riskOf(least - 1, pulls, setting) <= RISK) return pulls;
  }
  return undefined;
}

/** The f that a node tells its rule: the fewest liars that no honest node exceeds in the whole run, at most what a rule can stand. */
export function toleratedOf(pulls: number, setting: GossipSetting): number {
  const most = Math.floor(pulls / 2);
  for (let f = 0; f < most; f++) if (riskOf(f, pulls, setting) <= RISK) return f;
  return most;
}
