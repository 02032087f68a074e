// Rotation of workloads' SVIDs over days of virtual time, with the real desk of an issuer that comes and goes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MeshError } from "../../../../src/foundation/index.ts";
import { HeldSvids } from "../../../../src/node/workload/held-svids.ts";
import type { MonoMs } from "../../../../src/ports/index.ts";
import { engine, NOW, seededRandom } from "../../identity/support.ts";
import { ask, at, draft, makeWorkloadDomain, nodeCalled } from "../../identity/workload/support.ts";

const LIFE_MS = 3_600_000;

function setUp() {
  const domain = makeWorkloadDomain();
  const entry = domain.book.create({ ...draft, x509TtlS: LIFE_MS / 1000 }, NOW);
  /** Time that has passed; how far all wall clocks are ahead of it, and how much farther the node's. */
  const world = { ms: 0, aheadMs: 0, nodeAheadMs: 0, isAway: false, results: [] as string[] };
  const now = (aheadMs: number) => ({ ...at(world.ms + aheadMs), monoMs: world.ms as MonoMs });
  const svids = new HeldSvids({
    engine,
    random: seededRandom("held"),
    clock: { now: () => now(world.aheadMs + world.nodeAheadMs) },
    self: nodeCalled("alpha").nodeId,
    bundle: () => domain.bundle,
    ask: (request) =>
      world.isAway
        ? Promise.reject(new MeshError("identity/not-issuer", "away"))
        : Promise.resolve(
            ask(domain.desk, request, nodeCalled("alpha", NOW + 1e10), now(world.aheadMs)),
          ),
    attempted: (result) => void world.results.push(result),
  });
  return { domain, entry, world, svids };
}

describe("SVIDs of workloads", () => {
  it("[W6] are renewed with a new key at half of their life, jittered by a tenth, for as long as there is an issuer", async () => {
    const { entry, world, svids } = setUp();
    await svids.keep([entry]);
    for (let life = 0; life < 48; life++) {
      const before = svids.find(entry, "es256") ?? assert.fail("none");
      const share = (before.renewAtMs - NOW - world.ms) / LIFE_MS;
      assert.ok(share >= 0.45 && share <= 0.55, `renewal at ${share}`);
      world.ms = before.renewAtMs - NOW - 1;
      await svids.keep([entry]);
      assert.equal(svids.find(entry, "es256"), before, "not a moment sooner");
      world.ms += 1;
      await svids.keep([entry]);
      const after = svids.find(entry, "es256") ?? assert.fail("none");
      assert.notDeepEqual(after.key, before.key);
    }
    assert.ok(!world.results.includes("failed"));
  });

  it("are kept while no issuer answers, until they expire and not longer; then there are new ones by themselves", async () => {
    const { entry, world, svids } = setUp();
    await svids.keep([entry]);
    world.isAway = true;
    for (world.ms = 0; world.ms < LIFE_MS; world.ms += 60_000) await svids.keep([entry]);
    world.ms = LIFE_MS - 1;
    assert.ok(svids.find(entry, "es256") && svids.find(entry, "ml-dsa-65"));
    const failures = world.results.filter((result) => result === "failed").length;
    assert.ok(failures > 4 && failures < 60, `${failures} attempts in half an hour for two SVIDs`);
    world.ms = LIFE_MS;
    assert.equal(svids.find(entry, "es256"), undefined);
    world.isAway = false;
    world.ms += 600_000;
    assert.equal(await svids.keep([entry]), true);
    assert.ok(svids.find(entry, "es256") && svids.find(entry, "ml-dsa-65"));
  });

  it("are whole after a clock of the node's, or of both, was put forward and back by hours", async () => {
    const { entry, world, svids } = setUp();
    await svids.keep([entry]);
    const first = svids.find(entry, "es256");
    // The node's clock alone: what it holds seems over, and what the issuer makes, too.
    world.nodeAheadMs = 5 * LIFE_MS;
    await svids.keep([entry]);
    assert.equal(svids.find(entry, "es256"), undefined);
    world.nodeAheadMs = 0;
    assert.equal(svids.find(entry, "es256"), first, "nothing was thrown away");
    // Both: new ones are made, of a time that is not yet, and replaced as soon as that is seen.
    world.ms = 60_000;
    world.aheadMs = 5 * LIFE_MS;
    await svids.keep([entry]);
    const ahead = svids.find(entry, "es256") ?? assert.fail("none");
    world.aheadMs = 0;
    await svids.keep([entry]);
    const held = svids.find(entry, "es256") ?? assert.fail("none");
    assert.ok(ahead.notBeforeMs > NOW + world.ms && held.notBeforeMs <= NOW + world.ms);
    assert.equal(await svids.keep([entry]), false, "once");
  });

  it("go with their entry, and are made anew when what it says changes", async () => {
    const { entry, svids } = setUp();
    await svids.keep([entry]);
    assert.equal(await svids.keep([entry]), false);
    const before = svids.find(entry, "es256");
    await svids.keep([{ ...entry, hint: "changed" }]);
    assert.notEqual(svids.find(entry, "es256"), before);
    assert.equal(await svids.keep([]), true);
    assert.equal(svids.find(entry, "es256"), undefined);
    assert.deepEqual(svids.all(), []);
  });

  it("that are for another key, another id or not by the bundle are not taken", async () => {
    const { domain, entry } = setUp();
    const other = makeWorkloadDomain("other root");
    const foreign = other.book.create(draft, NOW);
    const results: string[] = [];
    const svids = new HeldSvids({
      engine,
      random: seededRandom("held"),
      clock: { now: () => at(0) },
      self: nodeCalled("alpha").nodeId,
      bundle: () => domain.bundle,
      ask: (request) =>
        Promise.resolve(
          request.op === "x509"
            ? ask(other.desk, { ...request, entry: foreign.id })
            : assert.fail(),
        ),
      attempted: (result, _entry, error) =>
        void results.push(`${result} ${error instanceof MeshError ? String(error.code) : ""}`),
    });
    await svids.keep([entry]);
    assert.deepEqual(svids.all(), []);
    assert.deepEqual(new Set(results), new Set(["failed identity/untrusted"]));
  });
});
