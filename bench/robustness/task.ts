// The synthetic task: ten classes of three Gaussians each in 32 dimensions, 10,000 points to train and 2,000 to test, dealt to
// twenty nodes evenly, by a Dirichlet draw or sorted by label. All of it follows from the seed.

import { SeededRandom, splitByDirichlet } from "../../src/learning/index.ts";

export const FEATURES = 32;
export const CLASSES = 10;
export const NODES = 20;
const CLUSTERS = 3;
const TRAIN_POINTS = 10_000;
const TEST_POINTS = 2_000;
/** Standard deviation of the clusters' centres where points deviate by 1: the mean rule then comes to 94 to 95 % without liars. */
const CENTRE_SPREAD = Number(process.env["SPREAD"] ?? 0.7);

/** How unlike the nodes' data is. */
export const heterogeneities = ["iid", "dir1", "dir0.5", "dir0.1", "sorted"] as const;
export type Heterogeneity = (typeof heterogeneities)[number];

/** Points, features row-major. */
export interface Points {
  readonly features: Float32Array;
  readonly labels: Uint8Array;
}

/** A task: what nodes train on, and what the model is measured by. */
export interface SyntheticTask {
  readonly train: Points;
  readonly test: Points;
  /** Point numbers of each node. */
  readonly shards: readonly Uint32Array[];
}

export function makeTask(seed: number, heterogeneity: Heterogeneity): SyntheticTask {
  const random = new SeededRandom("bench/robustness", seed);
  const centres = Array.from({ length: CLASSES * CLUSTERS }, () =>
    Float32Array.from({ length: FEATURES }, () => CENTRE_SPREAD * random.normal()),
  );
  const train = drawPoints(random, centres, TRAIN_POINTS);
  const test = drawPoints(random, centres, TEST_POINTS);
  return { train, test, shards: deal(train.labels, heterogeneity, seed) };
}

function drawPoints(random: SeededRandom, centres: readonly Float32Array[], count: number): Points {
  const features = new Float32Array(count * FEATURES);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const cluster = random.below(centres.length);
    labels[i] = Math.floor(cluster / CLUSTERS);
    const centre = centres[cluster] as Float32Array;
    for (let c = 0; c < FEATURES; c++) {
      features[i * FEATURES + c] = (centre[c] as number) + random.normal();
    }
  }
  return { features, labels };
}

function deal(labels: Uint8Array, heterogeneity: Heterogeneity, seed: number): Uint32Array[] {
  const all = Uint32Array.from(labels, (_, i) => i);
  const share = labels.length / NODES;
  const slices = (): Uint32Array[] =>
    Array.from({ length: NODES }, (_, node) => all.slice(node * share, (node + 1) * share));
  switch (heterogeneity) {
    case "iid":
      return slices();
    case "sorted":
      all.sort((a, b) => (labels[a] as number) - (labels[b] as number) || a - b);
      // Which labels the liars hold must not be the lowest ones always.
      return shuffled(slices(), seed);
    default: {
      const options = { labels: Uint16Array.from(labels), classes: CLASSES, nodes: NODES, seed };
      const alpha = Number(heterogeneity.slice("dir".length));
      return splitByDirichlet({ ...options, alpha }).map((shard) => Uint32Array.from(shard));
    }
  }
}

function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  const order = new SeededRandom("bench/robustness/order", seed).shuffle([...items.keys()]);
  return order.map((at) => items[at] as Item);
}
