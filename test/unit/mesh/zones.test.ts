// Zones without a network: names, election, the depth rule, routes, the table of summaries, and one machine's part in it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import {
  decodeSummary,
  encodeSummary,
  type GossipVerdict,
  type MeshOptions,
  summaryRejectCodes,
  type ZoneSummary,
} from "../../../src/mesh/index.ts";
import { lastWord } from "../../../src/mesh/zones/summary.ts";
import { commonDepth, depthOfSize, meshSize, wantedDepth } from "../../../src/mesh/zones/depth.ts";
import { fingers } from "../../../src/mesh/zones/links-outside.ts";
import { Rendezvous } from "../../../src/mesh/zones/rendezvous.ts";
import {
  autoZone,
  belongs,
  fits,
  isZoneName,
  startingZone,
} from "../../../src/mesh/zones/zone-names.ts";
import { zonePath } from "../../../src/mesh/zones/zone-routes.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import {
  at,
  Bench,
  engine,
  flipped,
  only,
  signedBeacon,
  type TestNode,
  testNode,
} from "./fixture.ts";

const forwarder = testNode(9).nodeId;
const idOf = (digits: string): NodeId => digits.padEnd(64, "0") as NodeId;

/** A plausible summary of a node for zone `far`, issued at 0. */
function summaryOf(node: TestNode, change: Partial<ZoneSummary> = {}): ZoneSummary {
  return {
    zone: "far",
    publisher: node.nodeId,
    epoch: 1,
    sequence: 1,
    issuedAtMs: at(0).wallMs,
    members: 4,
    load: 0.5,
    digest: new Uint8Array(32),
    gateways: [{ nodeId: node.nodeId, epoch: 1, addresses: ["/ip4/192.0.2.1/tcp/1"] }],
    contacts: [],
    neighbours: [],
    ...change,
  };
}

const signed = (node: TestNode, change: Partial<ZoneSummary> = {}): Uint8Array =>
  encodeSummary(summaryOf(node, change), node.signer);

/** A running machine of zone "" that knows the first eight nodes' identities. */
function started(options: Partial<MeshOptions> = {}, self = {}): Bench {
  const bench = new Bench(options, self);
  bench.know(1, 2, 3, 4, 5, 6, 7, 8);
  bench.start();
  return bench;
}

describe("names of zones", () => {
  test("an automatic zone is the first bits of the NodeId", () => {
    assert.equal(autoZone(idOf("b7"), 0), "auto/");
    assert.equal(autoZone(idOf("b7"), 5), "auto/10110");
    assert.ok(fits(idOf("b7"), "auto/10110") && !fits(idOf("b7"), "auto/10111"));
    assert.ok(fits(idOf("b7"), "berlin"));
  });

  test("of automatic names only bits are names, and not too many", () => {
    for (const good of ["", "berlin", "auto/", "auto/01", `auto/${"1".repeat(12)}`])
      assert.ok(isZoneName(good), good);
    for (const bad of ["auto/2", "auto/0/", `auto/${"1".repeat(13)}`])
      assert.ok(!isZoneName(bad), bad);
  });

  test("in the tree a node belongs by its NodeId, elsewhere by what it says", () => {
    assert.ok(belongs(idOf("8"), "auto/", "auto/1"));
    assert.ok(!belongs(idOf("7"), "auto/", "auto/1"));
    assert.ok(belongs(idOf("7"), "berlin", "berlin"));
    assert.ok(!belongs(idOf("8"), "berlin", "auto/1"));
  });
});

describe("the election of gateways", () => {
  const rendezvous = new Rendezvous(engine);
  const ids = Array.from({ length: 12 }, (_, n) => testNode(n).nodeId);

  test("does not depend on the order of the members, and differs from zone to zone", () => {
    const elected = rendezvous.best("east", ids, 3);
    assert.deepEqual(rendezvous.best("east", ids.toReversed(), 3), elected);
    const zones = ["a", "b", "c", "d", "e", "f"].map((zone) => rendezvous.best(zone, ids, 1)[0]);
    assert.ok(new Set(zones).size > 2);
  });

  test("moves nobody but the next one up when a gateway goes", () => {
    const [first, ...rest] = rendezvous.best("east", ids, 4);
    const left = ids.filter((id) => id !== first);
    assert.deepEqual(rendezvous.best("east", left, 3), rest);
  });
});

describe("the depth of automatic zones", () => {
  const at16 = (size: number, depth: number, common = depth): number =>
    wantedDepth({ depth, size, common, membersMin: 16 });

  test("splits above one and a half times the wanted size and not at it", () => {
    assert.deepEqual([at16(24, 0), at16(25, 0)], [0, 1]);
    assert.deepEqual([at16(2304, 6), at16(2305, 6)], [6, 7]);
  });

  test("merges below half of the wanted size and not at it", () => {
    assert.deepEqual([at16(16, 1), at16(15, 1)], [1, 0]);
    assert.deepEqual([at16(4096, 8), at16(4095, 8)], [8, 7]);
  });

  test("goes over several levels at once", () => {
    assert.equal(at16(10_000, 0), 8);
    assert.equal(depthOfSize(10_000, 16), 8);
    assert.equal(at16(20, 8), 1);
  });

  test("follows the common depth where the rule leaves a choice, and nowhere else", () => {
    assert.deepEqual([at16(20, 0, 1), at16(20, 1, 0)], [1, 0]);
    assert.deepEqual([at16(33, 1, 0), at16(15, 0, 1)], [1, 0]);
    assert.equal(wantedDepth({ depth: 1, size: 20, common: undefined, membersMin: 16 }), 1);
  });

  test("a gateway that tells wild numbers moves no zone", () => {
    const honest = Array.from({ length: 4 }, () => ({ depth: 2, members: 20 }));
    assert.equal(meshSize(honest), 80);
    const wild = honest.with(3, { depth: 2, members: 4_000_000 });
    assert.ok(meshSize(wild) <= 80);
    assert.equal(meshSize([]), 0);
    assert.equal(commonDepth([{ depth: 1, members: 1 }, ...honest]), 2);
  });

  test("what two zones tell of the same members during a split is not counted twice", () => {
    const sizes = [
      { depth: 0, members: 40 },
      { depth: 1, members: 19 },
      { depth: 1, members: 20 },
    ];
    assert.equal(meshSize(sizes), 40);
  });
});

describe("routes between zones", () => {
  const rows = [
    { zone: "a", links: [{ zone: "b", cost: 100 }] },
    { zone: "b", links: [{ zone: "c", cost: 100 }] },
    { zone: "c", links: [] },
    { zone: "d", links: [{ zone: "unheard-of", cost: 1 }] },
  ];

  test("take the cheapest path, and a link counts both ways", () => {
    assert.deepEqual(zonePath(rows, "a", "c"), { zones: ["a", "b", "c"], cost: 200 });
    assert.deepEqual(zonePath(rows, "c", "a")?.zones, ["c", "b", "a"]);
    const shortcut = { zone: "c", links: [{ zone: "a", cost: 199 }] };
    assert.deepEqual(zonePath([...rows, shortcut], "a", "c"), { zones: ["a", "c"], cost: 199 });
  });

  test("lead nowhere without links", () => {
    assert.equal(zonePath(rows, "a", "d"), undefined);
    assert.equal(zonePath(rows, "a", "nowhere"), undefined);
  });

  test("a gateway's fingers double their distance around the ring", () => {
    const zones = ["a", "b", "c", "d", "e", "f"];
    assert.deepEqual(fingers(zones, "b"), ["c", "d", "f"]);
    assert.deepEqual(fingers(["a", "f"], "f"), ["a"]);
    assert.deepEqual(fingers([], "a"), []);
  });
});

const seen = new Set<string>();

function refused(verdict: GossipVerdict, expected: "reject" | "ignore", code: string): void {
  assert.ok(verdict.verdict !== "need-identity");
  assert.deepEqual([verdict.verdict, verdict.code], [expected, code]);
  seen.add(code);
}

describe("summaries from gossip", () => {
  const far = testNode(1);
  const receive = (bench: Bench, bytes: Uint8Array, ms = 1): GossipVerdict =>
    bench.machine.receive(bytes, forwarder, at(ms));

  function accepted(bench: Bench, bytes: Uint8Array, ms = 1): void {
    assert.equal(receive(bench, bytes, ms).verdict, "accept");
  }

  test("a genuine one makes its zone known", () => {
    const bench = started();
    accepted(bench, signed(far));
    const [own, view] = bench.machine.zones();
    assert.deepEqual([own?.zone, own?.own, view?.zone, view?.members], ["", true, "far", 4]);
    assert.deepEqual(view?.gateways, [far.nodeId]);
    assert.equal(bench.meter.value("meshd_mesh_zone_summaries_accepted_total"), 1);
  });

  test("form and size come first", () => {
    const bench = started();
    refused(receive(bench, new Uint8Array(8_193).fill(0x10)), "reject", "mesh/too-large");
    refused(receive(bench, new Uint8Array(8_192).fill(0x10)), "reject", "mesh/malformed");
    const zone = autoZone(far.nodeId, 3);
    accepted(bench, signed(far, { zone }));
    const stranger = [1, 2, 3, 4, 5].map(testNode).find(({ nodeId }) => !fits(nodeId, zone));
    assert.ok(stranger);
    refused(receive(bench, signed(stranger, { zone })), "reject", "mesh/malformed");
    const gateways = [{ nodeId: stranger.nodeId, epoch: 1, addresses: [] }];
    const claimed = signed(far, { zone, sequence: 2, gateways });
    refused(receive(bench, claimed), "reject", "mesh/malformed");
  });

  test("what is not newer is no news, and a contradiction silences its publisher", () => {
    const bench = started();
    accepted(bench, signed(far, { epoch: 2, sequence: 2 }));
    refused(receive(bench, signed(far, { epoch: 1, sequence: 9 })), "ignore", "mesh/stale-epoch");
    refused(receive(bench, signed(far, { epoch: 2, sequence: 1 })), "ignore", "mesh/old-sequence");
    const again = signed(far, { epoch: 2, sequence: 2 });
    refused(receive(bench, again), "ignore", "mesh/duplicate");
    const other = signed(far, { epoch: 2, sequence: 2, members: 5 });
    refused(receive(bench, flipped(other, other.length - 1)), "reject", "mesh/bad-signature");
    assert.equal(bench.machine.zones().length, 2);
    refused(receive(bench, other), "ignore", "mesh/summary-equivocation");
    assert.equal(bench.machine.zones().length, 1);
    const later = signed(far, { epoch: 2, sequence: 3 });
    refused(receive(bench, later), "ignore", "mesh/summary-equivocation");
  });

  test("one held back longer than it lives is refused, and one from a clock far ahead", () => {
    const bench = started({ summaryTtlMs: 1_000 });
    refused(receive(bench, signed(far), 1_000), "ignore", "mesh/summary-expired");
    accepted(bench, signed(far), 999);
    const ahead = { issuedAtMs: (at(0).wallMs + 60_001) as WallMs };
    refused(receive(bench, signed(testNode(2), ahead), 0), "ignore", "mesh/summary-expired");
    accepted(bench, signed(testNode(2), ahead), 1);
  });

  test("a summary that is not renewed is forgotten when it has lived, however it came here", () => {
    const bench = started({ summaryTtlMs: 10_000 });
    accepted(bench, signed(far), 8_000);
    bench.tick("zone", 9_999);
    assert.equal(bench.machine.zones().length, 2);
    bench.tick("zone", 10_000);
    assert.equal(bench.machine.zones().length, 1);
  });

  test("the publisher must be known, unexpired and allowed", () => {
    const bench = started();
    assert.equal(receive(bench, signed(testNode(20))).verdict, "need-identity");
    bench.denied.add(far.identity.spiffeId);
    refused(receive(bench, signed(far)), "ignore", "mesh/not-allowed");
    const late = signed(testNode(2), { issuedAtMs: at(3_600_000).wallMs });
    refused(receive(bench, late, 3_600_000), "ignore", "mesh/identity-expired");
  });

  test("its own summary means nothing to a node", () => {
    refused(receive(started(), signed(testNode(0))), "ignore", "mesh/own");
  });

  test("in the own zone only its gateways may speak, and a stranger never", () => {
    const bench = started();
    refused(receive(bench, signed(far, { zone: "" })), "ignore", "mesh/not-gateway");
    bench.machine.receive(signedBeacon(far), forwarder, at(1));
    bench.tick("zone", 2);
    accepted(bench, signed(far, { zone: "" }), 3);
  });

  test("the best ranked three of a zone are kept, and a silent one makes room", () => {
    const bench = started({ summaryPeriodMs: 1_000 });
    const rendezvous = new Rendezvous(engine);
    const nodes = [1, 2, 3, 4].map(testNode);
    const ranked = rendezvous.best(
      "far",
      nodes.map(({ nodeId }) => nodeId),
      4,
    );
    const [first, second, third, last] = ranked.map((id) => nodes.find((n) => n.nodeId === id));
    assert.ok(first && second && third && last);
    for (const node of [last, third, second]) accepted(bench, signed(node));
    accepted(bench, signed(first));
    refused(receive(bench, signed(last, { sequence: 2 })), "ignore", "mesh/summary-outranked");
    const issuedAtMs = at(1_501).wallMs;
    accepted(bench, signed(last, { sequence: 3, issuedAtMs }), 1_501);
  });

  test("a dead gateway's word ends with that of the successor it named", () => {
    const bench = started();
    const nodes = [1, 2].map(testNode);
    const [best, next] = new Rendezvous(engine)
      .best(
        "far",
        nodes.map(({ nodeId }) => nodeId),
        2,
      )
      .map((id) => nodes.find(({ nodeId }) => nodeId === id));
    assert.ok(best && next);
    const gateway = ({ nodeId }: TestNode) => ({ nodeId, epoch: 1, addresses: [] });
    const membersSeen = (): unknown => bench.machine.zones().find((v) => v.zone === "far")?.members;
    accepted(bench, signed(best, { members: 10, gateways: [gateway(best)] }));
    const issuedAtMs = at(1).wallMs;
    accepted(bench, signed(next, { members: 9, gateways: [gateway(next)], issuedAtMs }));
    assert.equal(membersSeen(), 10, "a stranger to the best ranked does not replace it");
    const both = [gateway(best), gateway(next)];
    accepted(bench, signed(best, { sequence: 2, members: 10, gateways: both }));
    assert.equal(membersSeen(), 9);
  });

  test("a last word takes back its publisher's own, and nobody else's", () => {
    const bench = started();
    const names = (): string[] => bench.machine.zones().map(({ zone }) => zone);
    const nodes = [1, 2].map(testNode);
    const ids = nodes.map(({ nodeId }) => nodeId);
    const [best, next] = new Rendezvous(engine)
      .best("far", ids, 2)
      .map((id) => nodes.find(({ nodeId }) => nodeId === id));
    assert.ok(best && next);
    const gateways = [best, next].map(({ nodeId }) => ({ nodeId, epoch: 1, addresses: [] }));
    const issued = (ms: number) => ({ issuedAtMs: at(ms).wallMs });
    const gone = (node: TestNode, sequence: number, ms: number): Uint8Array =>
      encodeSummary(
        lastWord(summaryOf(node, { sequence: sequence - 1 }), at(ms).wallMs),
        node.signer,
      );
    accepted(bench, signed(best, { gateways, members: 7, ...issued(0) }), 10);
    accepted(bench, gone(next, 1, 20), 20);
    assert.deepEqual(names(), ["", "far"], "one of its gateways cannot hide a zone");
    accepted(bench, signed(next, { sequence: 2, ...issued(5) }), 25);
    accepted(bench, gone(best, 2, 30), 30);
    assert.deepEqual(names(), ["", "far"], "who was left spoke before, or its clock is slow");
    assert.equal(bench.machine.zones()[1]?.publisher, next.nodeId);
    accepted(bench, gone(next, 3, 40), 40);
    assert.deepEqual(names(), [""]);
    const old = signed(best, { gateways, ...issued(0) });
    refused(receive(bench, old, 50), "ignore", "mesh/old-sequence");
    accepted(bench, signed(best, { sequence: 3, gateways, ...issued(60) }), 60);
    assert.deepEqual(names(), ["", "far"], "the first has come back");
  });

  test("last words take no place of those who speak for a zone", () => {
    const bench = started();
    for (const n of [1, 2, 3, 4]) accepted(bench, signed(testNode(n), { gateways: [] }));
    for (const n of [5, 6, 7]) accepted(bench, signed(testNode(n)));
    assert.equal(bench.machine.zones().length, 2);
  });

  test("a last word on the own zone comes from who stands for it no more", () => {
    const bench = started();
    bench.machine.receive(signedBeacon(far), forwarder, at(1));
    bench.tick("zone", 2);
    accepted(bench, signed(far, { zone: "" }), 3);
    const moved = signedBeacon(far, { zone: "far", sequence: 2 });
    bench.machine.receive(moved, forwarder, at(4));
    bench.tick("zone", 5);
    refused(
      receive(bench, signed(far, { zone: "", sequence: 2 }), 6),
      "ignore",
      "mesh/not-gateway",
    );
    accepted(bench, signed(far, { zone: "", sequence: 3, gateways: [] }), 7);
  });

  test("a publisher in haste and a forwarder of rubbish are slowed down", () => {
    const bench = started({ stateBurst: 2 });
    for (const sequence of [1, 2]) accepted(bench, signed(far, { sequence }));
    refused(receive(bench, signed(far, { sequence: 3 })), "ignore", "mesh/origin-rate");
    const other = started({ forwarderBurst: 1 });
    refused(receive(other, Uint8Array.of(0x10)), "reject", "mesh/malformed");
    refused(receive(other, signed(far)), "ignore", "mesh/forwarder-rate");
  });

  test("every refusal code was red once", () => {
    assert.deepEqual(
      summaryRejectCodes.filter((code) => !seen.has(code)),
      [],
    );
  });
});

describe("the part of a gateway", () => {
  const published = (actions: ReturnType<Bench["tick"]>): ZoneSummary[] =>
    only(actions, "publish").flatMap(({ topic, bytes }) => {
      if (topic !== "summary") return [];
      const decoded = decodeSummary(bytes);
      assert.ok(decoded.ok);
      return [decoded.value.summary];
    });

  /** A bench of zone `zone` in which node 0 has this rank among itself and node 1. */
  function ranked(rank: 0 | 1): Bench {
    const ids = [testNode(0).nodeId, testNode(1).nodeId];
    const rendezvous = new Rendezvous(engine);
    for (let n = 0; ; n++) {
      if (rendezvous.best(`z${n}`, ids, 2)[rank] !== testNode(0).nodeId) continue;
      const bench = started({ membersMax: 8 }, { zone: `z${n}` });
      bench.machine.receive(signedBeacon(testNode(1), { zone: `z${n}` }), forwarder, at(0));
      return bench;
    }
  }

  test("the first speaks once it is settled, at once on news, and else once a period", () => {
    const bench = ranked(0);
    assert.deepEqual(published(bench.tick("zone", 4_999)), []);
    const [first] = published(bench.tick("zone", 5_000));
    assert.deepEqual([first?.sequence, first?.members, first?.epoch], [1, 2, 5]);
    assert.deepEqual(first?.gateways.map(({ nodeId }) => nodeId)[0], testNode(0).nodeId);
    assert.deepEqual(published(bench.tick("zone", 20_000)), []);
    const { zone } = bench.machine;
    bench.machine.receive(signedBeacon(testNode(2), { zone }), forwarder, at(20_001));
    assert.equal(published(bench.tick("zone", 22_000))[0]?.members, 3);
    bench.machine.receive(signedBeacon(testNode(3), { zone }), forwarder, at(22_001));
    assert.deepEqual(published(bench.tick("zone", 31_999)), [], "not before the minimum interval");
    assert.equal(published(bench.tick("zone", 32_000)).length, 1);
    assert.equal(published(bench.tick("zone", 230_001)).length, 1, "the period is over");
  });

  test("a link to another zone waits for a quarter of the period, and the loss of one does not", () => {
    const bench = ranked(0);
    bench.tick("zone", 5_000);
    bench.connect(2, 6_000);
    const beyond = signedBeacon(testNode(2), { zone: "far" });
    bench.machine.receive(beyond, testNode(2).nodeId, at(6_001));
    assert.deepEqual(published(bench.tick("zone", 49_999)), []);
    const [second] = published(bench.tick("zone", 50_000));
    assert.deepEqual(
      second?.neighbours.map(({ zone }) => zone),
      ["far"],
    );
    bench.disconnect(2, 51_000);
    assert.deepEqual(published(bench.tick("zone", 60_000))[0]?.neighbours, []);
  });

  test("the second takes over from a silent first, and is quiet after hearing it twice", () => {
    const bench = ranked(1);
    const { zone } = bench.machine;
    bench.tick("zone", 1);
    assert.deepEqual(published(bench.tick("zone", 270_001)), []);
    assert.equal(published(bench.tick("zone", 270_002)).length, 1);
    const hear = (sequence: number, ms: number): void => {
      const bytes = signed(testNode(1), { zone, sequence, issuedAtMs: at(ms).wallMs });
      assert.equal(bench.machine.receive(bytes, forwarder, at(ms)).verdict, "accept");
    };
    hear(1, 271_000);
    assert.equal(published(bench.tick("zone", 545_000)).length, 1, "once may be chance");
    hear(2, 546_000);
    assert.deepEqual(published(bench.tick("zone", 800_000)), []);
  });
});

describe("another zone's members", () => {
  const member = testNode(1);

  test("one that is connected is asked until it has shown its beacon", () => {
    const bench = started();
    const pulls = (actions: ReturnType<Bench["tick"]>) => only(actions, "pull-beacons").length;
    assert.equal(pulls(bench.connect(1, 0)), 1);
    assert.equal(pulls(bench.tick("zone", 1_000)), 0, "it has its time to answer");
    assert.equal(pulls(bench.tick("zone", 2_000)), 1);
    bench.machine.receive(signedBeacon(member, { zone: "far" }), member.nodeId, at(2_100));
    assert.equal(pulls(bench.tick("zone", 5_000)), 0);
    assert.equal(pulls(bench.tick("zone", 62_100)), 1, "a beacon period later");
  });

  test("a peer is asked now and then for what gossip may have lost", () => {
    const bench = started();
    bench.connect(1, 0);
    bench.machine.receive(signedBeacon(member), member.nodeId, at(1));
    const pulls = (ms: number) => only(bench.tick("zone", ms), "pull-beacons").length;
    assert.deepEqual([29_999, 30_000, 59_999, 60_000].map(pulls), [0, 1, 0, 1]);
  });

  test("are kept while they are connected and forgotten afterwards, never dead", () => {
    const bench = started();
    bench.connect(1, 0);
    bench.machine.receive(signedBeacon(member, { zone: "far" }), member.nodeId, at(1));
    assert.equal(bench.state(1), "alive");
    bench.disconnect(1, 2);
    bench.tick("detector", 29_000);
    assert.equal(bench.state(1), "alive");
    bench.tick("zone", 30_001);
    assert.equal(bench.state(1), undefined);
  });

  test("one that moved away without a word more is forgotten after the grace time", () => {
    const bench = started();
    bench.machine.receive(signedBeacon(member), forwarder, at(0));
    const moved = signedBeacon(member, { zone: "far", sequence: 2 });
    assert.equal(bench.machine.receive(moved, forwarder, at(1)).verdict, "accept");
    for (let ms = 500; ms < 30_001; ms += 500) bench.tick("detector", ms);
    const actions = bench.tick("zone", 30_001);
    assert.deepEqual(
      only(actions, "member-changed").map(({ to, cause }) => [to, cause]),
      [[undefined, "moved"]],
    );
  });

  test("are not given to who pulls for another zone, but summaries are", () => {
    const bench = started();
    bench.machine.receive(signedBeacon(member), forwarder, at(0));
    bench.machine.receive(signed(testNode(2)), forwarder, at(0));
    const asking = new Bench({}, { zone: "far" });
    const missing = bench.machine.beaconsMissingFrom(asking.machine.beaconDigest());
    assert.deepEqual(
      missing.map((bytes) => bytes[0]),
      [1, 0x10],
    );
    const near = new Bench();
    const all = bench.machine.beaconsMissingFrom(near.machine.beaconDigest());
    assert.deepEqual(all.map((bytes) => bytes[0]).sort(), [1, 1, 0x10]);
  });
});

test("an automatic zone is left with a word in both zones, and kept for the grace time", () => {
  const bench = new Bench({ zoneMembersMin: 1, zoneSettleMs: 1_000 }, { zone: "auto" });
  const numbers = Array.from({ length: 20 }, (_, n) => n + 1);
  bench.know(...numbers);
  bench.start();
  for (const n of numbers)
    bench.machine.receive(signedBeacon(testNode(n), { zone: "auto/" }), forwarder, at(n));
  bench.tick("zone", 100);
  const actions = bench.tick("zone", 3_101);
  const [change] = only(actions, "zone-changed");
  assert.deepEqual([change?.from, change?.to], ["auto/", autoZone(testNode(0).nodeId, 3)]);
  const topics = only(actions, "publish").map(({ topic, zone }) => [topic, zone]);
  assert.deepEqual(topics, [
    ["state", undefined],
    ["state", "auto/"],
  ]);
  assert.equal(bench.machine.zone, change?.to);
  const later = bench.tick("heartbeat", 33_200);
  assert.equal(only(later, "publish").length, 2);
  bench.tick("zone", 33_201);
  assert.equal(only(bench.tick("heartbeat", 34_300), "publish").length, 1);
});

test("who spoke for an automatic zone takes that back when it leaves", () => {
  const bench = new Bench({ zoneSettleMs: 1_000 }, { zone: "auto" });
  const numbers = Array.from({ length: 40 }, (_, n) => n + 1);
  bench.know(...numbers);
  bench.start();
  const summaries = (ms: number): ZoneSummary[] =>
    only(bench.tick("zone", ms), "publish").flatMap(({ topic, bytes }) => {
      const decoded = topic === "summary" ? decodeSummary(bytes) : undefined;
      return decoded?.ok === true ? [decoded.value.summary] : [];
    });
  const [spoken] = summaries(1_000);
  assert.deepEqual([spoken?.zone, spoken?.gateways.length], ["auto/", 1]);
  for (const n of numbers)
    bench.machine.receive(signedBeacon(testNode(n), { zone: "auto/" }), forwarder, at(1_000 + n));
  summaries(2_000);
  assert.deepEqual(summaries(5_001), [], "its successor has not spoken yet");
  const { zone: half } = bench.machine;
  assert.equal(half, autoZone(testNode(0).nodeId, 1));
  for (const node of numbers.map(testNode).filter(({ nodeId }) => autoZone(nodeId, 1) === half))
    bench.machine.receive(signedBeacon(node, { zone: half, sequence: 2 }), forwarder, at(5_002));
  const last = summaries(35_001);
  assert.deepEqual(
    last.map(({ zone, sequence, gateways, contacts }) => [zone, sequence, gateways, contacts]),
    [["auto/", 2, [], []]],
  );
  assert.deepEqual(
    summaries(40_000).filter(({ zone }) => zone === "auto/"),
    [],
    "once",
  );
});

test("what few say of parts of the own zone does not hide how many are known here", () => {
  const bench = new Bench({ zoneSettleMs: 1_000 }, { zone: "auto" });
  const numbers = Array.from({ length: 40 }, (_, n) => n + 1);
  bench.know(...numbers);
  bench.start();
  for (const n of numbers)
    bench.machine.receive(signedBeacon(testNode(n), { zone: "auto/" }), forwarder, at(n));
  // The first two of a split have spoken before the others went, and gone back: nobody is left to correct them.
  for (const half of ["auto/0", "auto/1"]) {
    const mover = numbers.map(testNode).find(({ nodeId }) => autoZone(nodeId, 1) === half);
    assert.ok(mover);
    const summary = signed(mover, { zone: half, members: 1 });
    assert.equal(bench.machine.receive(summary, forwarder, at(50)).verdict, "accept");
  }
  bench.tick("zone", 100);
  const [change] = only(bench.tick("zone", 3_101), "zone-changed");
  assert.equal(change?.to, autoZone(testNode(0).nodeId, 1));
});

test("a node that comes back to its zone waits for word from the others before it leaves it for a wider one", () => {
  const bench = new Bench({ zoneSettleMs: 1_000 }, { zone: autoZone(testNode(0).nodeId, 3) });
  bench.start();
  for (let ms = 1_000; ms < 30_000; ms += 1_000) bench.tick("zone", ms);
  assert.equal(bench.machine.zone, autoZone(testNode(0).nodeId, 3));
  for (let ms = 30_000; ms < 34_000; ms += 1_000) bench.tick("zone", ms);
  assert.equal(bench.machine.zone, "auto/", "alone after all");
});

test("a node starts in the automatic zone it was in last, if it can still be in it", () => {
  const start = (configured: string, remembered: string | undefined): string =>
    startingZone(configured, remembered, idOf("b7"));
  assert.equal(start("auto", "auto/101"), "auto/101");
  assert.equal(start("auto", undefined), "auto");
  for (const other of ["auto/0", "auto/x", "berlin", ""])
    assert.equal(start("auto", other), "auto");
  assert.equal(start("berlin", "auto/101"), "berlin");
});
