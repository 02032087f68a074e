// How hosts get into a mesh: init, token, join, and every way in which a join is refused.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, test, type TestContext } from "node:test";
import { encodeJoinToken, type JoinToken, parseJoinToken } from "../../../src/identity/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  type InProcessDaemon,
  refusal,
  scratch,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "./harness.ts";

const SUITE = "xxhfs-mldsa65";

/** The token with some fields changed. */
function forged(text: string, change: Partial<JoinToken>): string {
  const parsed = parseJoinToken(text);
  assert.ok(parsed.ok);
  return encodeJoinToken({ ...parsed.value, ...change });
}

/** A port of this host on which nothing listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  await new Promise((resolve) => server.close(resolve));
  return address.port;
}

/** An address that stays, such as a DNS name, and leads to whatever listens where `leadTo` said last. */
async function forwarder(t: TestContext) {
  let port = 0;
  const server = createServer((socket) => {
    const onward = connect(port, "127.0.0.1");
    socket.on("error", () => onward.destroy()).on("close", () => onward.destroy());
    onward.on("error", () => socket.destroy()).on("close", () => socket.destroy());
    socket.pipe(onward).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    leadTo: (address: string) => (port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])),
  };
}

describe("a mesh of three", () => {
  test("grows by tokens, and a third that knows the first alone is soon connected to the second", async (t) => {
    const a = await startDaemon(t);
    const b = await startDaemon(t);
    const c = await startDaemon(t);
    assert.equal((await a.status()).node.state, "unenrolled");

    await enrol({ a, b });
    for (const [daemon, other] of [
      [a, "b"],
      [b, "a"],
    ] as const) {
      const peer = await daemon.connected(other);
      assert.equal(peer.suite, SUITE);
      assert.equal(peer.spiffeId, `spiffe://${TRUST_DOMAIN}/node/${other}`);
    }

    const { token } = await a.client.createToken({ ttlSeconds: 60 });
    const parsed = parseJoinToken(token);
    assert.ok(parsed.ok);
    const portOfA = /\/tcp\/(\d+)/.exec(await a.address())?.[1];
    assert.ok(
      parsed.value.addresses.every((address) => address.includes(`/tcp/${portOfA ?? ""}/`)),
    );
    const enrolled = await c.client.join({ token, name: "c" });
    assert.equal(enrolled.nodeId, await c.nodeId());
    await converged({ a, b, c });
    assert.equal((await c.peer("b"))?.suite, SUITE);
    assert.deepEqual((await a.status()).node.roles, ["issuer"]);
    assert.deepEqual((await b.status()).node.roles, []);
    const issuers = (await c.client.beacons()).beacons.filter(({ roles }) =>
      roles.includes("issuer"),
    );
    assert.deepEqual(
      issuers.map(({ name }) => name),
      ["a"],
    );
  });

  test("takes a founder back in that comes again elsewhere under its name, and knows nobody itself", async (t) => {
    const name = await forwarder(t);
    const bootstrap = { mesh: { bootstrap: [name.address] } };
    const directory = scratch(t);
    const a = await startDaemon(t, {}, directory);
    const b = await startDaemon(t, bootstrap);
    const c = await startDaemon(t, bootstrap);
    await enrol({ a });
    name.leadTo(await a.address());
    for (const [other, daemon] of Object.entries({ b, c })) {
      const { token } = await a.client.createToken({ ttlSeconds: 60 });
      await daemon.client.join({ token, name: other });
    }
    await converged({ a, b, c });
    await a.stop();
    await until("the others to see it leave", async () => (await b.peer("a"))?.state === "left");
    const again = await startDaemon(t, {}, directory);
    name.leadTo(await again.address());
    await converged({ a: again, b, c });
  });

  test("starts with one node, which is healthy though it has no peer", async (t) => {
    const a = await startDaemon(t);
    await enrol({ a });
    const { node, health, peers, svid } = await a.status();
    assert.equal(node.state, "running");
    assert.deepEqual(
      health.filter(({ severity }) => severity !== "info"),
      [],
    );
    assert.deepEqual(peers, []);
    assert.ok(svid !== null && svid.renewAt < svid.notAfter);
  });
});

describe("a join is refused", () => {
  const stack = new Stack();
  let issuer: InProcessDaemon;
  let member: InProcessDaemon;
  let host: InProcessDaemon;
  before(async () => {
    issuer = await startDaemon(stack);
    member = await startDaemon(stack);
    host = await startDaemon(stack);
    await enrol({ issuer, member });
  });
  after(() => stack.unwind());

  const token = async (request: { ttlSeconds?: number; name?: string } = {}): Promise<string> =>
    (await issuer.client.createToken({ ttlSeconds: 300, ...request })).token;

  test("with a damaged token, and nobody is asked", async () => {
    const good = await token();
    const attempts = await issuer.metric("meshd_handshake_attempts_total");
    for (const bad of [
      good.slice(0, -1),
      good.slice(1),
      `${good}A`,
      good.replace("x0t1.", "x0t2."),
      "x0t1.",
      "a word",
      "x".repeat(4096),
    ]) {
      await assertRefused(
        host.client.join({ token: bad, name: "host" }),
        "identity/token-malformed",
        /Copy it again/,
      );
    }
    assert.equal(await issuer.metric("meshd_handshake_attempts_total"), attempts);
    assert.equal((await host.status()).node.state, "unenrolled");
  });

  test("with a token that another node has spent", async (t) => {
    const spent = await token();
    const other = await startDaemon(t);
    await other.client.join({ token: spent, name: "spender" });
    await assertRefused(
      host.client.join({ token: spent, name: "host" }),
      "identity/token-spent",
      /Ask for a new token/,
    );
  });

  test("with a token whose time is over: by the own clock, and by the issuer's", async () => {
    const short = await token({ ttlSeconds: 1 });
    const { expiresAtMs } = parsedOf(short);
    await until("the token to expire", () => Promise.resolve(Date.now() >= expiresAtMs));
    await assertRefused(
      host.client.join({ token: short, name: "host" }),
      "identity/token-expired",
      /meshctl token create/,
    );
    const prolonged = forged(short, {
      expiresAtMs: (expiresAtMs + 300_000) as JoinToken["expiresAtMs"],
    });
    await assertRefused(
      host.client.join({ token: prolonged, name: "host" }),
      "identity/token-expired",
      /Ask for a new token/,
    );
  });

  test("under another name than the token's, under a taken one, and under none that is one", async () => {
    const bound = await token({ name: "bound" });
    await assertRefused(
      host.client.join({ token: bound, name: "host" }),
      "identity/token-name-mismatch",
      /bound to another name/,
    );
    const open = await token();
    await assertRefused(
      host.client.join({ token: open, name: "member" }),
      "identity/name-taken",
      /--name/,
    );
    await assertRefused(
      host.client.join({ token: open, name: "no name" }),
      "control/bad-request",
      /name: must be 1 to 63/,
    );
  });

  test("with a secret that the issuer never made", async () => {
    const invented = forged(await token(), { secret: new Uint8Array(32).fill(7) });
    await assertRefused(
      host.client.join({ token: invented, name: "host" }),
      "identity/token-unknown",
      /Ask for a new token/,
    );
  });

  test("by the joiner when the mesh is not the token's, and then the secret has not left the host", async (t) => {
    const original = await token();
    const digest = parsedOf(original).bundleDigest.slice();
    digest[31] = (digest[31] ?? 0) ^ 1;
    const newcomer = await startDaemon(t);
    const [bundles, joins] = [await asked("bundle"), await asked("join")];
    await assertRefused(
      newcomer.client.join({ token: forged(original, { bundleDigest: digest }), name: "careful" }),
      "identity/bundle-digest-mismatch",
      /Do not retry blindly/,
    );
    assert.deepEqual(
      [await asked("bundle"), await asked("join")],
      [bundles + 1, joins],
      "the bundle was asked for, the secret was not sent",
    );
    // Another node than the careful one can still spend it: it was not spent.
    const second = await startDaemon(t);
    await second.client.join({ token: original, name: "second" });
    assert.equal((await second.status()).node.state, "running");
  });

  /** Attestation requests of a kind that the issuer has answered, whatever the answer. */
  const asked = (operation: string): Promise<number> =>
    issuer.metric("meshd_identity_attestations_total", { operation });

  test("with a token for another trust domain of the same issuer: the handshake does not even agree", async () => {
    const before = await issuer.metric("meshd_handshake_failures_total");
    await assertRefused(
      host.client.join({
        token: forged(await token(), { trustDomain: "other.mesh" }),
        name: "host",
      }),
      "network/dial-failed",
      /Check that the issuer runs/,
    );
    await until(
      "the issuer to count the failure",
      async () => (await issuer.metric("meshd_handshake_failures_total")) > before,
    );
  });

  test("when no issuer of the token can be reached", async () => {
    const good = await token();
    const [address = ""] = parsedOf(good).addresses;
    const nowhere = address.replace(/\/tcp\/\d+/, `/tcp/${await freePort()}`);
    const error = await assertRefused(
      host.client.join({ token: forged(good, { addresses: [nowhere] }), name: "host" }),
      "network/dial-failed",
      /Check that the issuer runs/,
    );
    assert.ok(error.message.includes(nowhere));
  });

  test("by a member that issues nothing", async () => {
    const elsewhere = forged(await token(), { addresses: [await member.address()] });
    const error = await refusal(host.client.join({ token: elsewhere, name: "host" }));
    assert.equal(error.code, "network/dial-failed");
  });

  test("and one issuer of the token that is away does not matter when another answers", async (t) => {
    const good = await token();
    const { addresses } = parsedOf(good);
    const nowhere = addresses[0]?.replace(/\/tcp\/\d+/, `/tcp/${await freePort()}`) ?? "";
    const patient = await startDaemon(t);
    await patient.client.join({
      token: forged(good, { addresses: [nowhere, ...addresses].slice(0, 4) }),
      name: "patient",
    });
    assert.equal((await patient.status()).node.state, "running");
  });

  test("on a node that is in a mesh, as a second init is", async () => {
    await assertRefused(
      member.client.join({ token: await token(), name: "member" }),
      "control/already-enrolled",
      /state directory/,
    );
    for (const daemon of [issuer, member]) {
      await assertRefused(
        daemon.client.init({ trustDomain: TRUST_DOMAIN, name: "again" }),
        "control/already-enrolled",
        /meshctl identity/,
      );
    }
  });

  test("while another join of the same host is under way", async (t) => {
    const twice = await startDaemon(t);
    const good = await token();
    const outcomes = await Promise.allSettled([
      twice.client.join({ token: good, name: "twice" }),
      twice.client.join({ token: good, name: "twice" }),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    assert.equal((await twice.status()).node.state, "running");
  });

  test("and the host is none the worse: with a good token it joins, and keeps its refused name free for others", async (t) => {
    const newcomer = await startDaemon(t);
    await refusal(newcomer.client.join({ token: await token({ name: "x" }), name: "y" }));
    await newcomer.client.join({ token: await token({ name: "x" }), name: "x" });
    const later = await startDaemon(t);
    await later.client.join({ token: await token(), name: "y" });
    await later.connected("x");
  });
});

describe("tokens are made", () => {
  test("by an issuer alone, and by nobody outside of a mesh", async (t) => {
    const a = await startDaemon(t);
    const b = await startDaemon(t);
    await assertRefused(
      a.client.createToken({ ttlSeconds: 60 }),
      "control/not-enrolled",
      /meshctl init or meshctl join/,
    );
    await enrol({ a, b });
    await assertRefused(
      b.client.createToken({ ttlSeconds: 60 }),
      "control/not-issuer",
      /on an issuer/,
    );
  });

  test("for a life within the limits", async (t) => {
    const a = await startDaemon(t);
    await enrol({ a });
    await assertRefused(
      a.client.createToken({ ttlSeconds: 0 }),
      "control/bad-request",
      /ttlSeconds/,
    );
    const longest = 30 * 86_400;
    await a.client.createToken({ ttlSeconds: longest });
    await assertRefused(
      a.client.createToken({ ttlSeconds: longest + 1 }),
      "control/bad-request",
      /ttlSeconds/,
    );
  });
});

describe("an init that cannot listen", () => {
  test("leaves the node unenrolled with the reason, and works once the port is free", async (t) => {
    const squatter = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => squatter.once("listening", resolve));
    t.after(() => void squatter.close());
    const address = squatter.address();
    assert.ok(typeof address === "object" && address !== null);
    // Of two addresses the free one is given back, or the second attempt would find it taken by the first.
    const ports = [await freePort(), address.port];
    const node = await startDaemon(t, {
      mesh: { listen: ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`) },
    });
    await assertRefused(
      node.client.init({ trustDomain: TRUST_DOMAIN, name: "a" }),
      "network/port-taken",
      new RegExp(`: listen EADDRINUSE[^\\n]*:${address.port}\\. Free the port`),
    );
    assert.equal((await node.status()).node.state, "unenrolled");
    await assertRefused(
      node.client.init({ trustDomain: TRUST_DOMAIN, name: "b" }),
      "control/already-enrolled",
      /remove its state directory/,
    );
    await new Promise((resolve) => squatter.close(resolve));
    await node.client.init({ trustDomain: TRUST_DOMAIN, name: "a" });
    assert.equal((await node.status()).node.state, "running");
  });
});

function parsedOf(text: string): JoinToken {
  const parsed = parseJoinToken(text);
  assert.ok(parsed.ok);
  return parsed.value;
}
