import assert from "node:assert/strict";
import { chmodSync, existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createSocketServer } from "node:net";
import { spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { startControlServer } from "../../../src/adapters/http/control-server.ts";
import type { RunningServer } from "../../../src/adapters/http/running-server.ts";
import { ControlClient, controlLimits, createControlApp } from "../../../src/control/index.ts";
import { errorCode, MeshError } from "../../../src/foundation/index.ts";
import { fakeExplained, fakeNode, fakeStatus } from "./fake-node.ts";
import { exchange, serveNode, socketPathFor } from "./served-node.ts";

async function codeOf(promise: Promise<unknown>): Promise<string> {
  let code = "nothing was thrown";
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof MeshError, String(error));
    code = errorCode(error);
    return true;
  });
  return code;
}

test("every call of the client comes back as the contract says", async (t) => {
  const { client, node } = await serveNode(t);
  assert.deepEqual(await client.status(), { schemaVersion: 1, ...fakeStatus() });
  assert.equal((await client.peers()).peers.length, 2);
  assert.equal((await client.beacons()).counters.rejected["mesh/replayed"], 2);
  assert.equal((await client.identity()).isIssuer, true);
  assert.equal((await client.flStatus()).learning?.round, 7);
  assert.equal((await client.flStop()).taskId, "task-1");
  const task = { model: "softmax", rounds: 3, aggregator: "mean" } as const;
  assert.equal((await client.flStart(task)).taskId, "task-2");
  const run = { task: { rounds: 3 }, dryRun: true };
  assert.equal((await client.flRun(run)).started, false);
  assert.equal((await client.flResume({ scope: "node" })).taskId, "task-1");
  assert.deepEqual(await client.flExplain({}), { schemaVersion: 1, ...fakeExplained });
  assert.equal(Buffer.from(await client.flModel()).toString(), "a model");
  assert.equal((await client.flPush(new Uint8Array(100_000))).bytes, 100_000);
  assert.equal(
    (await client.init({ trustDomain: "a.b", name: "n" })).trustDomain,
    "mesh.example.org",
  );
  await client.join({ token: "t", name: "n" });
  assert.equal((await client.createToken({ ttlSeconds: 1 })).token, "x0t.secret");
  assert.deepEqual(node.calls, [
    {},
    task,
    run,
    { scope: "node" },
    { trustDomain: "a.b", name: "n" },
    { token: "t", name: "n" },
    { ttlSeconds: 1 },
  ]);
});

test("an error of the node arrives with code, message, details and its HTTP status", async (t) => {
  const refusal = new MeshError(
    "identity/token-expired",
    "Cannot join: expired. Ask for another.",
    {
      ageSeconds: 5,
      names: ["a"],
    },
  );
  const { client, socketPath } = await serveNode(t, {
    join: () => {
      throw refusal;
    },
  });
  await assert.rejects(client.join({ token: "t" }), (error) => {
    assert.ok(error instanceof MeshError);
    assert.deepEqual(
      [error.code, error.message, error.details],
      [refusal.code, refusal.message, refusal.details],
    );
    return true;
  });
  const { status, json } = await exchange(socketPath, "POST", "/v1/join", '{"token":"t"}');
  assert.equal(status, 403);
  assert.equal(json.schemaVersion, 1);
});

test("a foreign error becomes 500 without its message, which the listener gets", async (t) => {
  const heard: unknown[] = [];
  const { socketPath } = await serveNode(
    t,
    {
      status: () => {
        throw new Error("the seed is 1234");
      },
    },
    (error) => heard.push(error),
  );
  const { status, json } = await exchange(socketPath, "GET", "/v1/status");
  assert.equal(status, 500);
  assert.equal(json.error?.code, "internal/unexpected");
  assert.doesNotMatch(JSON.stringify(json), /1234/);
  assert.match(String(heard[0]), /1234/);
});

test("malformed and out-of-range requests are refused before the node hears of them", async (t) => {
  const { node, socketPath } = await serveNode(t);
  const bad: readonly [string, string][] = [
    ["/v1/init", ""],
    ["/v1/init", "{"],
    ["/v1/init", "null"],
    ["/v1/init", "[]"],
    ["/v1/init", '{"trustDomain":"A","name":"n"}'],
    ["/v1/init", '{"trustDomain":"a","name":".."}'],
    ["/v1/init", '{"trustDomain":"a","name":"n","more":1}'],
    ["/v1/join", '{"token":""}'],
    ["/v1/join", JSON.stringify({ token: "t".repeat(controlLimits.tokenCharsMax + 1) })],
    ["/v1/tokens", '{"ttlSeconds":0}'],
    ["/v1/tokens", '{"ttlSeconds":1.5}'],
    ["/v1/tokens", `{"ttlSeconds":${controlLimits.tokenTtlSecondsMax + 1}}`],
    ["/v1/log", "{}"],
    ["/v1/log", '{"level":"trace"}'],
    ["/v1/log", '{"level":"info","for":"1h"}'],
    ["/v1/fl/start", '{"model":"gpt","rounds":1,"aggregator":"mean"}'],
    ["/v1/fl/start", '{"model":"mlp","rounds":0,"aggregator":"mean"}'],
    ["/v1/backup", JSON.stringify({ header: "abc", key: "ab".repeat(32) })],
    ["/v1/fl/run", "{}"],
    ["/v1/fl/run", '{"task":[]}'],
    ["/v1/fl/run", '{"task":{},"dryrun":true}'],
    ["/v1/fl/stop", '{"scope":"all"}'],
    ["/v1/fl/explain", '{"round":0}'],
    ["/v1/fl/start", '{"model":"mlp","rounds":1,"aggregator":"mean","participants":[]}'],
    ["/v1/fl/start", '{"model":"mlp","rounds":1,"aggregator":"mean","dirichletAlpha":0}'],
  ];
  for (const [path, body] of bad) {
    const { status, json } = await exchange(socketPath, "POST", path, body);
    assert.equal(status, 400, `${path} ${body.slice(0, 60)}`);
    assert.equal(json.error?.code, "control/bad-request");
  }
  assert.deepEqual(node.calls, []);
});

test("a body at the limit is read, one byte more is refused", async (t) => {
  const { socketPath } = await serveNode(t);
  const padded = (bytes: number): string => '{"ttlSeconds":5}'.padEnd(bytes, " ");
  const limit = controlLimits.requestBytesMax;
  for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
    const atLimit = await exchange(socketPath, "POST", "/v1/tokens", padded(limit), headers);
    assert.equal(atLimit.status, 200);
    const beyond = await exchange(socketPath, "POST", "/v1/tokens", padded(limit + 1), headers);
    assert.equal(beyond.status, 413);
    assert.equal(beyond.json.error?.code, "control/too-large");
  }
});

test("an unknown route and a wrong method are not found", async (t) => {
  const { socketPath } = await serveNode(t);
  for (const [method, path] of [
    ["GET", "/"],
    ["DELETE", "/v1/status"],
    ["GET", "/v1/fl/start"],
  ] as const) {
    const { status, json } = await exchange(socketPath, method, path);
    assert.equal(status, 404);
    assert.equal(json.error?.code, "control/not-found");
  }
});

test("nothing listening, a dead socket and a forbidden one are unreachable with a next step", async (t) => {
  const socketPath = socketPathFor(t);
  const client = new ControlClient({ socketPath });
  await assert.rejects(client.status(), /ENOENT.*Start meshd/);
  assert.equal(await codeOf(client.status()), "control/unreachable");
  leaveDeadSocket(socketPath);
  await assert.rejects(client.status(), /ECONNREFUSED/);
  if (process.getuid?.() === 0) {
    t.diagnostic("root may open any socket: the permission case is not tried");
    return;
  }
  chmodSync(socketPath, 0);
  await assert.rejects(client.status(), /sudo/);
});

test("an answer that is no JSON, of another shape or without end is refused", async (t) => {
  const answers = ["<html>", '{"schemaVersion":1}', '{"schemaVersion":2,"peers":[]}'];
  for (const text of answers) {
    const client = await rawServer(t, (end) => end(text));
    assert.equal(await codeOf(client.peers()), "control/bad-answer", text);
  }
  const silent = await rawServer(t, () => undefined, 50);
  assert.equal(await codeOf(silent.peers()), "control/timeout");
});

async function rawServer(
  t: TestContext,
  onRequest: (end: (text: string) => void) => void,
  timeoutMs = 5_000,
): Promise<ControlClient> {
  const socketPath = socketPathFor(t);
  const server = createServer((_request, response) => onRequest((text) => response.end(text)));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return new ControlClient({ socketPath, timeoutMs });
}

/** A process that dies without closing leaves its socket file behind. */
function leaveDeadSocket(socketPath: string): void {
  const script = `require("net").createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);
  assert.ok(statSync(socketPath).isSocket());
}

/** Starts a server that is stopped after the test even where it should never have started. */
async function startServer(
  t: TestContext,
  options: Parameters<typeof startControlServer>[0],
): Promise<RunningServer> {
  const server = await startControlServer(options);
  t.after(() => server.stop());
  return server;
}

test("the socket has its mode, is removed on stop, and stop is idempotent", async (t) => {
  for (const mode of [0o600, 0o660] as const) {
    const socketPath = socketPathFor(t);
    const server = await startServer(t, {
      app: createControlApp(fakeNode()),
      socketPath,
      mode,
    });
    assert.equal(statSync(socketPath).mode & 0o777, mode);
    await server.stop();
    await server.stop();
    assert.equal(existsSync(socketPath), false);
  }
});

test("a socket left by a crash is replaced, a live daemon's is not", async (t) => {
  const socketPath = socketPathFor(t);
  leaveDeadSocket(socketPath);
  const app = createControlApp(fakeNode());
  await startServer(t, { app, socketPath });
  assert.equal(await codeOf(startServer(t, { app, socketPath })), "control/socket-in-use");
  assert.equal((await new ControlClient({ socketPath }).peers()).peers.length, 2);
});

test("a daemon that accepts and stays silent counts as live", async (t) => {
  const socketPath = socketPathFor(t);
  const other = createSocketServer(() => undefined);
  await new Promise<void>((resolve) => other.listen(socketPath, resolve));
  t.after(() => other.close());
  const app = createControlApp(fakeNode());
  assert.equal(await codeOf(startServer(t, { app, socketPath })), "control/socket-in-use");
});

test("a regular file and a path beyond 107 bytes are refused, and the file stays", async (t) => {
  const app = createControlApp(fakeNode());
  const socketPath = socketPathFor(t);
  writeFileSync(socketPath, "precious");
  assert.equal(await codeOf(startServer(t, { app, socketPath })), "control/bad-socket-path");
  assert.ok(existsSync(socketPath));
  const room = 107 - Buffer.byteLength(socketPath) - 1;
  const longest = `${socketPath}-${"x".repeat(room)}`;
  const server = await startServer(t, { app, socketPath: longest });
  await server.stop();
  assert.equal(
    await codeOf(startServer(t, { app, socketPath: `${longest}x` })),
    "control/bad-socket-path",
  );
});

test("a client that goes in the middle of its request is no fault of the daemon", async (t) => {
  const unexpected: unknown[] = [];
  const app = createControlApp(fakeNode(), {
    onUnexpectedError: (error) => unexpected.push(error),
  });
  const answered = Promise.withResolvers<number>();
  const socketPath = socketPathFor(t);
  const server = await startControlServer({
    socketPath,
    app: async (call) => {
      const answer = await app(call);
      answered.resolve(answer.status);
      return answer;
    },
  });
  t.after(() => server.stop());
  const socket = connect(socketPath);
  const head = "POST /v1/lookup HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
  socket.write(`${head}{`, () => socket.destroy());
  assert.equal(await answered.promise, 400);
  assert.deepEqual(unexpected, []);
});
