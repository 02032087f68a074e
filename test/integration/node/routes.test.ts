// meshctl route and links against real daemons: what is measured, what the way in use is, and what happens when a node goes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { meshctl } from "../cli/run-meshctl.ts";
import { assertRefused, converged, enrol, startDaemon, until } from "./harness.ts";

test("route explains the way to a peer called by name, NodeId or SPIFFE id, and around one that has left", async (t) => {
  const a = await startDaemon(t);
  const b = await startDaemon(t);
  const c = await startDaemon(t);
  await enrol({ a, b, c });
  await converged({ a, b, c });
  const [bId, cId] = [await b.nodeId(), await c.nodeId()];

  const links = await until("a's links to be measured both ways", async () => {
    const answer = await a.client.links();
    const done = answer.links.filter(
      ({ rttMs, lossBackward }) => rttMs !== null && lossBackward !== null,
    );
    return done.length === 2 && answer.links;
  });
  for (const link of links) {
    assert.ok((link.etx ?? 0) >= 1 && (link.cost ?? 0) >= 96);
  }

  // Both beacons of a link must name it: until then there is one way only.
  const route = await until("two ways without a common node", async () => {
    const answer = await a.client.route({ peer: "c", paths: 3 });
    return answer.disjoint.length === 2 && answer;
  });
  assert.deepEqual(
    [route.target.name, route.target.nodeId, route.target.state],
    ["c", cId, "alive"],
  );
  assert.deepEqual(
    route.path?.hops.map(({ from, to }) => [from.name, to.name]),
    [["a", "c"]],
  );
  assert.deepEqual(
    route.alternatives[0]?.hops.map(({ to }) => to.name),
    ["b", "c"],
  );
  assert.equal(route.disjoint[0]?.cost, route.path.cost);
  assert.deepEqual(
    route.relays.map(({ name, connected }) => [name, connected]),
    [["b", true]],
  );
  assert.equal(route.transport.kind, "direct");
  assert.match(route.transport.address ?? "", /^\/ip4\/127\.0\.0\.1\/tcp\//);

  for (const peer of [cId, cId.slice(0, 12), route.target.spiffeId]) {
    assert.equal((await a.client.route({ peer, paths: 1 })).target.nodeId, cId, peer);
  }
  const unknown = a.client.route({ peer: cId.slice(0, 3), paths: 1 });
  await assertRefused(unknown, "control/unknown-peer", /meshctl peers/);

  const socket = ["--socket", join(a.directory, "c.sock")];
  const drawn = await meshctl(["route", "c", ...socket]);
  assert.deepEqual([drawn.exit, drawn.err], [0, ""]);
  assert.match(drawn.out, /Route to c: cost \d+\n/);
  assert.match(drawn.out, /the cheapest; the next best costs \d+/);
  const listed = await meshctl(["links", ...socket]);
  assert.match(listed.out, /LOSS →\s+LOSS ←\s+ETX\s+COST/);

  await b.stop();
  await a.peerIs("b", "left");
  const alone = await a.client.route({ peer: "c", paths: 3 });
  assert.deepEqual([alone.alternatives, alone.relays], [[], []]);
  assert.equal(alone.disjoint.length, 1);
  const gone = await a.client.route({ peer: bId, paths: 1 });
  assert.deepEqual([gone.path, gone.target.state, gone.transport.kind], [null, "left", "none"]);
});

test("a node in no mesh has no links, and is told to join before it asks for a route", async (t) => {
  const alone = await startDaemon(t);
  assert.deepEqual((await alone.client.links()).links, []);
  const asked = alone.client.route({ peer: "a", paths: 1 });
  await assertRefused(asked, "control/not-enrolled", /meshctl join/);
});
