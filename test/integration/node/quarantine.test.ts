// Quarantine over real sockets: a member that signs two truths is shut out everywhere and for good, across restarts,
// until the issuer's operator releases it; then it comes back, and its old lies prove nothing.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Quarantine } from "../../../src/control/index.ts";
import { encodeProof, encodeStateBeacon, type StateBeacon } from "../../../src/mesh/index.ts";
import { meshctl } from "../cli/run-meshctl.ts";
import {
  assertRefused,
  enrol,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";
import { framed, HostilePeer } from "./hostile-peer.ts";

const PUSH_PROTOCOL = "/x0tta6bl4/beacon/1";
const EPOCH = 7;

describe("a member that signs two truths", () => {
  const stack = new Stack();
  let directory: string;
  let root: InProcessDaemon;
  let witness: InProcessDaemon;
  let liar: HostilePeer;
  before(async () => {
    directory = scratch(stack);
    root = await startDaemon(stack, {}, directory);
    witness = await startDaemon(stack);
    await enrol({ root, witness });
    await witness.connected("root");
    const { token } = await root.client.createToken({ ttlSeconds: 60, name: "liar" });
    liar = await HostilePeer.make(stack, await root.address(), { token, name: "liar" });
  });
  after(() => stack.unwind());

  function beacon(change: Partial<StateBeacon>): Uint8Array {
    return encodeStateBeacon(
      {
        ...{ nodeId: liar.keys.nodeId, epoch: EPOCH, sequence: 1, status: "up", zone: "default" },
        ...{ addresses: [], roles: [], load: 0, neighbours: [] },
        chain: {
          ...{ base: 0, length: 64, position: 0, intervalMs: 1000 },
          anchor: new Uint8Array(32),
        },
        ...change,
      },
      liar.keys.mldsa65,
    );
  }

  async function push(bytes: Uint8Array): Promise<void> {
    const { how } = await liar.attempt(PUSH_PROTOCOL, framed(bytes));
    assert.equal(how, "closed");
  }

  async function caseOf(daemon: TestDaemon): Promise<Quarantine["quarantine"][number] | undefined> {
    const { quarantine } = await daemon.client.quarantine();
    return quarantine.find(({ nodeId }) => nodeId === liar.keys.nodeId);
  }

  const isNow = (daemon: TestDaemon, state: "quarantined" | "released") =>
    until(`the liar to be ${state}`, async () => {
      const found = await caseOf(daemon);
      return found?.state === state && found;
    });

  /** On the same port, where the witness finds it. */
  async function restartRoot(): Promise<void> {
    const listen = [(await root.address()).replace(/\/p2p\/.*/, "")];
    await root.stop();
    root = await startDaemon(stack, { mesh: { listen } }, directory);
  }

  /** A connection whose handshake the daemon refuses is over as soon as it tells. */
  async function assertShutOut(daemon: TestDaemon): Promise<void> {
    await liar.connect(await daemon.address()).catch(() => undefined);
    await until("the liar's connection to be over", () => Promise.resolve(!liar.connected));
    assert.notEqual((await daemon.peer("liar"))?.connected, true);
  }

  const meshctlOf = (daemon: TestDaemon, ...args: string[]) =>
    meshctl([...args, "--socket", `${daemon.directory}/c.sock`]);

  test("is in quarantine at who saw it and at who heard of it, and loses its connection", async () => {
    await liar.connect();
    await push(beacon({ addresses: ["/ip4/192.0.2.1/tcp/1"] }));
    await push(beacon({ addresses: ["/ip4/192.0.2.2/tcp/1"] }));
    const [here, there] = await Promise.all([
      isNow(root, "quarantined"),
      isNow(witness, "quarantined"),
    ]);
    assert.equal(here.proofDigest, there.proofDigest);
    assert.deepEqual(here.proof?.addresses.flat().sort(), [
      "/ip4/192.0.2.1/tcp/1",
      "/ip4/192.0.2.2/tcp/1",
    ]);
    await until("the connection to be closed", () => Promise.resolve(!liar.connected));
    const { health } = await root.status();
    assert.ok(health.some(({ code }) => code === "mesh/quarantined"));
  });

  test("gets no connection to either", async () => {
    await assertShutOut(root);
    await assertShutOut(witness);
  });

  test("is not forgotten by a restart", async () => {
    const before = await caseOf(root);
    await restartRoot();
    assert.deepEqual({ ...(await caseOf(root)), name: "liar" }, before);
    await assertShutOut(root);
    const listed = await meshctlOf(root, "quarantine", "list");
    assert.match(listed.out, /quarantined .* two beacons 1 of epoch 7/);
  });

  test("cannot be released by a node without the right", async () => {
    await assertRefused(
      witness.client.release({ node: liar.keys.nodeId, reason: "I like it" }),
      "mesh/not-allowed",
      /Run the command on the issuer/,
    );
    assert.equal((await caseOf(witness))?.state, "quarantined");
    await assertRefused(
      root.client.release({ node: "witness", reason: "never was in" }),
      "mesh/not-quarantined",
      /See meshctl quarantine list/,
    );
  });

  test("comes back everywhere once the issuer's operator releases it, above its old epochs", async () => {
    await root.connected("witness");
    const reason = "the copied disk is wiped";
    const node = liar.keys.nodeId.slice(0, 12);
    const released = await meshctlOf(root, "quarantine", "release", node, "--reason", reason);
    assert.deepEqual([released.exit, released.err], [0, ""]);
    const there = await isNow(witness, "released");
    assert.deepEqual([there.release?.issuer, there.release?.reason], ["root", reason]);
    const { epochFloor } = there.release ?? assert.fail("no release");

    await liar.connect(await root.address());
    await push(encodeProof(beacon({ load: 0 }), beacon({ load: 1 })));
    await push(beacon({ epoch: epochFloor - 1 }));
    assert.equal((await caseOf(root))?.state, "released", "an old proof proves nothing");
    assert.equal((await root.peer("liar"))?.epoch, 0, "an epoch below the floor is refused");
    await push(beacon({ epoch: epochFloor }));
    const peer = await root.peer("liar");
    assert.deepEqual([peer?.state, peer?.epoch, peer?.connected], ["alive", epochFloor, true]);
  });

  test("stays released across a restart, and is shut out again for a new lie", async () => {
    await restartRoot();
    const known = await caseOf(root);
    assert.equal(known?.state, "released");
    const epoch = (known.release?.epochFloor ?? 0) + 1;
    await liar.connect(await root.address());
    await push(beacon({ epoch, load: 0 }));
    await push(beacon({ epoch, load: 1 }));
    await isNow(root, "quarantined");
  });
});
