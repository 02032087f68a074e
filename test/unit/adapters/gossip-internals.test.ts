// What the adapter changes inside gossipsub, on gossipsub's own classes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerScore } from "@libp2p/gossipsub/score";
import type { Logger } from "@libp2p/interface";
import { forgetDeliveries } from "../../../src/adapters/libp2p/gossip-internals.ts";
import { peerScores } from "../../../src/adapters/libp2p/gossip-scores.ts";

const SEEN_MS = 30_000;
const nothing = (): void => undefined;
const silent: Logger = Object.assign(nothing, {
  ...{ enabled: false, trace: nothing, error: nothing },
  newScope: () => silent,
});

test("what is remembered of a message's deliveries goes with the seen-cache, however often it comes meanwhile", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const params = { ...peerScores({ reputation: () => 0 }, {}), topics: {} };
  const logger = { forComponent: () => silent };
  const score = new PeerScore(params, null, logger, { scoreCacheValidityMs: 0 });
  forgetDeliveries(score, SEEN_MS);
  score.validateMessage("first");
  t.mock.timers.tick(10_000);
  score.validateMessage("second");
  score.validateMessage("first");
  t.mock.timers.tick(SEEN_MS - 10_000);
  score.background();
  assert.ok(score.deliveryRecords.getRecord("first"));
  t.mock.timers.tick(1);
  score.background();
  assert.equal(score.deliveryRecords.getRecord("first"), undefined);
  assert.ok(score.deliveryRecords.getRecord("second"));
});
