// Participants and messages for tests of the round protocol.

import assert from "node:assert/strict";
import { genesisDigest, population } from "../../../src/learning/index.ts";
import { decodeMessage, type RoundMessage } from "../../../src/learning/protocol/messages.ts";
import type { Place } from "../../../src/learning/protocol/wire.ts";
import { digestOf, modelSignatures, sha256 } from "../../sim/learning/round-network.ts";

export { digestOf, sha256 };
export const signatures = modelSignatures;

const ids = [0, 1, 2, 3].map((i) => digestOf("id", String(i))).sort();
/** Four participants, one of which may lie. */
export const four = population(ids, 1);
const signers = ids.map((id) => modelSignatures.signer(sha256(Buffer.from(id))));

export function signerOf(index: number) {
  const signer = signers[index];
  assert.ok(signer !== undefined);
  return signer;
}

/** A participant's place in the first round of the task "task". */
export function placeOf(index: number, round = 1): Place {
  const previous = genesisDigest(sha256, digestOf("task"), digestOf("model"));
  return { task: digestOf("task"), round, previous, nodeId: ids[index] ?? "" };
}

export function decode(bytes: Uint8Array): RoundMessage {
  const decoded = decodeMessage(bytes, four, sha256);
  assert.ok(decoded.ok, JSON.stringify(decoded));
  return decoded.value;
}
