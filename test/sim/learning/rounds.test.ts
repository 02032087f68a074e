// Certified rounds among simulated participants: what must always hold, and what must happen in the end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FAULTS_MS, faultyNetwork } from "./fault-plan.ts";
import { RoundNetwork } from "./round-network.ts";

describe("certified rounds", () => {
  it("are one chain at all participants, and take everyone's update when nothing fails", () => {
    const network = new RoundNetwork({ seed: 1, participants: 4, byzantine: 1, rounds: 5 });
    const done = network.run(60_000, () => network.nodes.every(({ finished }) => finished));
    assert.ok(done, JSON.stringify(network.nodes.map(({ machine }) => machine.status())));
    for (const { certificates } of network.nodes) {
      assert.equal(certificates.size, 5);
      for (const { decision } of certificates.values()) {
        assert.equal(decision.kind === "set" && decision.entries.length, 4);
      }
    }
    assert.equal(network.highestView, 0);
    assert.ok(network.nowMs < 5000, `${network.nowMs} ms`);
  });
});

describe("certified rounds under faults", () => {
  const SEEDS = Number(process.env["ROUND_SEEDS"] ?? 1000);

  it(`never fork, and go on once all is well again: ${SEEDS} seeds`, () => {
    let rounds = 0;
    let views = 0;
    let proofs = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const network = faultyNetwork(seed);
      try {
        network.run(FAULTS_MS);
        const before = network.certified;
        rounds += before;
        network.highestView = 0;
        const healed = network.run(20_000, () => network.certified >= before + 2);
        assert.ok(healed, JSON.stringify(network.honest.map(({ machine }) => machine.status())));
        views = Math.max(views, network.highestView);
        proofs += network.honest.reduce((sum, { disk }) => sum + disk.proofs.length, 0);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    console.log({ rounds, views, proofs });
  });
});
