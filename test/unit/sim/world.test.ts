// The world's kernel under a toy node: gossip, timers, connections, crashes, stalls, determinism.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { isMeshError, utf8Bytes, utf8Text } from "../../../src/foundation/index.ts";
import type { Now } from "../../../src/ports/index.ts";
import type {
  Datagram,
  GossipMessage,
  NodeAction,
  NodeEvent,
  ReceiveResult,
  SimNode,
} from "../../../src/sim/node-types.ts";
import { World } from "../../../src/sim/world.ts";
import type { WorldOptions } from "../../../src/sim/world-types.ts";

const sha256 = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
type Actions = NodeAction<Datagram>[];

/** Writes down what happens to it; tells its name on start; bad news is rejected. */
class Diary implements SimNode<Datagram> {
  readonly lines: string[] = [];
  readonly #name: string;
  readonly #onStart: Actions;

  constructor(name: string, onStart: Actions) {
    this.#name = name;
    this.#onStart = onStart;
  }

  handle(event: NodeEvent<Datagram>, now: Now): Actions {
    const { kind, ...rest } = event;
    this.lines.push(`${Math.round(now.monoMs)} ${kind} ${JSON.stringify(rest)}`);
    if (event.kind === "started") return [{ kind: "subscribe", topic: "news" }, ...this.#onStart];
    if (event.kind === "timer" && event.id.startsWith("tell ")) {
      return [
        { kind: "publish", topic: event.id.slice(5), bytes: utf8Bytes(`from ${this.#name}`) },
      ];
    }
    if (event.kind === "timer" && event.id === "at-once") {
      return [{ kind: "set-timer", id: "at-once", delayMs: 0 }];
    }
    return [];
  }

  receive(message: GossipMessage): ReceiveResult<Datagram> {
    const text = utf8Text(message.bytes);
    this.lines.push(`news ${text}`);
    const verdict = text.startsWith("bad") ? "reject" : "accept";
    return { verdict, code: "news", actions: [] };
  }

  /** Whispers stop here. */
  passesOn(message: GossipMessage): boolean {
    return !utf8Text(message.bytes).startsWith("whisper");
  }

  has(part: string): boolean {
    return this.lines.some((line) => line.includes(part));
  }
}

interface Toy {
  readonly world: World<Datagram>;
  readonly diaries: Diary[];
}

/** A line of nodes: each dials the next. */
function line(options: Partial<WorldOptions> & { onStart?: (node: number) => Actions } = {}): Toy {
  const { onStart, ...worldOptions } = options;
  const nodes = options.nodes ?? 5;
  const diaries: Diary[] = [];
  const world = new World<Datagram>(
    {
      sha256,
      spawn: (node) => {
        const dial: Actions = node + 1 < nodes ? [{ kind: "dial", to: node + 1 }] : [];
        return (diaries[node] = new Diary(`node ${node}`, [...dial, ...(onStart?.(node) ?? [])]));
      },
    },
    { seed: 1, ...worldOptions, nodes },
  );
  for (let node = 0; node < nodes; node++) world.start(node);
  return { world, diaries };
}

const TELL: Actions = [{ kind: "set-timer", id: "tell news", delayMs: 2000 }];

test("gossip reaches the far end of a line, once each", () => {
  const { world, diaries } = line({ onStart: (node) => (node === 0 ? TELL : []) });
  world.runUntil(5000);
  for (const diary of diaries.slice(1)) {
    assert.equal(diary.lines.filter((entry) => entry === "news from node 0").length, 1);
  }
  assert.equal(diaries[0]!.has("news from node 0"), false, "the publisher knows its own message");
  assert.equal(world.counts.accepted, 4);
});

test("a rejected message goes no further", () => {
  const bad: Actions = [{ kind: "set-timer", id: "say", delayMs: 2000 }];
  const { world, diaries } = line({ onStart: (node) => (node === 0 ? bad : []) });
  const first = diaries;
  world.plan(1000, "sabotage", () => {
    first[0]!.handle = () => [{ kind: "publish", topic: "news", bytes: utf8Bytes("bad news") }];
  });
  world.runUntil(5000);
  assert.equal(diaries[1]!.has("bad news"), true);
  assert.equal(diaries[2]!.has("bad news"), false);
  assert.equal(world.counts.rejected, 1);
});

test("one seed is one trace, another seed another", () => {
  const run = (seed: number): string => {
    const onStart = (node: number): Actions => [
      { kind: "set-timer", id: "tell news", delayMs: 1500 + node },
    ];
    const { world } = line({ seed, onStart, network: { lossRatio: 0.1, duplicateRatio: 0.1 } });
    world.plan(2500, "crash", () => world.crash(3));
    world.plan(4000, "restart", () => world.start(3));
    world.runUntil(8000);
    assert.ok(world.counts.accepted > 0);
    return world.trace.digest();
  };
  assert.equal(run(7), run(7));
  assert.notEqual(run(7), run(8));
});

test("what a node lacks comes by an offer of a peer that is no edge of it", () => {
  const run = (lazyPeers: number): number => {
    const onStart = (node: number): Actions => (node === 0 ? TELL : []);
    const { world } = line({ meshPeers: 0, floodPublish: false, lazyPeers, onStart });
    world.runUntil(9000);
    return world.counts.accepted;
  };
  assert.equal(run(0), 0, "without edges and offers nobody hears anything");
  assert.equal(run(3), 4);
});

test("what a node leaves to the publisher's flood it passes on only where nobody floods", () => {
  const run = (text: string, floodPublish: boolean): number => {
    const news = { kind: "publish", topic: "news", bytes: utf8Bytes(text) } as const;
    const onStart = (node: number): Actions => (node === 0 ? TELL : []);
    const { world, diaries } = line({ lazyPeers: 0, floodPublish, onStart });
    world.plan(1000, "news", () => (diaries[0]!.handle = () => [news]));
    world.runUntil(9000);
    return diaries.filter((diary) => diary.has(`news ${text}`)).length;
  };
  assert.equal(run("shout", true), 4);
  assert.equal(run("whisper", true), 1, "node 1 alone hears node 0 itself");
  assert.equal(run("whisper", false), 4);
});

test("a message reaches the subscribers of its topic, and nobody else", () => {
  const run = (subscribers: readonly number[], floodPublish: boolean): number => {
    const onStart = (node: number): Actions => [
      ...(node === 2 ? [{ kind: "set-timer", id: "tell other", delayMs: 2000 } as const] : []),
      ...(subscribers.includes(node) ? [{ kind: "subscribe", topic: "other" } as const] : []),
    ];
    const { world, diaries } = line({ floodPublish, onStart });
    world.runUntil(9000);
    return diaries.filter((diary) => diary.has("news from node 2")).length;
  };
  for (const floodPublish of [false, true]) {
    assert.equal(run([0, 1, 2, 3], floodPublish), 3, "all but the publisher");
    assert.equal(run([0, 2, 3], floodPublish), 1, "node 0 has no subscriber beside it");
    assert.equal(run([2], floodPublish), 0);
    assert.equal(run([1, 3], floodPublish), 2, "the publisher need not subscribe");
  }
});

test("who leaves a topic gets no more of it, neither pushed nor offered", () => {
  const onStart = (node: number): Actions =>
    node === 0 ? TELL : [{ kind: "unsubscribe", topic: "news" }];
  const { world, diaries } = line({ onStart });
  world.runUntil(9000);
  assert.ok(diaries.every((diary) => !diary.has("news from")));
});

test("message bytes are in the trace unless told otherwise", () => {
  const run = (text: string, bytesInTrace: boolean): string => {
    const { world, diaries } = line({
      nodes: 2,
      bytesInTrace,
      onStart: (n) => (n === 0 ? TELL : []),
    });
    world.plan(1000, "text", () => {
      diaries[0]!.handle = () => [{ kind: "publish", topic: "news", bytes: utf8Bytes(text) }];
    });
    world.runUntil(3000);
    return world.trace.digest();
  };
  assert.notEqual(run("a", true), run("b", true));
  assert.equal(run("a", false), run("b", false));
});

test("setting a timer again replaces it, clearing it ends it", () => {
  const onStart = (): Actions => [
    { kind: "set-timer", id: "a", delayMs: 10 },
    { kind: "set-timer", id: "a", delayMs: 50 },
    { kind: "set-timer", id: "b", delayMs: 20 },
    { kind: "clear-timer", id: "b" },
  ];
  const { world, diaries } = line({ nodes: 1, onStart });
  world.runUntil(1000);
  assert.deepEqual(diaries[0]!.lines, ["0 started {}", '50 timer {"id":"a"}']);
});

test("after a crash the peer notices by silence, and a new start is a new node", () => {
  const { world, diaries } = line({ nodes: 2, silenceMs: 3000, onStart: () => TELL });
  world.runUntil(1000);
  assert.equal(world.isConnected(0, 1), true);
  const before = diaries[1];
  world.crash(1);
  assert.equal(world.isUp(1), false);
  world.runUntil(3999);
  assert.equal(diaries[0]!.has("disconnected"), false);
  world.runUntil(4001);
  assert.equal(diaries[0]!.has('disconnected {"peer":1}'), true);
  assert.equal(before!.has("timer"), false, "its timer died with it");
  world.start(1);
  world.runUntil(5000);
  assert.notEqual(diaries[1], before);
  assert.equal(diaries[1]!.has("started"), true);
});

test("an orderly stop says goodbye at once", () => {
  const { world, diaries } = line({ nodes: 2, silenceMs: 60_000 });
  world.runUntil(1000);
  world.stop(1);
  world.runUntil(1100);
  assert.equal(diaries[1]!.has("stopping"), true);
  assert.equal(diaries[0]!.has("disconnected"), true);
});

test("a node that comes back early tells those who still believe in the old connection", () => {
  const { world, diaries } = line({ nodes: 2, silenceMs: 60_000, onStart: () => TELL });
  world.runUntil(1000);
  world.crash(1);
  world.start(1);
  world.runUntil(1999);
  assert.equal(diaries[0]!.has("disconnected"), false);
  world.runUntil(2200);
  assert.equal(diaries[0]!.has("disconnected"), true, "its news met a reset");
});

test("a partition breaks connections across it after the silence, and not within", () => {
  const { world, diaries } = line({ nodes: 4, silenceMs: 2000 });
  world.runUntil(1000);
  world.partition([
    [0, 1],
    [2, 3],
  ]);
  world.runUntil(4000);
  assert.equal(diaries[1]!.has('disconnected {"peer":2}'), true);
  assert.equal(diaries[2]!.has('disconnected {"peer":1}'), true);
  assert.equal(world.isConnected(0, 1) && world.isConnected(2, 3), true);
});

test("a partition shorter than the silence breaks nothing", () => {
  const { world } = line({ nodes: 2, silenceMs: 2000 });
  world.runUntil(1000);
  world.partition([[0], [1]]);
  world.runUntil(2500);
  world.network.heal();
  world.runUntil(6000);
  assert.equal(world.isConnected(0, 1), true);
});

test("a dial that nobody answers fails at its timeout", () => {
  const { world, diaries } = line({ nodes: 2, dialTimeoutMs: 700 });
  world.crash(1);
  world.partition([[0], [1]]);
  world.runUntil(699);
  assert.equal(diaries[0]!.has("dial-failed"), false);
  world.runUntil(701);
  assert.equal(diaries[0]!.has('dial-failed {"peer":1}'), true);
});

test("a node holds its limit of connections and refuses one more", () => {
  const star = new World<Datagram>(
    {
      sha256,
      spawn: (node) => new Diary("", node === 0 ? [] : [{ kind: "dial", to: 0 }]),
    },
    { nodes: 4, seed: 1, connectionsMax: 2 },
  );
  for (let node = 0; node < 4; node++) star.start(node);
  star.runUntil(10_000);
  assert.equal(star.peers(0).length, 2);
  assert.equal(star.counts.dialsFailed, 1);
});

test("a stalled node catches up when the stall ends", () => {
  const { world, diaries } = line({ nodes: 2, onStart: (node) => (node === 0 ? TELL : []) });
  world.runUntil(1000);
  world.stall(1, 8000);
  world.runUntil(7999);
  assert.equal(diaries[1]!.has("news"), false);
  world.runUntil(8000);
  assert.equal(diaries[1]!.has("news from node 0"), true);
});

test("nodes that answer at once for ever are found out", () => {
  const { world } = line({
    nodes: 1,
    onStart: () => [{ kind: "set-timer", id: "at-once", delayMs: 0 }],
  });
  assert.throws(
    () => world.runUntil(1),
    (error) => isMeshError(error, "sim/no-progress"),
  );
});

test("a node that is not there, and a world of none, are refused", () => {
  const { world } = line();
  assert.throws(
    () => world.isUp(5),
    (error) => isMeshError(error, "sim/unknown-node"),
  );
  assert.equal(world.isUp(4), false);
  assert.throws(
    () => line({ nodes: 0 }),
    (error) => isMeshError(error, "sim/bad-option"),
  );
});
