// Zones as an operator has them: real daemons, of which two are in one zone and one is in another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { meshctl } from "../cli/run-meshctl.ts";
import { join } from "node:path";
import { enrol, startDaemon, until } from "./harness.ts";

test("daemons of two zones know their own by members and the other by its summary", async (t) => {
  const a = await startDaemon(t, { mesh: { zone: "east" } });
  const b = await startDaemon(t, { mesh: { zone: "east" } });
  const c = await startDaemon(t, { mesh: { zone: "west" } });
  await enrol({ a, b, c });
  const daemons = [a, b, c];
  for (const daemon of daemons) {
    await until("both zones with their members", async () => {
      const { zones } = await daemon.client.zones();
      const sizes = zones.map(({ zone, members }) => `${zone} ${members}`);
      return sizes.join() === "east 2,west 1" && zones.every(({ summary }) => summary !== null);
    });
  }
  const { zone, setting, zones } = await c.client.zones();
  assert.deepEqual([zone, setting], ["west", "west"]);
  const [east, west] = zones;
  assert.ok(east?.own === false && west?.own === true);
  assert.deepEqual(east.gateways.map(({ name }) => name).toSorted(), ["a", "b"]);
  assert.deepEqual(
    west.gateways.map(({ name }) => name),
    ["c"],
  );
  await until("a way to the other zone", async () => {
    const known = await c.client.zones();
    const route = known.zones.find((one) => one.zone === "east")?.route;
    return route?.zones.join() === "west,east" && ["a", "b"].includes(route.via[0] ?? "");
  });
  const shown = await meshctl(["zones", "--socket", join(a.directory, "c.sock")]);
  assert.equal(shown.exit, 0, shown.err);
  assert.match(shown.out, /2 zones, 3 members; this node is in east \(by configuration\)/);
  assert.match(shown.out, /west +1 .* c /);
  const status = await meshctl(["status", "--socket", join(c.directory, "c.sock")]);
  assert.match(status.out, /zone west \(1 member, 2 zones known\)/);
  // Gauges are set each second.
  await until("the gauge of zones", async () => (await c.metric("meshd_mesh_zones")) === 2);
  assert.equal(await c.metric("meshd_mesh_zone_speaker"), 1);
  assert.ok((await c.metric("meshd_mesh_zone_summaries_accepted_total")) > 0);
});

test("a daemon whose zone is auto says which one it is in", async (t) => {
  const a = await startDaemon(t, { mesh: { zone: "auto" } });
  const b = await startDaemon(t, { mesh: { zone: "auto" } });
  await enrol({ a, b });
  await until("one zone of two", async () => {
    const { setting, zone, zones } = await a.client.zones();
    return setting === "auto" && zone === "auto/" && zones[0]?.members === 2;
  });
  assert.equal((await a.status()).node.zone, "auto/");
});
