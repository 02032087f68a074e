// A random schedule of faults from a seed: loss, delays, partitions, crashes with restart, replays, then all heals.

import { batchAsyncPolicy, SeededRandom } from "../../../src/learning/index.ts";
import { manyLies } from "./lies.ts";
import { type NetworkOptions, RoundNetwork } from "./round-network.ts";

export const FAULTS_MS = 3000;

/** A network in which anything may go wrong for {@link FAULTS_MS}. */
export function faultyNetwork(seed: number, options: Partial<NetworkOptions> = {}): RoundNetwork {
  const random = new SeededRandom(seed, "faults");
  const participants = [4, 4, 5, 7][random.below(4)] as number;
  const byzantine = Math.floor((participants - 1) / 3);
  const target = participants - random.below(byzantine + 1);
  const { lie, learn } = manyLies(() => network);
  const network: RoundNetwork = new RoundNetwork({
    ...{ seed, participants, byzantine, rounds: 1000, lie },
    liars: random.below(4) === 0 ? 0 : byzantine,
    policy: batchAsyncPolicy({ target, deadlineMs: 300 }, participants, byzantine),
    onPublish: learn,
    ...options,
  });
  for (let i = 0; i < 6; i++) {
    const atMs = random.between(0, FAULTS_MS - 500);
    const forMs = random.between(100, 1000);
    network.later(atMs, () => fault(network, random, forMs));
  }
  network.later(FAULTS_MS, () => heal(network));
  return network;
}

function fault(network: RoundNetwork, random: SeededRandom, forMs: number): void {
  const { nodes } = network;
  switch (random.below(5)) {
    case 0:
      network.loss = random.between(0.05, 0.5);
      network.later(forMs, () => (network.loss = 0));
      return;
    case 1:
      network.delayMs = [1, random.between(50, 900)];
      network.later(forMs, () => (network.delayMs = [1, 30]));
      return;
    case 2:
      network.groups = nodes.map(() => random.below(2));
      network.later(forMs, () => (network.groups = undefined));
      return;
    case 3: {
      const node = nodes[random.below(nodes.length)];
      if (node === undefined) return;
      if (random.below(2) === 0) network.crash(node);
      else node.actionsLeft = random.below(12);
      network.later(forMs, () => network.restart(node));
      return;
    }
    default: {
      // The power goes: everyone at once.
      if (random.below(4) > 0) return;
      for (const node of nodes) network.crash(node);
      for (const node of nodes)
        network.later(random.between(0, forMs), () => network.restart(node));
    }
  }
}

function heal(network: RoundNetwork): void {
  network.loss = 0;
  network.delayMs = [1, 30];
  network.groups = undefined;
  for (const node of network.nodes) {
    node.actionsLeft = Number.POSITIVE_INFINITY;
    network.restart(node);
  }
}
