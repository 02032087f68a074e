// The client of the Workload API: where it looks, and what it makes of agents that are away, refuse, or send rubbish.
// Run with FAST_CHECK_SEED=<seed> to repeat a run.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseEndpoint } from "../../../../src/adapters/workload-api/endpoint.ts";
import { bytesField, textField } from "../../../../src/adapters/workload-api/protobuf.ts";
import {
  type ReceivedSvid,
  readSvids,
  splitDer,
  SvidStream,
} from "../../../../src/adapters/workload-api/svid-stream.ts";
import { concatBytes, isMeshError } from "../../../../src/foundation/index.ts";
import { endpointOf } from "../../../../src/node/credential-source.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20260601);
const runs = (numRuns: number) => ({ seed, numRuns });
console.log(`fast-check seed ${seed}`);

test("[E7] the endpoint is a Unix socket without an authority or an address with a port, from the file or the environment", () => {
  assert.deepEqual(parseEndpoint("unix:///run/a.sock"), { path: "/run/a.sock" });
  assert.deepEqual(parseEndpoint("unix:/run/a.sock"), { path: "/run/a.sock" });
  assert.deepEqual(parseEndpoint("tcp://127.0.0.1:8000"), { host: "127.0.0.1", port: 8000 });
  assert.deepEqual(parseEndpoint("tcp://[::1]:1"), { host: "::1", port: 1 });
  for (const bad of [
    ...["", "/run/a.sock", "unix://host/a", "unix://a", "unix:///a?b", "unix:///a#b", "http://a"],
    ...["tcp://localhost:1", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536"],
    ...["tcp://127.0.0.1:1/", "tcp://[127.0.0.1]:1", "tcp://::1:1", "tcp://u@127.0.0.1:1"],
  ])
    assert.equal(parseEndpoint(bad), undefined, bad);
  const of = (socket: string | null, variable?: string) =>
    endpointOf({ socket } as Parameters<typeof endpointOf>[0], {
      SPIFFE_ENDPOINT_SOCKET: variable,
    });
  assert.deepEqual(of("/a", "unix:///b"), { path: "/a" });
  assert.deepEqual(of(null, "unix:///b"), { path: "/b" });
  assert.throws(() => of(null), { code: "identity/source-unknown" });
  assert.throws(() => of(null, "/b"), { code: "identity/source-unknown" });
});

const DER = Uint8Array.of(0x30, 1, 0);

function svid(
  change: { chain?: Uint8Array; bundle?: Uint8Array; key?: Uint8Array } = {},
): Uint8Array {
  return bytesField(
    1,
    concatBytes(
      textField(1, "spiffe://a.b/node/c"),
      bytesField(2, change.chain ?? concatBytes(DER, DER)),
      bytesField(3, change.key ?? new Uint8Array(3)),
      bytesField(4, change.bundle ?? DER),
    ),
  );
}

describe("a message of the stream", () => {
  test("is the SVIDs with their certificates one by one; a key of another kind signs nothing", () => {
    const [read, ...rest] = readSvids(concatBytes(svid(), svid()));
    assert.equal(rest.length, 1);
    assert.equal(read?.spiffeId, "spiffe://a.b/node/c");
    assert.deepEqual(read.chain, [DER, DER]);
    assert.deepEqual(read.bundle, [DER]);
    assert.throws(() => read.sign(DER), { code: "workload/agent-malformed" });
  });

  test("that has no SVID, or one that is not whole, is refused", () => {
    const malformed = { code: "workload/agent-malformed" };
    const empty = new Uint8Array();
    for (const bad of [
      empty,
      svid({ chain: empty }),
      svid({ bundle: empty }),
      svid({ chain: DER.subarray(1) }),
    ])
      assert.throws(() => readSvids(bad), malformed);
    assert.throws(
      () => readSvids(concatBytes(...Array.from({ length: 65 }, () => svid()))),
      malformed,
    );
    const many = (count: number) => concatBytes(...Array.from({ length: count }, () => DER));
    assert.equal(splitDer(many(16))?.length, 16);
    assert.equal(splitDer(many(17)), undefined);
  });

  test("of any bytes is refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const parts = splitDer(bytes);
        if (parts !== undefined) assert.deepEqual(concatBytes(...parts), bytes);
        try {
          readSvids(bytes);
        } catch (error) {
          assert.ok(isMeshError(error, "workload/agent-malformed"));
        }
      }),
      runs(2_000),
    );
  });
});

describe("the stream", () => {
  /** What the client says of an agent that behaves like this. */
  async function ended(behave: ((stream: ServerHttp2Stream) => void) | undefined): Promise<{
    readonly code: string;
    readonly message: string;
    readonly svids: number;
  }> {
    const directory = mkdtempSync(join(tmpdir(), "agent-"));
    const path = join(directory, "a.sock");
    let server: Http2Server | undefined;
    if (behave !== undefined) {
      server = createServer();
      server.on("stream", behave);
      server.listen(path);
      await once(server, "listening");
    }
    let svids = 0;
    const told = Promise.withResolvers<{ readonly code: string; readonly message: string }>();
    const stream = new SvidStream(
      {
        random: { fraction: () => 0 },
        onSvids: (all: readonly ReceivedSvid[]) => {
          svids += all.length;
          return Promise.resolve();
        },
        onEnd: told.resolve,
      },
      { path },
    );
    stream.start();
    const end = await told.promise;
    await stream.stop();
    server?.close();
    rmSync(directory, { recursive: true, force: true });
    return { ...end, svids };
  }

  const frame = (message: Uint8Array, length = message.length, flag = 0): Buffer => {
    const head = Buffer.alloc(5, flag);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, message]);
  };
  const answer =
    (...frames: Buffer[]) =>
    (stream: ServerHttp2Stream) => {
      stream.on("error", () => undefined);
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "14" }));
      stream.end(Buffer.concat(frames));
    };

  test("says that nobody is there", async () => {
    assert.equal((await ended(undefined)).code, "workload/agent-unreachable");
    const closed = await ended((stream) => stream.session?.destroy());
    assert.equal(closed.code, "workload/agent-unreachable");
  });

  test("says that the agent refuses, and takes what came before it ended", async () => {
    const refused = await ended((stream) => {
      stream.respond({ ":status": 200, "grpc-status": "7" }, { endStream: true });
    });
    assert.equal(refused.code, "workload/agent-refused");
    assert.match(refused.message, /permissionDenied/);
    const cut = await ended(answer(frame(svid()), frame(svid())));
    assert.deepEqual([cut.code, cut.svids], ["workload/agent-refused", 2]);
  });

  test("gives up on frames that are too long, compressed, or no SVIDs", async () => {
    for (const bad of [frame(DER, 1024 * 1024 + 1), frame(svid(), svid().length, 1), frame(DER)]) {
      const { code, svids } = await ended(answer(bad));
      assert.deepEqual([code, svids], ["workload/agent-malformed", 0]);
    }
  });
});
