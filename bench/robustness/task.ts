// The synthetic task: ten classes of three Gaussians each in 32 dimensions, 12,000 points to train and 2,000 more to test. The
// points are dealt to the honest nodes (as ByzFL does: what liars hold is nobody's loss) evenly, by a Dirichlet draw or sorted by
// label. All of it follows from the seed.

import { SeededRandom, splitByDirichlet } from "../../src/learning/index.ts";

export const FEATURES = 32;
export const CLASSES = 10;
export const NODES = 20;
const CLUSTERS = 3;
const TRAIN_POINTS = 12_000;
const TEST_POINTS = 2_000;
/** Standard deviation of the clusters' centres where points deviate by 1: the mean rule then comes to about 95 % without liars. */
const CENTRE_SPREAD = 0.85;

/** Of the long tail: a class has so much of the points that the class before it has, the last a hundredth of the first. */
const TAIL_RATIO = 0.6;

/** How unlike the nodes' data is; `long-tail`: Dirichlet 0.5 of classes that are ever rarer, tested on even ones. */
export const heterogeneities = ["iid", "dir1", "dir0.5", "dir0.1", "sorted", "long-tail"] as const;
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
  /** Point numbers of each honest node. */
  readonly shards: readonly Uint32Array[];
}

/** @param nodes how many honest nodes share the points */
export function makeTask(seed: number, heterogeneity: Heterogeneity, nodes: number): SyntheticTask {
  const random = new SeededRandom("bench/robustness", seed);
  const centres = Array.from({ length: CLASSES * CLUSTERS }, () =>
    Float32Array.from({ length: FEATURES }, () => CENTRE_SPREAD * random.normal()),
  );
  const anyCluster = (): number => random.below(centres.length);
  const trained = heterogeneity === "long-tail" ? () => rareCluster(random) : anyCluster;
  const train = drawPoints(random, centres, TRAIN_POINTS, trained);
  const test = drawPoints(random, centres, TEST_POINTS, anyCluster);
  return { train, test, shards: deal(train.labels, heterogeneity, nodes, seed) };
}

/** A cluster of the long tail. */
function rareCluster(random: SeededRandom): number {
  const shares = Array.from({ length: CLASSES }, (_, c) => TAIL_RATIO ** c);
  let left = random.fraction() * shares.reduce((sum, share) => sum + share, 0);
  const label = shares.findIndex((share) => (left -= share) < 0);
  return (label < 0 ? CLASSES - 1 : label) * CLUSTERS + random.below(CLUSTERS);
}

function drawPoints(
  random: SeededRandom,
  centres: readonly Float32Array[],
  count: number,
  clusterOf: () => number,
): Points {
  const features = new Float32Array(count * FEATURES);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const cluster = clusterOf();
    labels[i] = Math.floor(cluster / CLUSTERS);
    const centre = centres[cluster] as Float32Array;
    for (let c = 0; c < FEATURES; c++) {
      features[i * FEATURES + c] = (centre[c] as number) + random.normal();
    }
  }
  return { features, labels };
}

function deal(
  labels: Uint8Array,
  heterogeneity: Heterogeneity,
  nodes: number,
  seed: number,
): Uint32Array[] {
  const all = Uint32Array.from(labels, (_, i) => i);
  const cut = (node: number): number => Math.floor((node * labels.length) / nodes);
  const slices = (): Uint32Array[] =>
    Array.from({ length: nodes }, (_, node) => all.slice(cut(node), cut(node + 1)));
  switch (heterogeneity) {
    case "iid":
      return slices();
    case "sorted":
      all.sort((a, b) => (labels[a] as number) - (labels[b] as number) || a - b);
      return slices();
    default: {
      const options = { labels: Uint16Array.from(labels), classes: CLASSES, nodes, seed };
      const alpha = heterogeneity === "long-tail" ? 0.5 : Number(heterogeneity.slice("dir".length));
      return splitByDirichlet({ ...options, alpha }).map((shard) => Uint32Array.from(shard));
    }
  }
}
