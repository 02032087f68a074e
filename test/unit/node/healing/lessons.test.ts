// Lessons between two nodes with real keys: what one learned the other hears, and nothing that is not from whom it names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "../../../../src/adapters/random.ts";
import { createNobleEngine, type MlDsaSigner } from "../../../../src/crypto/index.ts";
import type { Incident } from "../../../../src/healing/index.ts";
import type { NodeId, PeerIdentity } from "../../../../src/identity/index.ts";
import { Lessons } from "../../../../src/node/healing/lessons.ts";
import type { MonoMs, WallMs } from "../../../../src/ports/index.ts";
import { incident, wall } from "../../healing/incidents.ts";

const engine = createNobleEngine(systemRandom);
const A = "0a".repeat(32) as NodeId;
const B = "0b".repeat(32) as NodeId;

const cured = incident("0a0a0a0a-1", "mesh/isolated", {
  actions: [
    {
      ...{ playbook: "rejoin", action: "rejoin", level: "act", outcome: "mended" },
      ...{ startedMs: wall(1), reason: "free text" },
    },
  ],
});

function signerOf(byte: number): MlDsaSigner {
  return engine.mlDsa65.signer(new Uint8Array(32).fill(byte));
}

function node(self: NodeId, signer: MlDsaSigner, allowed = true) {
  const sent: Uint8Array[] = [];
  const heard: (readonly [NodeId, Incident])[] = [];
  const known = new Map<NodeId, PeerIdentity>();
  const fetched: NodeId[] = [];
  const time = { ms: 0 };
  const lessons = new Lessons({
    ...{ engine, signer, self, epoch: 1 },
    clock: { now: () => ({ monoMs: time.ms as MonoMs, wallMs: time.ms as WallMs }) },
    random: { fraction: () => 0, bytes: (length) => new Uint8Array(length) },
    identities: {
      lookup: (nodeId) => known.get(nodeId),
      fetch: async (nodeId) => {
        fetched.push(nodeId);
        return await Promise.resolve(known.has(nodeId));
      },
    },
    allows: () => allowed,
    publish: async (bytes) => {
      sent.push(bytes);
      await Promise.resolve();
    },
    onLesson: (nodeId, told) => heard.push([nodeId, told]),
  });
  const knows = (nodeId: NodeId, { publicKey }: MlDsaSigner): void => {
    known.set(nodeId, {
      nodeId,
      spiffeId: "spiffe://t/node/x",
      mldsa65: publicKey,
    } as PeerIdentity);
  };
  return { lessons, sent, heard, fetched, knows };
}

async function lessonOf(signer: MlDsaSigner): Promise<Uint8Array> {
  const teller = node(A, signer);
  teller.lessons.closed(cured);
  await teller.lessons.tell();
  const [bytes] = teller.sent;
  assert.ok(bytes !== undefined);
  return bytes;
}

test("what one node learned, the other hears once", async () => {
  const signer = signerOf(1);
  const bytes = await lessonOf(signer);
  const other = node(B, signerOf(2));
  other.knows(A, signer);
  assert.equal(await other.lessons.receive(A, bytes), "accept");
  assert.equal(await other.lessons.receive(A, bytes), "ignore");
  assert.equal(other.heard.length, 1);
  assert.equal(other.heard[0]?.[0], A);
  assert.equal(other.heard[0][1].actions[0]?.playbook, "rejoin");
});

test("a lesson in another's name, or changed on its way, is rejected and not heard", async () => {
  const bytes = await lessonOf(signerOf(1));
  const other = node(B, signerOf(2));
  other.knows(A, signerOf(3));
  assert.equal(await other.lessons.receive(A, bytes), "reject");
  const real = node(B, signerOf(2));
  real.knows(A, signerOf(1));
  const last = bytes.length - 1;
  assert.equal(await real.lessons.receive(A, bytes.with(last, (bytes[last] ?? 0) ^ 1)), "reject");
  assert.deepEqual([...other.heard, ...real.heard], []);
});

test("of somebody whose identity nobody gives, or who has no right, nothing is heard", async () => {
  const signer = signerOf(1);
  const bytes = await lessonOf(signer);
  const stranger = node(B, signerOf(2));
  assert.equal(await stranger.lessons.receive(A, bytes), "ignore");
  assert.deepEqual(stranger.fetched, [A]);
  const strict = node(B, signerOf(2), false);
  strict.knows(A, signer);
  assert.equal(await strict.lessons.receive(A, bytes), "ignore");
  assert.deepEqual([...stranger.heard, ...strict.heard], []);
});

test("garbage is rejected", async () => {
  const one = node(B, signerOf(2));
  assert.equal(await one.lessons.receive(A, new Uint8Array(5_000).fill(1)), "reject");
});
