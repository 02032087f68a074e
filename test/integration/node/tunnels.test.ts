// Tunnels as an operator has them: two daemons, their control sockets, and a service behind one of them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { assertRefused, converged, enrol, startDaemon, until } from "./harness.ts";

const MEMBER = ["mesh.join", "beacon.publish"];

test("a forward leads to what a peer exposes, while the peer's policy gives the right", async (t) => {
  const service = createServer((socket) => socket.end("through the mesh"));
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  t.after(() => service.close());
  const { port: targetPort } = service.address() as { port: number };
  const rule = (allow: readonly string[]) => [{ spiffe: "spiffe://*/node/*", allow }];
  const a = await startDaemon(t);
  const b = await startDaemon(t, { policy: rule([...MEMBER, "tunnel.connect:8022"]) });
  await enrol({ a, b });
  await converged({ a, b });

  await b.client.expose({ port: 8022, host: "127.0.0.1", targetPort });
  const listen = { host: "127.0.0.1", port: 0, remotePort: 8022 };
  const { forwards } = await a.client.forward({ ...listen, peer: "b" });
  const [forward] = forwards;
  assert.ok(forward?.peer === "b" && forward.port > 0);
  const read = async (): Promise<string> => text(connect(forward.port, "127.0.0.1"));
  assert.equal(await read(), "through the mesh");
  assert.equal(await a.metric("meshd_tunnel_bytes_total", { direction: "received" }), 16);

  b.reload({ policy: rule(MEMBER) });
  await assert.rejects(read(), { code: "ECONNRESET" });
  assert.equal(await b.metric("meshd_tunnel_opened_total", { answer: "refused" }), 1);

  await assertRefused(
    a.client.forward({ ...listen, peer: "nobody" }),
    "control/unknown-peer",
    /meshctl peers/,
  );
  const taken = { ...listen, port: targetPort, peer: "b" };
  await assertRefused(a.client.forward(taken), "tunnel/port-taken", /another local port/);
  await a.client.closeTunnel({ kind: "forward", port: forward.port });
  await assert.rejects(once(connect(forward.port, "127.0.0.1"), "connect"), {
    code: "ECONNREFUSED",
  });
  await assertRefused(
    a.client.closeTunnel({ kind: "forward", port: forward.port }),
    "tunnel/unknown",
    /meshctl tunnels/,
  );
  assert.deepEqual((await b.client.tunnels()).exposed, [
    { port: 8022, host: "127.0.0.1", targetPort, origin: "command" },
  ]);
});

test("a node in no mesh exposes and forwards nothing", async (t) => {
  const alone = await startDaemon(t);
  await assertRefused(
    alone.client.expose({ port: 22, host: "127.0.0.1", targetPort: 22 }),
    "control/not-enrolled",
    /meshctl join/,
  );
  assert.deepEqual((await alone.client.tunnels()).forwards, []);
});

test("tunnels of the configuration are there after a restart, and a reload adds and removes them", async (t) => {
  const service = createServer((socket) => socket.end("configured"));
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  t.after(() => service.close());
  const { port: targetPort } = service.address() as { port: number };
  const to = `127.0.0.1:${targetPort}`;
  const policy = [{ spiffe: "spiffe://*/node/*", allow: [...MEMBER, "tunnel.connect:*"] }];
  const withTunnels = {
    policy,
    tunnel: {
      expose: [
        { port: 8022, to },
        { port: 9, to },
      ],
    },
  };
  const forwards = (...peers: string[]) => ({
    policy,
    tunnel: { forward: peers.map((peer) => ({ listen: "127.0.0.1:0", peer, port: 8022 })) },
  });
  // a's forward names a peer that does not exist yet.
  const a = await startDaemon(t, forwards("b"));
  const before = await startDaemon(t, withTunnels);
  await enrol({ a, b: before });
  await before.stop();
  const b = await startDaemon(t, withTunnels, before.directory);
  await converged({ a, b });

  const origins = (await b.client.tunnels()).exposed.map(({ port, origin }) => [port, origin]);
  assert.deepEqual(origins, [
    [8022, "configuration"],
    [9, "configuration"],
  ]);
  const [forward] = (await a.client.tunnels()).forwards;
  assert.deepEqual(
    [forward?.peer, forward?.origin, forward?.problem],
    ["b", "configuration", null],
  );
  const read = async (): Promise<string> => text(connect(forward?.port ?? 0, "127.0.0.1"));
  assert.equal(await read(), "configured");

  // By command on top of it: a reload leaves these alone.
  await b.client.expose({ port: 7, host: "127.0.0.1", targetPort });
  b.reload({ policy, tunnel: { expose: [{ port: 8022, to }] } });
  assert.deepEqual(
    (await b.client.tunnels()).exposed.map(({ port, origin }) => [port, origin]),
    [
      [8022, "configuration"],
      [7, "command"],
    ],
  );
  a.reload(forwards("b", "nobody"));
  const listed = await until("the second forward", async () => {
    const answer = await a.client.tunnels();
    return answer.forwards.length === 2 && answer.forwards;
  });
  assert.equal(listed[0]?.port, forward?.port, "a forward that stays keeps its port");
  assert.deepEqual([listed[1]?.peer, listed[1]?.nodeId], ["nobody", ""]);
  assert.equal(await read(), "configured");

  const taken = { listen: to, peer: "b", port: 8022 };
  a.reload({ policy, tunnel: { forward: [taken] } });
  const failed = await until("the forward that cannot listen", async () =>
    (await a.client.tunnels()).forwards.find(({ problem }) => problem !== null),
  );
  assert.equal(failed.port, targetPort);
  assert.match(failed.problem ?? "", /Choose another local port/);
  await assert.rejects(read(), { code: "ECONNREFUSED" });
});
