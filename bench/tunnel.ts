// A tunnel between two nodes over loopback, beside a relay of two plain TCP hops in the same run: what a stream of bytes and what a
// question with its answer cost. Both ends, the program and the service share one thread here; on two hosts each end has its own.
// Rows that end in /ratio are the tunnel's rate by the plain relay's; /added is what the tunnel adds to a round trip.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Tunnels } from "../src/adapters/tunnel/tunnels.ts";
import type { NodeId } from "../src/identity/index.ts";
import { linked, quiet, type TestNetwork } from "../test/integration/adapters/test-network.ts";
import { Stack } from "../test/integration/node/harness.ts";
import { type BenchResult, type BenchSuite, measureMs, summarize } from "./measure.ts";

const LOOPBACK = "127.0.0.1";
const PORT = 8022;
const MEBIBYTE = 1024 * 1024;
/** Sent in one go, long enough for windows to fill many times. */
const STREAM_MEBIBYTES = 32;
const CHUNK = Buffer.alloc(64 * 1024, 7);
const QUESTION = Buffer.alloc(64, 7);

/** Listens on loopback; gives the port. */
async function listening(stack: Stack, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    stack.after(() => void socket.destroy());
    serve(socket);
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  stack.after(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** A hop that leads every connection to a port, as small proxies do it. */
const relayTo = (stack: Stack, port: number): Promise<number> =>
  listening(stack, (socket) => {
    const onward = connect({ port, host: LOOPBACK, noDelay: true, allowHalfOpen: true });
    onward.on("error", () => undefined);
    stack.after(() => void onward.destroy());
    socket.pipe(onward);
    onward.pipe(socket);
  });

async function tunnelTo(stack: Stack, targets: Readonly<Record<number, number>>) {
  const [near, far] = await linked(stack, "bench");
  const tunnelsOf = async ({ network }: TestNetwork): Promise<Tunnels> => {
    const tunnels = new Tunnels({
      ...{ network, allows: () => true, reach: () => Promise.resolve(), nameOf: String },
      find: (peer) => peer as NodeId,
      logger: quiet,
      meter: { count: () => undefined, set: () => undefined, observe: () => undefined },
    });
    await tunnels.start();
    stack.after(() => tunnels.stop());
    return tunnels;
  };
  const [here, there] = [await tunnelsOf(near), await tunnelsOf(far)];
  return async (name: number): Promise<number> => {
    there.expose(name, { host: LOOPBACK, port: targets[name] ?? 0 });
    const listen = { host: LOOPBACK, port: 0 };
    return (await here.forward({ listen, peer: far.nodeId, remotePort: name })).port;
  };
}

/** Sends a stream and waits for the service's word that it has all of it; mebibytes a second. */
async function rateOf(port: number): Promise<number> {
  const socket = connect({ port, host: LOOPBACK, allowHalfOpen: true });
  const done = once(socket, "data");
  let left = (STREAM_MEBIBYTES * MEBIBYTE) / CHUNK.length;
  const start = performance.now();
  await pipeline(
    new Readable({
      highWaterMark: 2 * CHUNK.length,
      read() {
        this.push(left-- > 0 ? CHUNK : null);
      },
    }),
    socket,
    { end: false },
  );
  await done;
  const seconds = (performance.now() - start) / 1000;
  socket.end();
  return STREAM_MEBIBYTES / seconds;
}

/** Takes a stream's bytes and says when there were enough. */
function swallow(socket: Socket): void {
  let left = STREAM_MEBIBYTES * MEBIBYTE;
  socket.on("end", () => socket.end());
  socket.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left === 0) socket.write("x");
  });
}

/** A question and its answer on a connection that stays. */
async function asker(stack: Stack, port: number): Promise<() => Promise<void>> {
  const socket = connect({ port, host: LOOPBACK, noDelay: true });
  stack.after(() => void socket.destroy());
  await once(socket, "connect");
  return async () => {
    const answered = once(socket, "data");
    socket.write(QUESTION);
    await answered;
  };
}

export const suite: BenchSuite = async (report, { seconds }) => {
  const stack = new Stack();
  try {
    const sink = await listening(stack, swallow);
    const echo = await listening(stack, (socket) =>
      socket.on("data", (data) => socket.write(data)),
    );
    const tunnel = await tunnelTo(stack, { [PORT]: sink, [PORT + 1]: echo });
    const plain = async (port: number): Promise<number> =>
      relayTo(stack, await relayTo(stack, port));

    // Taken in turns, so that a machine that is busy for a while is so for both.
    const ports = [await tunnel(PORT), await plain(sink)] as const;
    const rates: [number[], number[]] = [[], []];
    for (const port of ports) await rateOf(port);
    const end = performance.now() + seconds * 2000;
    while (performance.now() < end || rates[1].length < 5) {
      for (const [i, port] of ports.entries()) rates[i]?.push(await rateOf(port));
    }
    const [ours, theirs] = rates.map((samples, i) =>
      summarize(`tunnel/throughput${i === 0 ? "" : "/plain"}`, "MiB/s", samples),
    ) as [BenchResult, BenchResult];
    report(ours);
    report(theirs);
    report(summarize("tunnel/throughput/ratio", "x", [ours.p50 / theirs.p50]));

    const ask = await asker(stack, await tunnel(PORT + 1));
    const slow = await measureMs("tunnel/round-trip", ask, { seconds });
    const askPlain = await asker(stack, await plain(echo));
    const fast = await measureMs("tunnel/round-trip/plain", askPlain, { seconds });
    report(slow);
    report(fast);
    const added = (q: "value" | "p50" | "p95" | "p99"): number => slow[q] - fast[q];
    const quantiles = { p50: added("p50"), p95: added("p95"), p99: added("p99") };
    report({ ...slow, name: "tunnel/round-trip/added", value: added("value"), ...quantiles });
  } finally {
    await stack.unwind();
  }
};
