// Several issuers of a trust domain: each admits, renews and issues, what is told to one is known to all, and one of them can be lost.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { encodeJoinToken, parseJoinToken } from "../../../src/identity/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  hasten,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";

const stack = new Stack();
after(() => stack.unwind());
const options = { identity: { authority_prepare: "0s" } };
const DAY_S = 86_400;
const entry = {
  ...{ spiffeId: "spiffe://it.mesh/web", parent: "*", selectors: ["unix:uid:1"] },
  x509TtlSeconds: DAY_S,
};

const realNow = Date.now.bind(Date);
let aheadMs = 0;
Date.now = () => realNow() + aheadMs;

let a: InProcessDaemon, b: InProcessDaemon, c: InProcessDaemon;

before(async () => {
  hasten(stack);
  const home = scratch(stack);
  const workloads = { ...options, workload_api: { socket: join(home, "api.sock") } };
  [a, b, c] = await Promise.all([
    startDaemon(stack, options),
    startDaemon(stack, options),
    startDaemon(stack, workloads, home),
  ]);
  await enrol({ a, b, c });
  await converged({ a, b, c });
});

const entriesAt = async (daemon: InProcessDaemon): Promise<string[]> =>
  (await daemon.client.entries()).entries.map(({ spiffeId }) => spiffeId);

describe("a second issuer", () => {
  it("is made by one command, and says so", async () => {
    await assertRefused(b.client.entries(), "control/not-issuer", /meshctl peers/);
    await a.client.createEntry(entry);
    await a.client.grantIssuer({ peer: "b", force: true });
    await until("b to issue", async () => (await b.status()).node.roles.includes("issuer"));
    await until("its role in the beacons", async () =>
      (await c.client.beacons()).beacons.some(
        ({ name, roles }) => name === "b" && roles.includes("issuer"),
      ),
    );
    const { issuers } = await a.client.authorities();
    assert.deepEqual(
      issuers.map(({ name, until: end }) => [name, end !== null]),
      [["b", true]],
    );
    await assertRefused(b.client.authorities(), "control/not-issuer", /meshctl init/);
  });

  it("knows the entries of the first and tells it its own, deletions too", async () => {
    await until("the first's entry", async () => (await entriesAt(b)).length === 1);
    await b.client.createEntry({ ...entry, spiffeId: "spiffe://it.mesh/db" });
    const [first] = (await b.client.entries()).entries;
    await b.client.deleteEntry({ id: first?.id ?? "" });
    await until(
      "both at the first",
      async () => (await entriesAt(a)).join() === "spiffe://it.mesh/db",
    );
  });

  it("has a token of the first used once, whoever is asked", async () => {
    const { token } = await b.client.createToken({ ttlSeconds: 600 });
    const [d, e] = await Promise.all([startDaemon(stack, options), startDaemon(stack, options)]);
    // The same token, shown to the other issuer: that one asks the one that made it.
    const parsed = parseJoinToken(token);
    assert.ok(parsed.ok);
    assert.equal(parsed.value.addresses.length, 2, "it names both");
    const toFirst = encodeJoinToken({ ...parsed.value, addresses: [await a.address()] });
    await d.client.join({ token: toFirst, name: "d" });
    await assertRefused(e.client.join({ token, name: "e" }), "identity/token-spent", /new token/);
    const { token: other } = await a.client.createToken({ ttlSeconds: 600 });
    await assertRefused(
      e.client.join({ token: other, name: "d" }),
      "identity/name-taken",
      /another name/,
    );
    await e.client.join({ token: other, name: "e" });
  });

  it("is one no longer when it is withdrawn, and one again when it is added again", async () => {
    const issues = (wanted: boolean) =>
      until(
        `b to issue: ${wanted}`,
        async () => (await b.status()).node.roles.includes("issuer") === wanted,
      );
    assert.deepEqual((await a.client.withdrawIssuer({ peer: "b" })).issuers, []);
    await issues(false);
    await assertRefused(b.client.entries(), "control/not-issuer", /meshctl peers/);
    await assertRefused(
      a.client.withdrawIssuer({ peer: "b" }),
      "control/unknown-peer",
      /issuer list/,
    );
    await a.client.grantIssuer({ peer: "b", force: true });
    await issues(true);
    await until("the entries again", async () => (await entriesAt(b)).length === 1);
  });

  it("admits, renews nodes and serves their workloads when the first is lost", async () => {
    const c1 = await c.nodeId();
    const workloads = () => c.metric("meshd_identity_workload_svids");
    await until("c's workload to have an SVID", async () => (await workloads()) === 1);
    await a.stop();
    await b.peerIs("a", "left");
    await b.client.createEntry({ ...entry, spiffeId: "spiffe://it.mesh/new" });
    await until("one for an entry that is new", async () => (await workloads()) === 2);

    const notAfter = async () => Date.parse((await c.status()).svid?.notAfter ?? "");
    const expiry = () => c.metric("meshd_identity_workload_svid_expiry_timestamp_seconds");
    const [node, workload] = [await notAfter(), await expiry()];
    aheadMs += 0.56 * DAY_S * 1_000;
    await until("c to be renewed", async () => (await notAfter()) > node);
    await until("its workloads to be", async () => (await expiry()) > workload);
    const { entries } = await b.client.audit({ event: "svid.issue", limit: 100 });
    assert.ok(
      entries.some(({ fields }) => fields["nodeId"] === c1 && fields["cause"] === "renew"),
      "by b",
    );
    assert.equal(
      (await c.status()).health.some(({ code }) => code.startsWith("identity/")),
      false,
    );

    const { token } = await b.client.createToken({ ttlSeconds: 600 });
    const f = await startDaemon(stack, options);
    await f.client.join({ token, name: "f" });
    assert.equal((await f.status()).node.state, "running");
    assert.deepEqual(await entriesAt(b), ["spiffe://it.mesh/db", "spiffe://it.mesh/new"]);
  });
});
