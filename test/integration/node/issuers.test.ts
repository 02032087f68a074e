// Several issuers of a trust domain: each admits, renews and issues, what is told to one is known to all, and one of them can be lost.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  assertRefused,
  converged,
  enrol,
  type InProcessDaemon,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";

const stack = new Stack();
after(() => stack.unwind());
const options = { identity: { authority_prepare: "0s" } };
const entry = {
  ...{ spiffeId: "spiffe://it.mesh/web", parent: "*", selectors: ["unix:uid:1"] },
};

let a: InProcessDaemon, b: InProcessDaemon, c: InProcessDaemon;

before(async () => {
  [a, b, c] = (await Promise.all([1, 2, 3].map(() => startDaemon(stack, options)))) as [
    InProcessDaemon,
    InProcessDaemon,
    InProcessDaemon,
  ];
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
    // The token names both issuers, and either decides by the one that made it.
    await d.client.join({ token, name: "d" });
    await assertRefused(e.client.join({ token, name: "e" }), "identity/token-spent", /new token/);
    const { token: other } = await a.client.createToken({ ttlSeconds: 600 });
    await assertRefused(
      e.client.join({ token: other, name: "d" }),
      "identity/name-taken",
      /another name/,
    );
    await e.client.join({ token: other, name: "e" });
  });

  it("admits when the first is lost", async () => {
    await a.stop();
    const { token } = await b.client.createToken({ ttlSeconds: 600 });
    const f = await startDaemon(stack, options);
    await f.client.join({ token, name: "f" });
    assert.equal((await f.status()).node.state, "running");
    assert.deepEqual(await entriesAt(b), ["spiffe://it.mesh/db"]);
  });
});
