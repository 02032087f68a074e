// Certified rounds among simulated participants: what must always hold, and what must happen in the end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
