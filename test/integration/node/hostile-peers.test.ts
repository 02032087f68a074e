// What peers can do that do not keep to the rules: strangers, members, and peers that the policy does not want.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  ATTESTATION_PROTOCOL,
  encodeAttestationRequest,
  parseAttestationResponse,
} from "../../../src/identity/index.ts";
import { seededRandom } from "../../unit/handshake/fixture.ts";
import {
  type DaemonProcess,
  enrol,
  type InProcessDaemon,
  spawnDaemon,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "./harness.ts";
import { endOf, framed, HostilePeer } from "./hostile-peer.ts";

const SEED = "hostile peers";
const REQUEST_PROTOCOLS = [
  "/x0tta6bl4/identity/1",
  "/x0tta6bl4/sync/2",
  "/x0tta6bl4/probe/1",
  "/x0tta6bl4/beacon/1",
  "/x0tta6bl4/fl-task/1",
  "/x0tta6bl4/fl-pull/1",
];
const LIBP2P_PROTOCOLS = [
  "/x0tta6bl4/ping/1.0.0",
  "/x0tta6bl4/id/1.0.0",
  "/x0tta6bl4/kad/1.0.0",
  "/meshsub/1.1.0",
  "/meshsub/1.2.0",
];
const JOINING_MAX = 8;

describe("hostile peers over real sockets", () => {
  const stack = new Stack();
  let victim: DaemonProcess;
  let witness: InProcessDaemon;
  let address: string;
  before(async () => {
    victim = await spawnDaemon(stack, { telemetry: { log: { level: "debug" } } }).answers();
    witness = await startDaemon(stack);
    await enrol({ victim, witness });
    await witness.connected("victim");
    address = await victim.address();
  });
  after(() => stack.unwind());

  /** The victim runs, kept its peer, and met nothing that it calls a fault of its own. */
  async function assertUnharmed(): Promise<void> {
    const { node, peers } = await victim.status();
    assert.ok(node.state === "running" || node.state === "degraded");
    const friend = peers.find(({ name }) => name === "witness");
    assert.ok(friend?.connected === true && friend.state === "alive");
    const faults = victim.log().filter(({ level }) => level === "error");
    assert.deepEqual(faults, []);
    assert.equal(victim.err, "");
  }

  async function member(
    t: { after(work: () => void | Promise<void>): void },
    name: string,
  ): Promise<HostilePeer> {
    const { token } = await victim.client.createToken({ ttlSeconds: 60, name });
    const peer = await HostilePeer.make(t, address, { token, name });
    await peer.connect();
    return peer;
  }

  test("a peer without an SVID can speak attestation", async (t) => {
    const stranger = await HostilePeer.make(t, address);
    await stranger.connect();
    const stream = await stranger.open(ATTESTATION_PROTOCOL);
    assert.ok(stream);
    const chunks: Uint8Array[] = [];
    stream.addEventListener("message", ({ data }) => chunks.push(data.subarray()));
    const end = await endOf(
      stream,
      framed(encodeAttestationRequest({ op: "bundle" })),
      false,
      5_000,
    );
    assert.equal(end.how, "closed");
    // A bundle has a root certificate of about 5 KiB, so its length takes two bytes.
    const answer = parseAttestationResponse(Buffer.concat(chunks).subarray(2));
    assert.ok(answer.ok && answer.value.result === "bundle");
  });

  test("and nothing else: each other protocol is aborted without a byte, and counted", async (t) => {
    const stranger = await HostilePeer.make(t, address);
    await stranger.connect();
    const nodeId = Buffer.from(await victim.nodeId(), "hex");
    for (const protocol of [...REQUEST_PROTOCOLS, ...LIBP2P_PROTOCOLS]) {
      const refused = await victim.metric("meshd_network_streams_refused_total");
      const end = await stranger.attempt(protocol, framed(nodeId));
      assert.deepEqual(end, { how: "reset", bytes: 0 }, protocol);
      assert.equal(
        await victim.metric("meshd_network_streams_refused_total"),
        refused + 1,
        protocol,
      );
    }
    assert.deepEqual(await stranger.attempt("/no/such/protocol", new Uint8Array(1)), {
      how: "reset",
      bytes: 0,
    });
    assert.ok(stranger.connected, "the refusals did not depend on losing the connection");
    assert.equal(
      (await victim.client.peers()).peers.some(({ nodeId: id }) => id === stranger.keys.nodeId),
      false,
    );
    await assertUnharmed();
  });

  test("is not served by a node that issues nothing", async (t) => {
    const stranger = await HostilePeer.make(t, await witness.address());
    await stranger.connect().catch(() => undefined);
    const refused = (): Promise<number> =>
      witness.metric("meshd_handshake_failures_total", { code: "handshake/joining-refused" });
    await until("the refusal", async () => (await refused()) === 1);
    await until("the connection to be closed", () => Promise.resolve(!stranger.connected));
  });

  test(`is one of at most ${JOINING_MAX}: one more takes the place of the oldest`, async (t) => {
    const joining = (): Promise<number> =>
      victim.metric("meshd_network_connections", { peer: "joining" });
    await until("earlier strangers to be gone", async () => (await joining()) === 0);
    const strangers: HostilePeer[] = [];
    const come = async (): Promise<void> => {
      const stranger = await HostilePeer.make(t, address);
      await stranger.connect();
      strangers.push(stranger);
    };
    for (let i = 0; i < JOINING_MAX; i++) await come();
    await until("all to be counted", async () => (await joining()) === JOINING_MAX);
    assert.ok(strangers.every(({ connected }) => connected));
    await come();
    await until("the oldest to be dropped", () =>
      Promise.resolve(strangers[0]?.connected === false),
    );
    await until("the count to be right", async () => (await joining()) === JOINING_MAX);
    assert.ok(strangers.slice(1).every(({ connected }) => connected));
    await assertUnharmed();
  });

  test(`a member's garbage on every protocol harms nothing (seed "${SEED}")`, async (t) => {
    const mallory = await member(t, "mallory");
    const random = seededRandom(SEED);
    const noise = random.bytes(4_000);
    noise[0] = 0xff; // the length's varint goes on for too long, or is far too large
    noise.fill(0xff, 1, 12);
    const cases: readonly [string, Uint8Array, boolean][] = [
      ["noise", noise, false],
      ["a length beyond every limit", framed(noise.subarray(0, 100), 512 * 1024 * 1024), false],
      ["a request cut short", framed(noise.subarray(0, 100), 200), true],
      ["no request at all", new Uint8Array(0), true],
    ];
    for (const protocol of [...REQUEST_PROTOCOLS, ATTESTATION_PROTOCOL]) {
      for (const [what, bytes, closeWrite] of cases) {
        const end = await mallory.attempt(protocol, bytes, { closeWrite });
        assert.deepEqual(end, { how: "reset", bytes: 0 }, `${what} on ${protocol}`);
      }
      // Well framed noise of every size class is refused or answered with nothing of worth.
      for (const length of [0, 1, 31, 32, 40, 4_000]) {
        const end = await mallory.attempt(protocol, framed(random.bytes(length)));
        assert.notEqual(end.how, "still open", `${length} framed bytes on ${protocol}`);
        // Sync answers every well-formed digest with what the asker lacks: that is its purpose.
        if (protocol !== "/x0tta6bl4/sync/2")
          assert.ok(end.bytes < 100, `${end.bytes} bytes from ${protocol}`);
      }
    }
    for (const protocol of LIBP2P_PROTOCOLS) {
      await mallory.attempt(protocol, noise, { closeWrite: true, waitMs: 1_000 });
      await mallory.attempt(protocol, framed(random.bytes(500)), {
        closeWrite: true,
        waitMs: 1_000,
      });
    }
    await assertUnharmed();
  });

  test("a member that opens streams and says nothing holds few of them, and none for long", async (t) => {
    const sloth = await member(t, "sloth");
    const ends: Promise<{ how: string }>[] = [];
    for (const protocol of ["/x0tta6bl4/sync/2", "/x0tta6bl4/fl-task/1"]) {
      for (let i = 0; i < 3; i++) {
        ends.push(sloth.attempt(protocol, framed(new Uint8Array(4), 100), { waitMs: 14_000 }));
      }
    }
    // Two of each protocol are allowed: the third is refused at once, the others when their time is over.
    const first = await Promise.race(ends);
    assert.equal(first.how, "reset");
    // A member that answers no probe either loses its connection, and its streams with that.
    const all = (await Promise.all(ends)).map(({ how }) => how);
    assert.ok(all.filter((how) => how === "reset").length >= 2, all.join());
    assert.equal(all.includes("still open"), false, all.join());
    await assertUnharmed();
  });

  test("a member's forged beacons are refused with a code each and change nobody's view", async (t) => {
    const forger = await member(t, "forger");
    const before = await victim.client.beacons();
    const rejected = await victim.metric("meshd_mesh_beacons_rejected_total");
    const random = seededRandom(`${SEED}/beacons`);
    for (const length of [1, 100, 5_000, 20_000]) {
      await forger.attempt("/x0tta6bl4/beacon/1", framed(random.bytes(length)));
    }
    assert.ok((await victim.metric("meshd_mesh_beacons_rejected_total")) >= rejected + 4);
    const own =
      (name: string) =>
      ({ beacons }: typeof before) =>
        beacons.find((beacon) => beacon.name === name)?.epoch;
    assert.equal(own("witness")(await victim.client.beacons()), own("witness")(before));
    await assertUnharmed();
  });

  test("a stranger whose first length never ends is dropped long before its time is over", async () => {
    const socket = connect(Number(/\/tcp\/(\d+)/.exec(address)?.[1]), "127.0.0.1");
    // The daemon reads 64 KiB at most; what is written beyond waits in the system's buffers.
    socket.write(Buffer.alloc(1024 * 1024, 0xff));
    const closed = await Promise.race([
      new Promise((resolve) =>
        socket.on("error", () => undefined).on("close", () => resolve("closed")),
      ),
      new Promise((resolve) => setTimeout(resolve, 5_000, "still open").unref()),
    ]);
    socket.destroy();
    assert.equal(closed, "closed");
    await assertUnharmed();
  });

  test("a member's stream whose first length never ends is reset at once", async (t) => {
    const endless = await member(t, "endless");
    const rss = (await victim.status()).process.rssBytes;
    const ends = await Promise.all(
      Array.from({ length: 16 }, async () =>
        endOf(await endless.openRaw(), new Uint8Array(200_000).fill(0xff), false, 5_000),
      ),
    );
    assert.deepEqual(new Set(ends.map(({ how }) => how)), new Set(["reset"]));
    assert.ok((await victim.status()).process.rssBytes < rss + 64 * 1024 * 1024);
    await assertUnharmed();
  });

  test("a member with a spent token in hand gets no second SVID: only joining peers may ask for one", async (t) => {
    const { token } = await victim.client.createToken({ ttlSeconds: 60 });
    const greedy = await HostilePeer.make(t, address, { token, name: "greedy" });
    await greedy.connect();
    const refused = (): Promise<number> =>
      victim.metric("meshd_identity_attestations_total", {
        operation: "join",
        result: "identity/peer-not-entitled",
      });
    const before = await refused();
    await greedy.attempt(
      ATTESTATION_PROTOCOL,
      framed(
        encodeAttestationRequest({ op: "join", secret: new Uint8Array(32), name: "greedy-2" }),
      ),
    );
    assert.equal(await refused(), before + 1);
  });
});

describe("a node that the policy does not want", () => {
  test("holds an SVID and cannot connect, whoever dials", async (t) => {
    const policy = [
      { spiffe: "spiffe://*/node/root", allow: ["mesh.join", "beacon.publish", "issuer.attest"] },
      { spiffe: `spiffe://${TRUST_DOMAIN}/node/friend`, allow: ["mesh.join", "beacon.publish"] },
    ];
    const root = await startDaemon(t, { policy });
    const friend = await startDaemon(t, { policy });
    const outcast = await startDaemon(t);
    await enrol({ root, friend, outcast });
    await root.connected("friend");
    const refused = (daemon: InProcessDaemon): Promise<number> =>
      daemon.metric("meshd_handshake_failures_total", { code: "handshake/not-allowed" });
    await until("the root to refuse the outcast", async () => (await refused(root)) > 0);
    friend.reload({ policy, mesh: { bootstrap: [await outcast.address()] } });
    await until(
      "the friend to dial and refuse the outcast",
      async () => (await refused(friend)) > 0,
    );
    for (const daemon of [root, friend]) {
      assert.equal(
        (await daemon.client.peers()).peers.some(({ name }) => name === "outcast"),
        false,
      );
    }
    assert.equal(
      (await outcast.client.peers()).peers.some(({ connected }) => connected),
      false,
    );
  });
});
