// Tunnels between two nodes over real sockets: bytes both ways with back-pressure, who may connect to what, and what is left afterwards.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { encodeOpening, TUNNEL_PROTOCOL } from "../../../src/adapters/tunnel/opening.ts";
import { type Target, Tunnels } from "../../../src/adapters/tunnel/tunnels.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import type { NodeId, Right } from "../../../src/identity/index.ts";
import { until } from "../node/harness.ts";
import { linked, quiet, type TestNetwork } from "./test-network.ts";

const PORT = 8022;

interface TestTunnels {
  readonly tunnels: Tunnels;
  readonly counts: Map<string, number>;
}

async function tunnelsOf(
  t: TestContext,
  { network }: TestNetwork,
  allowed: readonly Right[] = [],
): Promise<TestTunnels> {
  const counts = new Map<string, number>();
  const tunnels = new Tunnels({
    network,
    allows: (_id, right) => allowed.includes(right),
    find: (peer) => peer as NodeId,
    reach: () => Promise.resolve(),
    nameOf: (nodeId) => nodeId.slice(0, 8),
    logger: quiet,
    meter: {
      count: (name, labels, by = 1) => {
        const key = [name, ...Object.values(labels ?? {})].join(" ");
        counts.set(key, (counts.get(key) ?? 0) + by);
      },
      set: (name, value, labels) => {
        counts.set([name, ...Object.values(labels ?? {})].join(" "), value);
      },
      observe: () => undefined,
    },
  });
  await tunnels.start();
  t.after(() => tunnels.stop());
  return { tunnels, counts };
}

/** A TCP service on loopback that is gone with the test. */
async function service(t: TestContext, serve: (socket: Socket) => void): Promise<Target> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { host: "127.0.0.1", port: (server.address() as { port: number }).port };
}

/** A client of a forward on `a` to PORT on `b`. */
async function client(
  t: TestContext,
  { tunnels }: TestTunnels,
  to: TestNetwork,
  allowHalfOpen = true,
): Promise<Socket> {
  const listen = { host: "127.0.0.1", port: 0 };
  const at = await tunnels.forward({ listen, peer: to.nodeId, remotePort: PORT });
  const socket = connect({ ...at, allowHalfOpen });
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function digestOf(socket: AsyncIterable<Buffer>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of socket) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

test("what a program sends through a forward comes back from the peer's service, byte for byte, and both ends close", async (t) => {
  const [a, b] = await linked(t, "echo");
  const near = await tunnelsOf(t, a);
  const far = await tunnelsOf(t, b, [`tunnel.connect:${PORT}`]);
  far.tunnels.expose(PORT, await service(t, (socket) => socket.pipe(socket)));
  const socket = await client(t, near, b);
  const sent = randomBytes(3_000_000);
  socket.end(sent);
  const back = await digestOf(socket);
  assert.equal(back.bytes, sent.length);
  assert.equal(back.sha256, createHash("sha256").update(sent).digest("hex"));
  await until("both to forget the connection", () =>
    Promise.resolve(
      near.counts.get("meshd_tunnel_connections outbound") === 0 &&
        far.counts.get("meshd_tunnel_connections inbound") === 0,
    ),
  );
  assert.equal(near.counts.get("meshd_tunnel_bytes_total sent"), sent.length);
  assert.equal(near.counts.get("meshd_tunnel_bytes_total received"), sent.length);
  assert.equal(far.counts.get("meshd_tunnel_opened_total connected"), 1);
});

test("a service that ends first can still be sent to: half-closed connections stay half-closed", async (t) => {
  const [a, b] = await linked(t, "half");
  const near = await tunnelsOf(t, a);
  const far = await tunnelsOf(t, b, ["tunnel.connect:8022"]);
  const heard = Promise.withResolvers<string>();
  const target = await service(t, (socket) => {
    socket.end("bye");
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.once("end", () => heard.resolve(text));
  });
  far.tunnels.expose(PORT, target);
  const socket = await client(t, near, b);
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, "end");
  assert.equal(text, "bye");
  socket.end("still here");
  assert.equal(await heard.promise, "still here");
});

test("a reader that stops reading stops the sender instead of filling memory", async (t) => {
  const [a, b] = await linked(t, "pressure");
  const near = await tunnelsOf(t, a);
  const far = await tunnelsOf(t, b, [`tunnel.connect:${PORT}`]);
  const served = Promise.withResolvers<Socket>();
  const target = await service(t, (socket) => {
    socket.pause();
    served.resolve(socket);
  });
  far.tunnels.expose(PORT, target);
  const socket = await client(t, near, b);
  const total = 96 * 1024 * 1024;
  const chunk = Buffer.alloc(1024 * 1024, 7);
  let written = 0;
  const write = (): void => {
    while (written < total) {
      written += chunk.length;
      if (!socket.write(chunk)) return void socket.once("drain", write);
    }
    socket.end();
  };
  write();
  const paused = await served.promise;
  // Standing still: the same count at two looks with data in flight for sure in between.
  let last = -1;
  await until("the sender to stand still", async () => {
    const before = near.counts.get("meshd_tunnel_bytes_total sent") ?? 0;
    await a.network
      .request(b.nodeId, "/x0tta6bl4/none", new Uint8Array(1), {
        timeoutMs: 2_000,
        responseBytesMax: 1,
      })
      .catch(() => undefined);
    const stands = before > 0 && before === last;
    last = before;
    return stands;
  });
  assert.ok(last < 64 * 1024 * 1024, `${last} bytes were taken from a sender nobody reads`);
  const all = digestOf(paused);
  paused.resume();
  assert.equal((await all).bytes, total);
});

for (const [title, allowed, exposes, code] of [
  ["a peer without the right is refused", [], true, "tunnel/refused"],
  [
    "the right to another port is no right to this one",
    ["tunnel.connect:8023"],
    true,
    "tunnel/refused",
  ],
  [
    "a port that is not exposed leads nowhere",
    ["tunnel.connect:8022"],
    false,
    "tunnel/not-exposed",
  ],
] as const) {
  test(title, async (t) => {
    const [a, b] = await linked(t, title);
    const near = await tunnelsOf(t, a);
    const far = await tunnelsOf(t, b, allowed);
    if (exposes) far.tunnels.expose(PORT, await service(t, (socket) => socket.end("secret")));
    await assert.rejects(near.tunnels.open(b.nodeId, PORT), (error) => isMeshError(error, code));
    const answer = code.slice("tunnel/".length);
    assert.equal(far.counts.get(`meshd_tunnel_opened_total ${answer}`), 1);
    const socket = await client(t, near, b);
    socket.resume();
    await assert.rejects(once(socket, "close"), { code: "ECONNRESET" });
    assert.equal(near.counts.get("meshd_tunnel_failures_total"), 1);
  });
}

test("a service that does not run is unreachable, and who asks is told so", async (t) => {
  const [a, b] = await linked(t, "down");
  const near = await tunnelsOf(t, a);
  const far = await tunnelsOf(t, b, [`tunnel.connect:${PORT}`]);
  const gone = createServer().listen(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address() as { port: number };
  gone.close();
  await once(gone, "close");
  far.tunnels.expose(PORT, { host: "127.0.0.1", port });
  await assert.rejects(near.tunnels.open(b.nodeId, PORT), (error) =>
    isMeshError(error, "tunnel/unreachable"),
  );
  assert.equal(far.counts.get("meshd_tunnel_connections inbound"), 0);
});

test("an opening that names no port, or is longer than one, connects to nothing", async (t) => {
  const [a, b] = await linked(t, "malformed");
  const far = await tunnelsOf(t, b, [`tunnel.connect:${PORT}`]);
  far.tunnels.expose(PORT, await service(t, (socket) => socket.end("secret")));
  const ask = (opening: Uint8Array): Promise<Uint8Array> =>
    a.network.request(b.nodeId, TUNNEL_PROTOCOL, opening, {
      timeoutMs: 5_000,
      responseBytesMax: 8,
    });
  assert.deepEqual([...(await ask(encodeOpening(0)))], [1], "refused");
  assert.deepEqual([...(await ask(new Uint8Array(0)))], [1], "refused");
  await assert.rejects(ask(new Uint8Array(3)), (error) =>
    isMeshError(error, "network/request-failed"),
  );
});

test("a local port is one forward's alone, at whichever address", async (t) => {
  const [a, b] = await linked(t, "twice");
  const { tunnels } = await tunnelsOf(t, a);
  const to = { peer: b.nodeId, remotePort: PORT };
  const { port } = await tunnels.forward({ listen: { host: "127.0.0.1", port: 0 }, ...to });
  for (const host of ["127.0.0.1", "127.0.0.2"]) {
    await assert.rejects(tunnels.forward({ listen: { host, port }, ...to }), (error) =>
      isMeshError(error, "tunnel/port-taken"),
    );
  }
  assert.equal(tunnels.forwards.length, 1);
  tunnels.unforward(port);
  await tunnels.forward({ listen: { host: "127.0.0.2", port }, ...to });
});

test("stopping ends what is relayed, and the ports listen no more", async (t) => {
  const [a, b] = await linked(t, "stop");
  const near = await tunnelsOf(t, a);
  const far = await tunnelsOf(t, b, [`tunnel.connect:${PORT}`]);
  far.tunnels.expose(PORT, await service(t, (socket) => socket.pipe(socket)));
  const socket = await client(t, near, b);
  socket.write("x");
  await once(socket, "data");
  const [forward] = near.tunnels.forwards;
  assert.ok(forward !== undefined);
  near.tunnels.stop();
  await assert.rejects(once(socket, "close"), { code: "ECONNRESET" });
  const again = connect(forward.listen);
  await assert.rejects(once(again, "connect"), { code: "ECONNREFUSED" });
  assert.deepEqual(near.tunnels.forwards, []);
  await until("the peer to let go of its service", () =>
    Promise.resolve(far.counts.get("meshd_tunnel_connections inbound") === 0),
  );
});
