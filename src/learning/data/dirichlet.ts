// Who holds which samples. Each class is dealt to the nodes in proportions drawn from a symmetric Dirichlet(alpha)
// distribution (Hsu et al. 2019): a small alpha gives each node a few classes, a large one gives all the same mix.

import { MeshError } from "../../foundation/index.ts";
import { SeededRandom } from "../seeded.ts";

/** Fewest samples a node is left with, as a share of an even split. */
export const LEAST_SHARE = 1 / 4;

/**
 * Sample indices of each of `nodes` nodes: a partition of all samples, each node's list shuffled and no shorter than a
 * quarter of an even split (the node with most gives, a sample at a time).
 * @throws MeshError `learning/bad-data` when there are fewer samples than nodes
 */
export function splitByDirichlet(options: {
  readonly labels: Uint16Array;
  readonly classes: number;
  readonly nodes: number;
  /** > 0; 1 is clearly uneven, 0.1 extreme, 100 even. */
  readonly alpha: number;
  readonly seed: number;
}): number[][] {
  const { labels, classes, nodes, alpha, seed } = options;
  if (labels.length < nodes) {
    throw new MeshError(
      "learning/bad-data",
      `Cannot split ${labels.length} samples among ${nodes} nodes: each needs at least one. Give more samples.`,
      { samples: labels.length, nodes },
    );
  }
  const random = new SeededRandom("dirichlet", seed);
  const shards: number[][] = Array.from({ length: nodes }, () => []);
  for (let label = 0; label < classes; label++) {
    const members: number[] = [];
    labels.forEach((other, i) => {
      if (other === label) members.push(i);
    });
    deal(random.shuffle(members), proportions(random, nodes, alpha), shards);
  }
  const least = Math.max(1, Math.floor((LEAST_SHARE * labels.length) / nodes));
  for (const shard of shards) random.shuffle(shard);
  for (const shard of shards) {
    while (shard.length < least) shard.push(largest(shards).pop() as number);
  }
  return shards;
}

/** A draw of Dirichlet(alpha): normalised gammas. */
function proportions(random: SeededRandom, nodes: number, alpha: number): number[] {
  const draws = Array.from({ length: nodes }, () => random.gamma(alpha));
  const sum = draws.reduce((a, b) => a + b, 0);
  // With a tiny alpha every draw may underflow to zero: then one node takes the class.
  if (sum === 0) draws[random.below(nodes)] = 1;
  return draws.map((draw) => draw / (sum || 1));
}

function deal(members: readonly number[], shares: readonly number[], shards: number[][]): void {
  let given = 0;
  let cumulated = 0;
  shares.forEach((share, node) => {
    cumulated += share;
    const end =
      node === shares.length - 1 ? members.length : Math.round(cumulated * members.length);
    shards[node]?.push(...members.slice(given, end));
    given = Math.max(given, end);
  });
}

function largest(shards: readonly number[][]): number[] {
  return shards.reduce((a, b) => (b.length > a.length ? b : a));
}
