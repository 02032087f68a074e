// How nodes find the mesh again, and how they find one another across zones: real daemons in this process.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertRefused,
  converged,
  enrol,
  scratch,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "./harness.ts";

/** Nothing listens there. */
const DEAD = "/ip4/127.0.0.1/tcp/9";

test("a node that restarts finds the mesh by its address book when every bootstrap address is gone", async (t) => {
  const directory = scratch(t);
  const options = { mesh: { bootstrap: [DEAD] } };
  const issuer = await startDaemon(t);
  const stays = await startDaemon(t);
  const restarts = await startDaemon(t, options, directory);
  await enrol({ issuer, stays, restarts });
  await converged({ issuer, stays, restarts });
  await until(
    "it to know where the other is",
    async () => ((await restarts.peer("stays"))?.addresses.length ?? 0) > 0,
  );
  await restarts.stop();
  await issuer.stop(); // with it goes the address that came with the token
  const again = await startDaemon(t, options, directory);
  await again.connected("stays");
});

test("a node of another zone is found by id, name and SPIFFE id from its record in the DHT", async (t) => {
  const hub = await startDaemon(t);
  const far = await startDaemon(t, { mesh: { zone: "tokyo" } });
  await enrol({ hub, far });
  await hub.connected("far");
  const nodeId = await far.nodeId();
  const { token } = await hub.client.createToken({ ttlSeconds: 60, name: "near" });
  await until(
    "the hub to hold the record",
    async () => (await hub.metric("meshd_network_records")) >= 4,
  );
  await far.stop();
  const near = await startDaemon(t);
  await near.client.join({ token, name: "near" });
  await near.connected("hub");
  const spiffeId = `spiffe://${TRUST_DOMAIN}/node/far`;
  for (const target of ["far", nodeId, spiffeId]) {
    const { node } = await until(`${target} to be found`, () =>
      near.client.lookup({ target }).catch(() => undefined),
    );
    assert.deepEqual([node.nodeId, node.name, node.spiffeId], [nodeId, "far", spiffeId]);
    assert.equal(node.zone, "tokyo");
    assert.ok(node.addresses.length > 0 && node.epoch > 0);
    assert.equal(node.source, "dht");
  }
  assert.equal((await near.client.lookup({ target: "hub" })).node.source, "mesh");
  await assertRefused(
    near.client.lookup({ target: "nobody" }),
    "lookup/not-found",
    /Check the name/,
  );
  await assertRefused(near.client.lookup({ target: "a b" }), "lookup/malformed", /Write a node id/);
  await assertRefused(
    near.client.lookup({ target: "spiffe://other.example/node/far" }),
    "lookup/other-domain",
    /Ask a node there/,
  );
});
