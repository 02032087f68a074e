// What a stream without identities does, to compare with: every ten updates that arrive, whoever sent them, are averaged with
// weights 1 / sqrt(1 + staleness) (FedBuff, Nguyen et al. 2022).

import {
  attackUpdate,
  drain,
  evaluateSteps,
  flipLabels,
  freshMomentum,
  SeededRandom,
  selectSamples,
  type SplitDataset,
  splitByDirichlet,
  stalenessWeight,
  taskModel,
  type TaskManifest,
  trainSteps,
} from "../src/learning/index.ts";

const BUFFER = 10;
const TICKS = 30;

/** Final accuracy when liars (the first f) send `flood` updates where others send one. */
export function naiveBuffer(task: TaskManifest, data: SplitDataset, flood: number): number {
  const { participants, byzantine, attack, trainer, seed } = task;
  if (trainer.kind !== "embedded") throw new RangeError("the bench trains embedded");
  const model = taskModel(task);
  const { labels, classes } = data.train;
  const nodes = participants.length;
  const shards = splitByDirichlet({ labels, classes, nodes, alpha: 1, seed }).map((indices, i) => {
    const shard = selectSamples(data.train, indices);
    const flips = attack === "label-flip" && i < byzantine;
    return flips ? { ...shard, labels: flipLabels(shard.labels, classes) } : shard;
  });
  const momentum = shards.map(() => freshMomentum(model.spec));
  const options = { ...trainer, steps: 1, learningRate: 4 * trainer.learningRate };
  let weights = model.init(seed);
  for (let tick = 0; tick < TICKS; tick++) {
    const base = weights;
    const rows = shards.map((shard, i) => {
      const state = momentum[i] ?? freshMomentum(model.spec);
      const steps = trainSteps(model, base, shard, options, state, seed, tick, i);
      const row = drain(steps).weights.map((value, c) => value - (base[c] ?? 0));
      return i < byzantine ? attackUpdate(attack, row, seed, tick, i) : row;
    });
    const sent = rows.flatMap((row, i) => Array<Float32Array>(i < byzantine ? flood : 1).fill(row));
    const order = new SeededRandom("fedbuff", seed, tick).shuffle(sent.map((_, i) => i));
    let behind = 0;
    for (let at = 0; at < order.length; at += BUFFER, behind++) {
      const buffer = order.slice(at, at + BUFFER).map((i) => sent[i] as Float32Array);
      const scale = stalenessWeight(behind) / nodes;
      for (const row of buffer) weights = weights.map((value, c) => value + scale * (row[c] ?? 0));
    }
  }
  return drain(evaluateSteps(model, weights, data.test)).accuracy;
}
