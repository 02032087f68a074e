// Who is silent that is not usually: φ on both sides of its threshold, for members and for links, and what is no silence.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PhiAccrual } from "../../../src/healing/analyze/phi.ts";
import { type Silence, Silences } from "../../../src/healing/analyze/silences.ts";
import type { PeerReading } from "../../../src/healing/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { Bench, PEER } from "./bench.ts";

const at = (ms: number): MonoMs => ms as MonoMs;

/** A noise between -0.5 and 0.5 that is the same in every run. */
const noise = (step: number): number => ((step * 7_919) % 101) / 101 - 0.5;

describe("φ", () => {
  /** Gaps of a second with a deviation of one, as far as the estimate goes. */
  function known(gaps: readonly number[]): PhiAccrual {
    const phi = new PhiAccrual();
    for (const gap of gaps) phi.arrived(gap);
    return phi;
  }
  const steady = known(Array<number>(200).fill(1_000));

  test("is the tail of a normal distribution, as tables have it", () => {
    // Mean 1000, deviation 500: the least one, half of the mean. -log10 of the upper tail at x deviations.
    for (const [x, phi] of [
      [0, 0.301],
      [1, 0.8],
      [2, 1.643],
      [3, 2.87],
      [-2, 0.00999],
    ] as const)
      assert.ok(Math.abs((steady.after(1_000 + 500 * x) ?? 0) - phi) < 0.05, `${x}`);
  });

  test("rises with the silence and never turns into anything but a number", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 1e9, noNaN: true }), { minLength: 8 }),
        fc.double({ min: 0, max: 1e12, noNaN: true }),
        fc.double({ min: 1, max: 1e12, noNaN: true }),
        (gaps, silence, more) => {
          const phi = known(gaps);
          const [before, after] = [phi.after(silence), phi.after(silence + more)];
          assert.ok(before !== undefined && after !== undefined);
          assert.ok(Number.isFinite(after) && before >= 0 && after >= before);
        },
      ),
    );
  });

  test("says nothing before eight gaps", () => {
    assert.equal(known(Array<number>(7).fill(1_000)).after(60_000), undefined);
    assert.ok((known(Array<number>(8).fill(1_000)).after(60_000) ?? 0) > 8);
  });

  test("is lower where gaps vary, and one long gap is not the usual", () => {
    const varied = known(Array.from({ length: 200 }, (_, step) => 1_000 + 1_800 * noise(step)));
    assert.ok((varied.after(3_000) ?? 0) < (steady.after(3_000) ?? 0));
    const once = known([...Array<number>(200).fill(1_000), 600_000]);
    assert.ok(once.usualMs < 1_100);
  });
});

/** Peers that are heard of each second, and answer probes each `everyMs`, but for what `signs` says. */
class Watch {
  readonly silences = new Silences();
  seconds = 0;
  last: Silence = { values: {}, deadLinks: new Map() };

  run(seconds: number, signs: (second: number) => readonly Partial<PeerReading>[]): this {
    for (let left = seconds; left > 0; left--) {
      this.seconds++;
      const peers = signs(this.seconds).map((peer, index) => ({
        ...{ nodeId: index.toString(16).padStart(64, "0"), state: "alive" as const },
        ...{ connected: true, wanted: true, proven: false, ...peer },
      }));
      this.last = this.silences.look(peers, at(this.seconds * 1_000));
    }
    return this;
  }
}

const now = (second: number): MonoMs => at(second * 1_000 - 300);
const everyTwelve = (second: number): MonoMs => at(Math.floor(second / 12) * 12_000);

describe("a link", () => {
  const well = (second: number) => [{ heardAtMs: now(second), answeredAtMs: everyTwelve(second) }];
  /** Heard of through others, while no probe is answered from `fromSecond` on. */
  const dead = (fromSecond: number) => (second: number) => [
    { heardAtMs: now(second), answeredAtMs: everyTwelve(Math.min(second, fromSecond)) },
  ];

  test("that answers as ever is none; one that does not is, though its peer is heard of", () => {
    assert.equal(new Watch().run(900, well).last.deadLinks.size, 0);
    const watch = new Watch().run(600, well).run(40, dead(600));
    assert.equal(watch.last.deadLinks.size, 0);
    watch.run(20, dead(600));
    const [evidence] = [...watch.last.deadLinks.values()];
    assert.match(evidence?.finding ?? "", /^silent for \d\d s, usually 12 s$/);
    assert.equal(watch.last.values.silentRatio, 0);
    assert.ok((watch.last.values.linkPhi ?? 0) > 8);
    assert.equal(watch.run(1, well).last.deadLinks.size, 0);
  });

  test("on which every third probe is lost is none", () => {
    let answered = 0;
    const lossy = (second: number) => {
      if (second % 12 === 0 && noise(second) > -0.2) answered = second;
      return [{ heardAtMs: now(second), answeredAtMs: at(answered * 1_000) }];
    };
    const watch = new Watch();
    for (let round = 0; round < 600; round++)
      assert.equal(watch.run(3, lossy).last.deadLinks.size, 0, `${watch.seconds} s`);
  });

  test("that there is not, is not silent", () => {
    const gone = (second: number) => [{ heardAtMs: now(second), connected: false }];
    assert.equal(new Watch().run(600, well).run(300, gone).last.deadLinks.size, 0);
  });
});

describe("the share of the silent", () => {
  const four = (talking: number) => (second: number) =>
    [0, 1, 2, 3].map((index) => ({ heardAtMs: now(index < talking ? second : 100) }));

  test("counts who is silent for longer than usual, and not a moment before", () => {
    const watch = new Watch().run(100, four(4)).run(3, four(1));
    assert.equal(watch.last.values.silentRatio, 0);
    assert.equal(watch.run(2, four(1)).last.values.silentRatio, 0.75);
    assert.equal(watch.run(1, four(4)).last.values.silentRatio, 0);
  });

  test("is none after a time in which this node did not look itself", () => {
    const watch = new Watch().run(100, four(4));
    watch.seconds += 60;
    assert.equal(watch.run(1, () => four(4)(100)).last.values.silentRatio, 0);
    assert.equal(watch.run(6, () => four(4)(100)).last.values.silentRatio, 1);
  });

  test("forgets who is gone", () => {
    const watch = new Watch().run(100, four(4)).run(1, () => []);
    assert.equal(watch.last.values.silentRatio, 0);
    // Whoever comes back is learned anew: five seconds of silence surprise nobody.
    assert.equal(watch.run(6, () => four(4)(101)).last.values.silentRatio, 0);
  });
});

test("a dead link is a symptom with its evidence, and a look at silent members makes the view stale", () => {
  const bench = new Bench();
  const peers = (answered: number, heard: number): PeerReading[] => [
    {
      ...{ nodeId: PEER, state: "alive", connected: true, wanted: true, proven: false },
      ...{ heardAtMs: now(heard), answeredAtMs: everyTwelve(answered) },
    },
  ];
  for (let second = 1; second <= 300; second++) bench.run(1, {}, { peers: peers(second, second) });
  assert.deepEqual(bench.effects, []);
  for (let second = 301; second <= 360; second++) bench.run(1, {}, { peers: peers(300, second) });
  assert.deepEqual(
    [bench.incident.cause.code, bench.incident.symptoms[0]?.evidence[0]?.observation],
    ["mesh/peer-unreachable", "linkPhi"],
  );
  for (let second = 361; second <= 380; second++) bench.run(1, {}, { peers: peers(300, 360) });
  assert.ok(bench.machine.standing.some(({ code }) => code === "mesh/view-stale"));
});
