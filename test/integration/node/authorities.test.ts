// Authorities of a trust domain that runs: one replaces another without a connection dropped, and what is revoked is out within seconds.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Authorities } from "../../../src/control/index.ts";
import type { MeshError } from "../../../src/foundation/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

const stack = new Stack();
after(() => stack.unwind());
const options = { identity: { authority_prepare: "0s" } };
/** A revocation is told to reach all connected nodes within this time. */
const REVOCATION_MS = 5_000;

const homes = [1, 2, 3].map(() => scratch(stack));
let mesh: Record<"a" | "b" | "c", InProcessDaemon>;
const all = (): TestDaemon[] => Object.values(mesh);

before(async () => {
  const [a, b, c] = await Promise.all(homes.map((home) => startDaemon(stack, options, home)));
  assert.ok(a && b && c);
  mesh = { a, b, c };
  await enrol(mesh);
  await converged(mesh);
});

const sequenceOf = async (daemon: TestDaemon): Promise<number> =>
  (await daemon.client.identity()).bundle?.sequence ?? 0;
const spread = (sequence: number) =>
  until(`bundle ${sequence} everywhere`, async () => {
    const sequences = await Promise.all(all().map(sequenceOf));
    return sequences.every((one) => one === sequence);
  });
const states = ({ authorities }: Authorities): string[] =>
  authorities.map(({ state, nodes }) => `${state} ${nodes}`);
const dropped = (daemon: TestDaemon) =>
  daemon.client.audit({ event: "peer.drop", limit: 10 }).then(({ entries }) => entries);
const stateIn = ({ authorities }: Authorities, state: string): string =>
  authorities.find((one) => one.state === state)?.id ?? assert.fail(`none is ${state}`);

describe("the authorities of a trust domain", () => {
  it("[F1] are published everywhere before they sign, and replace one another without dropping a peer", async () => {
    const { a, b } = mesh;
    assert.deepEqual(states(await a.client.authorities()), ["active 3"]);
    await assertRefused(b.client.authorities(), "control/not-issuer", /meshctl init/);
    await assertRefused(
      a.client.activateAuthority({ force: false }),
      "identity/authority-not-prepared",
      /prepare first/,
    );
    const prepared = await a.client.prepareAuthority();
    assert.deepEqual(states(prepared), ["active 3", "prepared 0"]);
    await spread(prepared.sequence);
    // The SVIDs of this mesh are good for a day: until then a node could be away and miss it.
    await assertRefused(
      a.client.activateAuthority({ force: false }),
      "identity/authority-not-spread",
      /--force/,
    );
    // Two operators at once: one does it, the other is told that there is nothing to do; and nobody else can.
    const both = await Promise.allSettled([
      a.client.activateAuthority({ force: true }),
      a.client.activateAuthority({ force: true }),
      b.client.activateAuthority({ force: true }),
    ]);
    assert.deepEqual(
      both
        .map((one) => (one.status === "rejected" ? (one.reason as MeshError).code : "done"))
        .sort(),
      ["control/not-issuer", "done", "identity/authority-not-prepared"],
    );
    const activated = await a.client.authorities();
    assert.deepEqual(states(activated), ["old 3", "active 0"]);
    await assertRefused(
      a.client.revokeAuthority({ id: stateIn(activated, "active"), force: true }),
      "identity/authority-active",
      /another one first/,
    );
    await assertRefused(
      a.client.revokeAuthority({ id: stateIn(activated, "old"), force: false }),
      "identity/authority-in-use",
      /Taint it/,
    );
  });

  it("are replaced at once where one is tainted, and revoked then without anybody's loss", async () => {
    const { a } = mesh;
    // Certificates tell whole seconds: one of the same second could not be told to be newer.
    const enrolled = Math.max(
      ...(await Promise.all(
        all().map(async (one) => Date.parse((await one.status()).svid?.notAfter ?? "")),
      )),
    );
    await until("the next second", () =>
      Promise.resolve(Date.now() + 86_400_000 > enrolled + 1_000),
    );
    const before = await Promise.all(
      all().map(async (one) => (await one.status()).svid?.serialNumber),
    );
    const old = stateIn(await a.client.authorities(), "old");
    const tainted = await a.client.taintAuthority({ id: old });
    await spread(tainted.sequence);
    await until("every node to have renewed", async () => {
      const serials = await Promise.all(
        all().map(async (one) => (await one.status()).svid?.serialNumber),
      );
      return serials.every((serial, index) => serial !== before[index]);
    });
    await until(
      "nobody to depend on it",
      async () => states(await a.client.authorities()).join() === "tainted 0,active 3",
    );
    const revoked = await a.client.revokeAuthority({ id: old, force: false });
    await spread(revoked.sequence);
    assert.deepEqual(states(revoked), ["active 3"]);
    // The issuer has seen all new certificates before, or it had refused; others may need a moment for theirs.
    assert.deepEqual(await dropped(a), []);
    await converged(mesh);
    const events = (await a.client.audit({ limit: 100 })).entries.map(({ event }) => event);
    for (const event of ["prepare", "activate", "taint", "revoke"])
      assert.ok(events.includes(`authority.${event}`), event);
  });

  it("survive a restart, with what was made and what is gone", async () => {
    const { a } = mesh;
    const before = await a.client.authorities();
    await a.knowsAddresses(2);
    await a.stop();
    mesh.a = await startDaemon(stack, options, homes[0]);
    await converged(mesh);
    assert.deepEqual(await mesh.a.client.authorities(), before);
  });

  it("shut a single node out everywhere within seconds", async () => {
    const { a, b, c } = mesh;
    const nodeId = await c.nodeId();
    const since = performance.now();
    const { sequence, revokedNodes } = await a.client.revokeNode({ peer: "c" });
    assert.deepEqual(
      revokedNodes.map(({ name }) => name),
      ["c"],
    );
    await Promise.all(
      [a, b].map((daemon) =>
        until(
          "the node to be dropped",
          async () => {
            const { peers } = await daemon.client.peers();
            return !peers.some((peer) => peer.nodeId === nodeId && peer.connected);
          },
          REVOCATION_MS - (performance.now() - since),
        ),
      ),
    );
    assert.equal(await sequenceOf(b), sequence);
    await until("b to write down why", async () =>
      (await dropped(b)).some(({ fields }) => fields["code"] === "identity/revoked"),
    );
    await until("it to see that it is out", async () =>
      (await c.status()).health.some(({ code }) => code === "identity/revoked"),
    );
  });

  it("end everything that was signed by one that is revoked by force, within seconds", async () => {
    const { a, b } = mesh;
    const prepared = await a.client.prepareAuthority();
    await until("the bundle at b", async () => (await sequenceOf(b)) === prepared.sequence);
    const nodeId = await b.nodeId();
    const activated = await a.client.activateAuthority({ force: true });
    const since = performance.now();
    await a.client.revokeAuthority({ id: stateIn(activated, "old"), force: true });
    await until(
      "b to be dropped",
      async () => {
        const { peers } = await a.client.peers();
        return !peers.some((peer) => peer.nodeId === nodeId && peer.connected);
      },
      REVOCATION_MS - (performance.now() - since),
    );
    await until("b to see that it is out", async () =>
      (await b.status()).health.some(({ code }) => code === "identity/untrusted"),
    );
    assert.deepEqual(states(await a.client.authorities()), ["active 1"]);
  });
});
