// The machine as a whole: publishing, pulling, dialling, routing, stopping; and two machines that hear each other.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeHeartbeat,
  decodeStateBeacon,
  EVIDENCE_MAX,
  type MeshAction,
  MeshMachine,
  meshMetrics,
  type StateBeacon,
} from "../../../src/mesh/index.ts";
import { encodeRequest } from "../../../src/mesh/zones/request.ts";
import {
  at,
  Bench,
  engine,
  MemoryMeter,
  only,
  seededRandom,
  signedBeacon,
  testNode,
} from "./fixture.ts";

function published(actions: readonly MeshAction[]): StateBeacon | undefined {
  const [first] = only(actions, "publish").filter((action) => action.topic === "state");
  if (first === undefined) return undefined;
  const decoded = decodeStateBeacon(first.bytes);
  assert.ok(decoded.ok);
  return decoded.value.beacon;
}

/** A machine of another node, hearing through its own directory. */
function machineOf(number: number, knows: readonly number[]): MeshMachine {
  const { nodeId, signer } = testNode(number);
  const known = new Map(knows.map((n) => [testNode(n).nodeId, testNode(n).identity]));
  return new MeshMachine({
    ...{ engine, signer, random: seededRandom(number + 1), meter: new MemoryMeter() },
    self: { nodeId, epoch: 1, addresses: [`/ip4/192.0.2.${number}/tcp/4001`], zone: "", roles: [] },
    identities: { lookup: (id) => known.get(id) },
    allows: () => true,
  });
}

describe("publishing", () => {
  test("starts with a state beacon and every timer, once", () => {
    const bench = new Bench();
    const actions = bench.start();
    assert.deepEqual([published(actions)?.epoch, published(actions)?.sequence], [5, 1]);
    const timers = only(actions, "set-timer").map((timer) => timer.id);
    assert.deepEqual(timers.sort(), [
      ...["beacon-period", "detector", "dial", "heartbeat", "zone"],
    ]);
    assert.deepEqual(bench.start(), []);
  });

  test("reveals one link per interval, and skips indices after a stall", () => {
    const bench = new Bench();
    const [timer] = only(bench.start(), "set-timer").filter((t) => t.id === "heartbeat");
    assert.ok(timer !== undefined && timer.delayMs > 0 && timer.delayMs <= 1000);
    const indices = [0, 1000, 2000, 7000].map((later) => {
      const [beat] = only(bench.tick("heartbeat", timer.delayMs + later), "publish");
      const decoded = decodeHeartbeat(beat!.bytes);
      return decoded.ok ? decoded.value.index : undefined;
    });
    assert.deepEqual(indices, [1, 2, 3, 8]);
  });

  test("heartbeats of one machine convince another, across a change of the chain", () => {
    const bench = new Bench({ chainLength: 64 });
    const listener = machineOf(1, [0]);
    listener.handle({ kind: "started" }, at(0));
    let ms = 0;
    const hear = (actions: readonly MeshAction[]): void => {
      for (const action of actions) {
        if (action.kind === "set-timer" && action.id === "heartbeat") ms += action.delayMs;
        if (action.kind !== "publish") continue;
        const verdict = listener.receive(action.bytes, bench.self.nodeId, at(ms));
        assert.equal(verdict.verdict, "accept", JSON.stringify(verdict));
      }
    };
    hear(bench.start());
    for (let i = 0; i < 140; i++) hear(bench.tick("heartbeat", ms));
    const [view] = listener.members();
    assert.ok(view !== undefined && view.heartbeatIndex >= 138 && view.sequence === 3);
    assert.equal(view.state, "alive");
  });

  test("waits for changes to gather and never publishes before the minimum interval", () => {
    const bench = new Bench();
    bench.start();
    const change = (load: number, ms: number) =>
      bench.machine.handle({ kind: "local-changed", load }, at(ms));
    assert.deepEqual(change(0.5, 100), [{ kind: "set-timer", id: "beacon", delayMs: 1900 }]);
    assert.deepEqual(change(0.6, 200), []);
    assert.equal(published(bench.tick("beacon", 2000))?.load, 0.6);
    assert.deepEqual(change(0.7, 9000), [{ kind: "set-timer", id: "beacon", delayMs: 200 }]);
  });

  test("links that keep coming wait longer and longer, and are told soon again after a while", () => {
    const bench = new Bench();
    bench.know(1, 2, 3, 4, 5, 6, 7, 8);
    bench.start();
    const due = (actions: readonly MeshAction[], ms: number): number | undefined => {
      const timer = only(actions, "set-timer").find(({ id }) => id === "beacon");
      return timer === undefined ? undefined : ms + timer.delayMs;
    };
    const connected = (number: number, ms: number) => due(bench.connect(number, ms), ms);
    assert.equal(connected(1, 100), 300, "the first is told at once");
    bench.tick("beacon", 300);
    assert.equal(connected(2, 400), 2_300);
    bench.tick("beacon", 2_300);
    assert.equal(connected(3, 2_400), 6_300);
    assert.equal(connected(4, 2_500), undefined, "goes with the one before");
    bench.tick("beacon", 6_300);
    assert.equal(connected(5, 6_400), 14_300, "the longest interval");
    const lost = bench.machine.handle({ kind: "local-changed", load: 0.5 }, at(6_500));
    assert.equal(due(lost, 6_500), 8_300, "a fact does not wait for links");
    bench.tick("beacon", 8_300);
    assert.equal(connected(6, 8_400), 16_300);
    bench.tick("beacon", 16_300);
    assert.equal(connected(7, 24_400), 24_600, "nothing changed for a while");
    bench.tick("beacon", 24_600);
    assert.equal(connected(8, 24_700), 28_600);
  });

  test("the first link at home is told at once after a beacon without any, and by the minimum interval after others", () => {
    const bench = new Bench();
    bench.know(1, 2);
    bench.start();
    const due = (actions: readonly MeshAction[], ms: number): number | undefined => {
      const timer = only(actions, "set-timer").find(({ id }) => id === "beacon");
      return timer === undefined ? undefined : ms + timer.delayMs;
    };
    assert.equal(due(bench.connect(1, 50), 50), 250);
    bench.tick("beacon", 250);
    const gone = bench.disconnect(1, 300);
    assert.equal(due(gone, 300), 2_250);
    assert.equal(
      due(bench.connect(1, 400), 400),
      undefined,
      "the last one told of it: no flapping link is faster",
    );
    bench.disconnect(1, 500);
    bench.tick("beacon", 2_250);
    assert.equal(due(bench.connect(2, 2_300), 2_300), 2_500);
  });

  test("who comes and goes before a beacon can name it costs few beacons", () => {
    const bench = new Bench();
    bench.know(1);
    let beacons = 0;
    let dueAtMs = Number.POSITIVE_INFINITY;
    const follow = (actions: readonly MeshAction[], ms: number): void => {
      if (published(actions) !== undefined) beacons++;
      const timer = only(actions, "set-timer").find(({ id }) => id === "beacon");
      if (timer !== undefined) dueAtMs = ms + timer.delayMs;
    };
    bench.start();
    for (let ms = 100; ms < 40_000; ms += 100) {
      if (dueAtMs <= ms) {
        dueAtMs = Number.POSITIVE_INFINITY;
        follow(bench.tick("beacon", ms), ms);
      }
      follow(ms % 200 === 0 ? bench.connect(1, ms) : bench.disconnect(1, ms), ms);
    }
    // Three at once, one in ten seconds, and those of links like any other, in the end one in eight seconds.
    assert.ok(beacons > 4 && beacons <= 14, `${beacons}`);
  });

  test("the loss of a neighbour is told soon, of one in another zone when links are", () => {
    const bench = new Bench();
    bench.know(1, 2, 3);
    bench.start();
    const due = (actions: readonly MeshAction[]): number | undefined =>
      only(actions, "set-timer").find(({ id }) => id === "beacon")?.delayMs;
    for (const [number, zone] of [
      [1, ""],
      [2, "far"],
    ] as const) {
      bench.connect(number, 100);
      const node = testNode(number);
      bench.machine.receive(signedBeacon(node, { zone }), node.nodeId, at(101));
    }
    bench.tick("beacon", 2_000);
    bench.connect(3, 2_001);
    bench.tick("beacon", 6_000);
    assert.equal(due(bench.disconnect(2, 6_001)), 7_999);
    assert.equal(due(bench.disconnect(1, 6_002)), 1_998);
  });

  test("a beacon for another reason is the period's, too", () => {
    const bench = new Bench();
    const started = only(bench.start(), "set-timer").find(({ id }) => id === "beacon-period");
    const periodMs = started?.delayMs ?? 0;
    bench.machine.handle({ kind: "local-changed", load: 0.5 }, at(40_000));
    assert.equal(published(bench.tick("beacon", 40_200))?.load, 0.5);
    const early = bench.tick("beacon-period", periodMs);
    assert.equal(published(early), undefined);
    const restMs = only(early, "set-timer")[0]?.delayMs ?? 0;
    assert.ok(Math.abs(restMs - 40_200) <= 1, `${restMs}`);
    assert.notEqual(published(bench.tick("beacon-period", periodMs + restMs)), undefined);
  });

  test("tells the learning status and its end", () => {
    const bench = new Bench();
    bench.start();
    const learning = { taskId: "task-1", round: 3 };
    bench.machine.handle({ kind: "local-changed", learning }, at(1));
    assert.deepEqual(published(bench.tick("beacon", 2000))?.learning, learning);
    bench.machine.handle({ kind: "local-changed", learning: null }, at(3000));
    assert.equal(published(bench.tick("beacon", 5000))?.learning, undefined);
  });

  test("ends with a leaving beacon, no timer, and silence", () => {
    const bench = new Bench();
    bench.start();
    const actions = bench.machine.handle({ kind: "stopping" }, at(5));
    assert.equal(published(actions)?.status, "leaving");
    assert.deepEqual(only(actions, "set-timer"), []);
    assert.deepEqual(bench.tick("heartbeat", 1000), []);
    assert.deepEqual(bench.machine.handle({ kind: "stopping" }, at(6)), []);
  });
});

describe("pulling", () => {
  test("fetches what is missing when a connection comes up, and nothing the second time", () => {
    const bench = new Bench();
    bench.know(1, 2);
    bench.start();
    bench.machine.receive(signedBeacon(testNode(2)), testNode(2).nodeId, at(0));
    const newcomer = machineOf(1, [0, 2]);
    newcomer.handle({ kind: "started" }, at(0));
    const connected = { kind: "peer-connected", peer: bench.self.identity, addresses: [] } as const;
    assert.equal(only(newcomer.handle(connected, at(1)), "pull-beacons").length, 1);
    const answers = bench.machine.beaconsMissingFrom(newcomer.beaconDigest());
    assert.equal(answers.length, 2);
    for (const bytes of answers) {
      assert.equal(newcomer.receive(bytes, bench.self.nodeId, at(2)).verdict, "accept");
    }
    assert.equal(newcomer.members().length, 2);
    assert.deepEqual(bench.machine.beaconsMissingFrom(newcomer.beaconDigest()), []);
  });

  test("passes on proofs of equivocation and keeps back the beacons of the dead", () => {
    const bench = new Bench();
    bench.know(1, 2);
    bench.start();
    const { nodeId } = testNode(1);
    bench.machine.receive(signedBeacon(testNode(1), { load: 0 }), nodeId, at(0));
    bench.machine.receive(signedBeacon(testNode(1), { load: 1 }), nodeId, at(0));
    bench.machine.receive(signedBeacon(testNode(2), { status: "leaving" }), nodeId, at(0));
    const newcomer = machineOf(3, [0, 1, 2]);
    newcomer.handle({ kind: "started" }, at(0));
    const answers = bench.machine.beaconsMissingFrom(newcomer.beaconDigest());
    for (const bytes of answers) newcomer.receive(bytes, bench.self.nodeId, at(2));
    const states = newcomer.members().map((member) => [member.nodeId, member.state]);
    assert.deepEqual(new Map(states.map(([id, state]) => [id, state])).get(nodeId), "quarantined");
    assert.equal(
      newcomer.members().some((member) => member.nodeId === testNode(2).nodeId),
      false,
    );
    assert.deepEqual(bench.machine.beaconsMissingFrom(newcomer.beaconDigest()), []);
  });

  test("answers a malformed or oversized digest with nothing, and stops at its limit", () => {
    const bench = new Bench({ membersMax: 4, pullBeaconsMax: 1 });
    bench.know(1);
    bench.start();
    bench.machine.receive(signedBeacon(testNode(1)), testNode(1).nodeId, at(0));
    const asking = (bytes: number): Uint8Array => encodeRequest("", new Uint8Array(bytes), []);
    assert.deepEqual(bench.machine.beaconsMissingFrom(new Uint8Array(39)), []);
    const entriesMax = 4 + 1 + EVIDENCE_MAX;
    assert.deepEqual(bench.machine.beaconsMissingFrom(asking(39)), []);
    assert.deepEqual(bench.machine.beaconsMissingFrom(asking(40 * (entriesMax + 1))), []);
    assert.equal(bench.machine.beaconsMissingFrom(asking(40 * entriesMax)).length, 1);
  });
});

describe("dialling", () => {
  function knowing(count: number, options = {}): Bench {
    const bench = new Bench(options);
    const numbers = Array.from({ length: count }, (_, i) => i + 1);
    bench.know(...numbers);
    bench.start();
    for (const n of numbers) {
      bench.machine.receive(signedBeacon(testNode(n)), testNode(n).nodeId, at(0));
    }
    return bench;
  }

  test("dials known members until the target is reached, a few at a time, each with growing pauses", () => {
    const bench = knowing(6);
    const dials: string[] = [];
    for (let ms = 4000; ms <= 10_000; ms += 2000) {
      dials.push(...only(bench.tick("dial", ms), "dial").map((dial) => dial.nodeId));
    }
    assert.ok(dials.length >= 6 && dials.length <= 18);
    assert.equal(new Set(dials).size, 6);
    assert.equal(only(bench.tick("dial", 10_000), "dial").length <= 4, true);
  });

  test("stops at the target", () => {
    const bench = knowing(4, { connectionsTarget: 2 });
    bench.connect(1, 1);
    assert.equal(only(bench.tick("dial", 5000), "dial").length, 1);
    bench.connect(2, 2);
    assert.equal(only(bench.tick("dial", 9000), "dial").length, 0);
  });

  test("keeps trying the dead, so that the halves of a partition meet again", () => {
    const bench = knowing(1, { connectionsTarget: 0 });
    for (let ms = 500; ms < 10_000; ms += 500) bench.tick("detector", ms);
    assert.equal(bench.state(1), "dead");
    assert.equal(only(bench.tick("dial", 20_000), "dial").length, 1);
  });

  test("a node of another zone whose connection was given up is not dialled as one of the own", () => {
    const bench = knowing(1);
    bench.know(2);
    bench.connect(2, 1);
    const other = testNode(2);
    bench.machine.receive(signedBeacon(other, { zone: "far" }), other.nodeId, at(2));
    bench.disconnect(2, 3);
    assert.equal(bench.state(2), "alive", "still known for its grace time");
    const dials = only(bench.tick("dial", 10_000), "dial").map(({ nodeId }) => nodeId);
    assert.deepEqual(dials, [testNode(1).nodeId]);
  });

  test("tries who is back with a beacon and no heartbeat yet at once, although it has all it wants", () => {
    const bench = knowing(1, { connectionsTarget: 0 });
    for (let ms = 500; ms < 10_000; ms += 500) bench.tick("detector", ms);
    for (let ms = 10_000; ms < 50_000; ms += 2000) bench.tick("dial", ms);
    assert.deepEqual(only(bench.tick("dial", 50_000), "dial"), [], "a pause after many failures");
    const back = signedBeacon(testNode(1), { sequence: 2 });
    bench.machine.receive(back, testNode(2).nodeId, at(50_001));
    assert.equal(bench.state(1), "joining");
    assert.equal(only(bench.tick("dial", 52_000), "dial").length, 1);
  });
});

describe("routes", () => {
  const far = testNode(2);
  const report = (number: number) => ({
    ...{ nodeId: testNode(number).nodeId, rttMs: 1, lossRatio: 0, suspect: false },
  });

  test("lead over a neighbour to a member beyond, and vanish when the neighbour is suspected", () => {
    const bench = new Bench();
    bench.know(1, 2);
    bench.start();
    bench.connect(1, 0);
    const between = [report(0), report(2)].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const near = testNode(1);
    bench.machine.receive(signedBeacon(near, { neighbours: between }), near.nodeId, at(0));
    bench.machine.receive(signedBeacon(far, { neighbours: [report(1)] }), far.nodeId, at(0));
    const route = bench.machine.routes().find((r) => r.target === far.nodeId);
    assert.deepEqual([route?.nextHop, route?.hops], [near.nodeId, 2]);
    assert.equal(bench.machine.topology().length, 2);
    bench.disconnect(1, 10);
    assert.equal(bench.state(1), "suspect");
    assert.deepEqual(bench.machine.routes(), []);
  });
});

test("a peer without a beacon is joining while connected and forgotten when it goes", () => {
  const bench = new Bench();
  bench.start();
  bench.connect(1, 0);
  assert.equal(bench.state(1), "joining");
  assert.equal(bench.meter.value("meshd_mesh_connections"), 1);
  bench.disconnect(1, 1);
  assert.equal(bench.state(1), undefined);
  assert.equal(bench.meter.value("meshd_mesh_connections"), 0);
});

test("a connected peer without a beacon is never suspected: it may be of another zone", () => {
  const bench = new Bench();
  bench.start();
  bench.connect(1, 0);
  for (let ms = 500; ms < 60_000; ms += 500) {
    for (const { nodeId } of only(bench.tick("detector", ms), "probe"))
      bench.machine.handle({ kind: "probe-failed", nodeId }, at(ms));
  }
  assert.equal(bench.state(1), "joining");
});

test("the same events from the same seed give the same actions", () => {
  const run = (): string => {
    const bench = new Bench();
    bench.know(1, 2, 3);
    const log: MeshAction[] = [...bench.start()];
    for (const n of [1, 2, 3]) log.push(...bench.connect(n, n));
    for (let ms = 500; ms < 8000; ms += 500) {
      log.push(
        ...bench.tick("detector", ms),
        ...bench.tick("dial", ms),
        ...bench.tick("heartbeat", ms),
      );
    }
    // Signatures are hedged: compare what the beacons say, not their bytes.
    return JSON.stringify(
      log.map((action) => (action.kind === "publish" ? action.bytes.length : action)),
    );
  };
  assert.equal(run(), run());
});

test("every metric that a busy machine moves is declared", () => {
  const bench = new Bench();
  bench.know(1);
  bench.start();
  bench.connect(1, 0);
  bench.machine.receive(signedBeacon(testNode(1)), testNode(1).nodeId, at(0));
  bench.machine.handle({ kind: "rtt", nodeId: testNode(1).nodeId, rttMs: 3 }, at(1));
  for (let ms = 500; ms < 12_000; ms += 500) bench.tick("detector", ms);
  bench.machine.routes();
  const declared = new Set(meshMetrics.map((metric) => metric.name));
  for (const key of bench.meter.values.keys()) assert.ok(declared.has(key.split("{")[0]!), key);
});
