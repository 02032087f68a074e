// The score parameters: gossipsub takes them, and they do to honest and dishonest peers what docs/gossip.md says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { validatePeerScoreParams, validatePeerScoreThresholds } from "@libp2p/gossipsub/score";
import { standingOf } from "../../../src/adapters/libp2p/gossip-metrics.ts";
import {
  peerScores,
  scoreThresholds,
  topicScores,
} from "../../../src/adapters/libp2p/gossip-scores.ts";
import { topicNameOf, topicNames, topicOf } from "../../../src/adapters/libp2p/topics.ts";

const INTERVALS_MS = [100, 1_000, 7_500, 60_000];

test("gossipsub takes the parameters of every topic at every interval, and the thresholds", () => {
  for (const intervalMs of INTERVALS_MS) {
    const topics = Object.fromEntries(
      topicNames.map((name) => [name, topicScores(name, intervalMs)]),
    );
    validatePeerScoreParams({ ...peerScores({ reputation: () => 0 }, {}), topics });
  }
  validatePeerScoreThresholds(scoreThresholds);
});

test("a neighbour's own heartbeats keep it above the least that is expected; half of a tenth of them does not", () => {
  for (const intervalMs of INTERVALS_MS) {
    const params = topicScores("heartbeat", intervalMs);
    const decay = params.meshMessageDeliveriesDecay;
    const least = (everyMs: number): number => {
      // The counter decays each second; the worst moment is just before a delivery.
      let counter = 0;
      let worst = Number.POSITIVE_INFINITY;
      let nextMs = 0;
      const lastMs = params.meshMessageDeliveriesActivation + 60 * everyMs;
      for (let ms = 0; ms <= lastMs; ms += Math.min(1_000, everyMs)) {
        if (ms % 1_000 === 0) counter *= decay;
        if (ms > lastMs - 10 * everyMs) worst = Math.min(worst, counter);
        for (; nextMs <= ms; nextMs += everyMs) counter++;
      }
      return worst;
    };
    if (intervalMs >= 1_000) {
      assert.ok(least(intervalMs) > 3, `honest at ${intervalMs}`);
      assert.ok(
        least(intervalMs * 20) < params.meshMessageDeliveriesThreshold,
        `withholding at ${intervalMs}`,
      );
    }
  }
});

test("P3 is scored for heartbeats alone, and P4 for every topic", () => {
  for (const name of topicNames) {
    const params = topicScores(name, 1_000);
    assert.equal(params.meshMessageDeliveriesWeight < 0, name === "heartbeat");
    assert.equal(params.meshFailurePenaltyWeight < 0, name === "heartbeat");
    assert.ok(params.invalidMessageDeliveriesWeight < 0);
  }
});

test("silence on the heartbeat topic costs the mesh, not the graylist; the worst reputation does", () => {
  const { meshMessageDeliveriesWeight: weight, meshMessageDeliveriesThreshold: threshold } =
    topicScores("heartbeat", 1_000);
  assert.equal(standingOf(weight * threshold ** 2), "unmeshed");
  assert.equal(
    standingOf(peerScores({ reputation: () => -100 }, {}).appSpecificWeight * -100),
    "graylisted",
  );
});

test("a standing begins where its threshold says and ends one step above it", () => {
  assert.deepEqual([0, -0.01, -20, -20.01, -50, -50.01, -80, -80.01].map(standingOf), [
    "good",
    "unmeshed",
    "unmeshed",
    "ungossiped",
    "ungossiped",
    "unpublished",
    "unpublished",
    "graylisted",
  ]);
});

test("a topic's name is found again, in this trust domain only and in no longer a form", () => {
  for (const name of topicNames) {
    assert.equal(topicNameOf("mesh.test", topicOf("mesh.test", "z", name)), name);
    assert.equal(topicNameOf("other.test", topicOf("mesh.test", "z", name)), undefined);
  }
  assert.equal(topicNameOf("mesh.test", topicOf("mesh.test", "z".repeat(400), "state")), undefined);
  assert.equal(topicNameOf("mesh.test", "/x0tta6bl4/1/mesh.test/zone/z/other"), undefined);
  assert.equal(topicNameOf("mesh.test", ""), undefined);
});
