// Which signed tasks a node accepts from the mesh. The node takes part in none of them, so nothing is trained.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import type { GossipDecision } from "../../../src/adapters/libp2p/gossip.ts";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { nodeIdOf, type NodeId, type PeerIdentity } from "../../../src/identity/index.ts";
import {
  defaultTraining,
  GLYPH_CLASSES,
  GLYPH_FEATURES,
  parseTask,
  signTask,
  type TaskManifest,
} from "../../../src/learning/index.ts";
import { LearningService, type LearningServiceDeps } from "../../../src/node/learning-service.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";

const engine = createNativeEngine();
const NOW = 1_800_000_000_000;

function person(fill: number): {
  identity: PeerIdentity;
  signer: ReturnType<typeof engine.mlDsa65.signer>;
} {
  const signer = engine.mlDsa65.signer(new Uint8Array(32).fill(fill));
  const ed25519 = engine.ed25519.signer(new Uint8Array(32).fill(fill)).publicKey;
  const nodeId = nodeIdOf(engine, ed25519, signer.publicKey);
  const name = `node-${fill}`;
  return {
    signer,
    identity: {
      nodeId,
      spiffeId: `spiffe://a.mesh/node/${name}`,
      trustDomain: "a.mesh",
      name,
      ed25519,
      mldsa65: signer.publicKey,
      chain: [],
      notBeforeMs: 0 as WallMs,
      notAfterMs: (NOW + 1e9) as WallMs,
      serialNumber: "01",
    },
  };
}

const me = person(1);
const creator = person(2);
const stranger = person(3);
const forwarder = person(4).identity.nodeId;

/** Of whom one is away. */
const members = [
  me.identity.nodeId,
  ...Array.from({ length: 12 }, (_, i) => person(i + 5).identity.nodeId),
].map((nodeId, i) => ({ nodeId, name: `node-${i}`, alive: i !== 7 }));

function task(change: Partial<TaskManifest> = {}): TaskManifest {
  return parseTask({
    schemaVersion: 2,
    taskId: "task-1",
    name: "test",
    trustDomain: "a.mesh",
    createdBy: creator.identity.nodeId,
    createdAtMs: NOW,
    model: { kind: "softmax", features: GLYPH_FEATURES, classes: GLYPH_CLASSES },
    seed: 1,
    data: { kind: "glyphs", seed: 1, trainSamples: 100, testSamples: 50, dirichletAlpha: 1 },
    trainer: defaultTraining.trainer,
    aggregator: "mean",
    byzantine: 0,
    orchestrator: { kind: "epidemic", roundTimeoutMs: 1000 },
    compression: { kind: "none" },
    schedule: { kind: "constant" },
    convergence: null,
    initialWeights: null,
    rounds: 1,
    participants: [creator.identity.nodeId, stranger.identity.nodeId].sort(),
    attack: "none",
    ...change,
  });
}

describe("a node that hears of a training task", () => {
  let directory: string;
  let store: StateStore;
  let gossip: (from: NodeId, bytes: Uint8Array) => Promise<GossipDecision>;
  let codes: unknown[];
  let denied: string | undefined;
  let errors: unknown[];
  let service: LearningService;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "x0-learning-"));
    store = new StateStore(directory);
    codes = [];
    errors = [];
    denied = undefined;
    const known = new Map([me, creator].map(({ identity }) => [identity.nodeId, identity]));
    const ignore = (): undefined => undefined;
    const deps = {
      network: {
        subscribe: (_topic: string, validate: typeof gossip) => {
          gossip = validate;
        },
        serve: () => Promise.resolve(),
        handleStreams: () => Promise.resolve(),
      },
      store,
      identities: { lookup: (id: NodeId) => known.get(id), fetch: () => Promise.resolve(false) },
      engine,
      signer: me.signer,
      clock: { now: () => ({ monoMs: 0 as MonoMs, wallMs: NOW as WallMs }) },
      logger: {
        debug: (fields: { code?: unknown }) => codes.push(fields.code),
        info: ignore,
        warn: ignore,
        error: (fields: { code?: unknown }) => errors.push(fields.code),
      },
      meter: { count: ignore, set: ignore, observe: ignore },
      self: me.identity,
      allows: (spiffeId: string) => spiffeId !== denied,
      members: () => members,
      mesh: () => ({ connections: 0, members: [] }),
      onLearning: ignore,
    } as unknown as LearningServiceDeps;
    const learning = { enabled: true, adversary: false, memoryBytes: 1e8, csv: null };
    service = new LearningService(deps, { learning, zone: "default", clockSkewMs: 60_000 });
    await service.start();
  });
  afterEach(() => {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function hears(bytes: Uint8Array): Promise<readonly [GossipDecision, unknown]> {
    const decision = await gossip(forwarder, bytes);
    return [decision, codes.at(-1)];
  }

  test("of its own operator refuses in a dry run what it could not start, and says who is left out", async () => {
    const begin = (byzantine: number) =>
      service.begin({ task: { byzantine, orchestrator: { kind: "hierarchical" } }, dryRun: true });
    await assert.rejects(begin(3), { code: "learning/bad-task", message: /byzantine 1 or less/ });
    const { started, absent, participants } = await begin(1);
    assert.deepEqual([started, absent, participants.length], [false, ["node-7"], 12]);
  });

  test("accepts one that its creator signed and may coordinate", async () => {
    assert.equal((await hears(signTask(creator.signer, task())))[0], "accept");
  });

  test("takes no part in rounds from before its state was restored, to the last of the clocks", async () => {
    const participants = [1, 2, 3, 4].map((n) => person(n).identity.nodeId).sort();
    const csv = { kind: "csv", digest: "ab".repeat(32), labelColumn: "class", seed: 1 } as const;
    const bytes = signTask(
      creator.signer,
      task({
        ...{ participants, byzantine: 1, aggregator: "arc+nnm+geometric-median" },
        ...{ data: { ...csv, testSamples: 50, dirichletAlpha: 1 } },
        orchestrator: { kind: "batch-async", target: 4, deadlineMs: 1000 },
      }),
    );
    store.settleRestored((NOW - 60_000) as WallMs);
    await hears(bytes);
    store.settleRestored((NOW - 60_001) as WallMs);
    await hears(bytes);
    // This node has no such file: it would begin otherwise.
    assert.deepEqual(errors, ["learning/state-restored", "learning/bad-data"]);
  });

  test("rejects one that another key signed", async () => {
    assert.deepEqual(await hears(signTask(me.signer, task())), [
      "reject",
      "learning/bad-signature",
    ]);
  });

  test("rejects one with a changed byte, anywhere", async () => {
    const signed = signTask(creator.signer, task());
    for (const at of [0, 60, signed.length - 1]) {
      const bytes = signed.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      assert.equal((await hears(bytes))[0], "reject", `byte ${at}`);
    }
  });

  test("rejects one of another trust domain", async () => {
    const bytes = signTask(creator.signer, task({ trustDomain: "b.mesh" }));
    assert.deepEqual(await hears(bytes), ["reject", "learning/wrong-domain"]);
  });

  test("ignores one whose creator nobody knows here", async () => {
    const bytes = signTask(stranger.signer, task({ createdBy: stranger.identity.nodeId }));
    assert.deepEqual(await hears(bytes), ["ignore", "learning/unknown-creator"]);
  });

  test("ignores one whose creator has no right to coordinate", async () => {
    denied = creator.identity.spiffeId;
    const bytes = signTask(creator.signer, task());
    assert.deepEqual(await hears(bytes), ["ignore", "learning/not-allowed"]);
  });

  test("ignores one from the future beyond the clock skew, and takes one within it", async () => {
    const at = (ms: number, taskId: string): Uint8Array =>
      signTask(creator.signer, task({ createdAtMs: NOW + ms, taskId }));
    assert.deepEqual(await hears(at(60_001, "later")), ["ignore", "learning/future-task"]);
    assert.equal((await hears(at(60_000, "soon")))[0], "accept");
    assert.equal((await hears(at(0, "now")))[0], "accept", "an earlier one is no replay");
  });

  test("ignores one that is older than a day", async () => {
    const at = (ms: number): Uint8Array =>
      signTask(creator.signer, task({ createdAtMs: NOW - ms }));
    assert.deepEqual(await hears(at(86_400_001)), ["ignore", "learning/old-task"]);
    assert.equal((await hears(at(86_400_000)))[0], "accept");
  });

  test("never runs one again that it has run: its model stays", async () => {
    const signed = signTask(creator.signer, task());
    const model = Uint8Array.of(1, 2, 3);
    store.saveTask(
      { taskId: "task-1", signed, state: "finished", round: 1, model, history: "[]" },
      NOW as WallMs,
    );
    assert.deepEqual(await hears(signed), ["ignore", "learning/old-task"]);
    assert.deepEqual(Uint8Array.from(store.latestTask()?.model ?? []), model);
  });

  test("verifies sixteen of one forwarder at once, and no seventeenth", async () => {
    for (let i = 0; i < 16; i++) {
      const bytes = signTask(creator.signer, task({ taskId: `task-${i}` }));
      assert.equal((await hears(bytes))[0], "accept", `task ${i}`);
    }
    const more = signTask(creator.signer, task({ taskId: "more" }));
    assert.deepEqual(await hears(more), ["ignore", "learning/too-many-tasks"]);
  });
});
