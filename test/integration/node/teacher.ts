// A member that tells a daemon, over gossip, of an incident that something mended, and then tells what it did not sign.

import assert from "node:assert/strict";
import { topicOf } from "../../../src/adapters/libp2p/topics.ts";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import {
  encodeNotice,
  featuresOf,
  type Incident,
  noticeContext,
  type SymptomCode,
  type TakenAction,
} from "../../../src/healing/index.ts";
import { GOSSIP_PROTOCOL, publishing } from "../../../src/load/gossip-wire.ts";
import { incident, wall } from "../../unit/healing/incidents.ts";
import { type Stack, type TestDaemon, TRUST_DOMAIN, until } from "./harness.ts";
import { HostilePeer } from "./hostile-peer.ts";

type Cure = Pick<TakenAction, "playbook" | "action"> & { readonly cause: SymptomCode };

/** Joins through an issuer as `teacher`; returns when the lesson was taken, its repetition passed over, and two forgeries refused. */
export async function teach(stack: Stack, issuer: TestDaemon, cure: Cure): Promise<void> {
  const { token } = await issuer.client.createToken({ ttlSeconds: 60, name: "teacher" });
  const address = await issuer.address();
  const teacher = await HostilePeer.make(stack, address, { token, name: "teacher" });
  await teacher.connect();
  const gossip = (await teacher.open(GOSSIP_PROTOCOL)) ?? assert.fail("no gossip");
  const { nodeId, mldsa65 } = teacher.keys;
  const body = { kind: "lesson", incident: mended(cure) } as const;
  const lesson = (number: number, context = noticeContext): Uint8Array =>
    encodeNotice({ nodeId, epoch: 1, number, body }, (text) => mldsa65.sign(text, context));
  const tell = async (notice: Uint8Array, decision: string, count = 1): Promise<void> => {
    gossip.send(publishing(topicOf(TRUST_DOMAIN, "default", "healing"), notice));
    await until(`${count} of ${decision}`, async () => {
      const taken = await issuer.metric("meshd_healing_notices_total", { decision });
      return taken === count;
    });
  };
  await tell(lesson(2), "accept");
  await tell(lesson(1), "ignore");
  const altered = lesson(3);
  altered[altered.length - ML_DSA_65.signatureBytes - 1] = NO_EFFECT;
  await tell(altered, "reject");
  await tell(lesson(4, new Uint8Array(1)), "reject", 2);
}

/** What the last action came to, as the wire has it. */
const NO_EFFECT = 2;

function mended({ cause, ...cure }: Cure): Incident {
  const values = { diskFreeRatio: 0.04, svidLeftRatio: 1, connectedRatio: 1, rssBytes: 2e8 };
  const at = wall(Date.now());
  const action: TakenAction = {
    ...cure,
    ...{ level: "act", outcome: "mended", startedMs: at, reason: "" },
  };
  return incident("0a0a0a0a-1", cause, {
    ...{ openedAtMs: at, closedAtMs: at, features: featuresOf({ values }), actions: [action] },
  });
}
