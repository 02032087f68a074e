// Traces of real daemons, as a collector on loopback gets them.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Collector, type SeenSpan, startCollector } from "./collector.ts";
import {
  converged,
  enrol,
  type FileOptions,
  type InProcessDaemon,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "./harness.ts";
import { framed, HostilePeer } from "./hostile-peer.ts";

const SERVER = 2;
const CLIENT = 3;
const CONTEXT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const RENEWAL_MS = 60_000;

function tracingTo(endpoint: string, more: object = {}): FileOptions {
  return { telemetry: { tracing: { endpoint, ...more } } };
}

/** From a span to the root of its trace; fails where a parent is missing. */
function pathOf(collector: Collector, span: SeenSpan): SeenSpan[] {
  const path = [span];
  for (let at = span; at.parentSpanId !== undefined; ) {
    const parent = collector.spans().find(({ spanId }) => spanId === at.parentSpanId);
    assert.ok(parent, `the parent of ${at.name} is missing`);
    assert.equal(parent.traceId, span.traceId);
    path.push(parent);
    at = parent;
  }
  return path;
}

const names = (spans: readonly SeenSpan[]): string[] => spans.map(({ name }) => name);
const nodeOf = ({ resource }: SeenSpan): string => resource["meshd.spiffe_id"] ?? "";

/** A call of the control API with a trace context of the caller's. */
function callWith(daemon: InProcessDaemon, traceparent: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socketPath = join(daemon.directory, "c.sock");
    const call = request({ socketPath, path: "/v1/identity", headers: { traceparent } });
    call.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode));
    });
    call.on("error", reject);
    call.end();
  });
}

describe("two daemons that trace to one collector", () => {
  const stack = new Stack();
  const spiffe = (name: string): string => `spiffe://${TRUST_DOMAIN}/node/${name}`;
  const secret = "Bearer planted-collector-secret";
  let collector: Collector;
  let issuer: InProcessDaemon;
  let joiner: InProcessDaemon;
  let token: string;

  before(async () => {
    collector = await startCollector(stack);
    const headersFile = join(scratch(stack), "headers");
    writeFileSync(headersFile, `# for the tests\nAuthorization: ${secret}\n`);
    const options = {
      ...tracingTo(collector.endpoint, { headers_file: headersFile }),
      identity: { svid_lifetime: "1m", clock_skew: "0s" },
    };
    issuer = await startDaemon(stack, options);
    joiner = await startDaemon(stack, options);
    await issuer.client.init({ trustDomain: TRUST_DOMAIN, name: "issuer" });
    ({ token } = await issuer.client.createToken({ ttlSeconds: 60 }));
    await joiner.client.join({ token, name: "joiner" });
    await converged({ issuer, joiner });
  });
  after(() => stack.unwind());

  test("a join is one trace, from the operator's call to what the issuer does for it", async () => {
    await collector.span("of the call", ({ name }) => name === "POST /v1/join");
    const serve = await collector.span("of the issuer", ({ name }) =>
      name.startsWith("serve /x0tta6bl4/attest"),
    );
    const path = pathOf(collector, serve);
    assert.deepEqual(names(path), [
      "serve /x0tta6bl4/attest/1",
      "request /x0tta6bl4/attest/1",
      "join",
      "POST /v1/join",
    ]);
    assert.deepEqual(path.map(nodeOf), ["issuer", "joiner", "joiner", "joiner"].map(spiffe));
    assert.deepEqual([serve.kind, path[1]?.kind], [SERVER, CLIENT]);
    assert.equal(serve.attributes["meshd.peer"], "joining");
    for (const [index, span] of path.entries()) {
      assert.ok(span.startNs < span.endNs && !span.failed, span.name);
      if (index > 1) assert.ok(span.startNs <= path[index - 1]!.startNs, "a parent begins first");
    }
    const join = path[2];
    const handshake = await collector.span(
      "of the handshake",
      ({ name, parentSpanId }) => name === "handshake" && parentSpanId === join?.spanId,
    );
    assert.equal(handshake.attributes["meshd.handshake.role"], "initiator");
    assert.equal(handshake.attributes["meshd.handshake.suite"], "xxhfs-mldsa65");
  });

  test("a handshake that is answered is a trace of its own, and tells whose it is", async () => {
    const span = await collector.span(
      "of a responder",
      ({ name, attributes }) =>
        name === "handshake" && attributes["meshd.peer"] === spiffe("joiner"),
    );
    assert.equal(span.attributes["meshd.handshake.role"], "responder");
    assert.equal(span.parentSpanId, undefined);
  });

  test("a handshake that fails tells its code", async () => {
    const [, port = ""] = /\/tcp\/(\d+)/.exec(await issuer.address()) ?? [];
    const stranger = connect({ host: "127.0.0.1", port: Number(port) });
    stranger.on("error", () => undefined);
    const hello = "/multistream/1.0.0\n";
    const protocol = "/x0tta6bl4/noise-xxhfs-mldsa65/1.0.0\n";
    const line = (text: string): string => String.fromCharCode(text.length) + text;
    stranger.write(Buffer.from(line(hello) + line(protocol) + "\xff\xff", "latin1"));
    const span = await collector.span(
      "of the failure",
      ({ name, failed }) => name === "handshake" && failed,
    );
    assert.equal(span.attributes["error.type"], "handshake/bad-length");
    assert.equal(span.attributes["meshd.peer"], undefined);
    stranger.destroy();
  });

  test("a round has its phases as children, and a pull goes on at the peer that serves it", async () => {
    const { taskId } = await issuer.client.flStart({
      ...{ model: "softmax", rounds: 2, aggregator: "mean", byzantine: 0, seed: 7 },
    });
    const round = await collector.span(
      "of the second round",
      ({ name, attributes, resource }) =>
        name === "round" &&
        attributes["meshd.round"] === "2" &&
        resource["meshd.spiffe_id"] === spiffe("joiner"),
    );
    assert.equal(round.attributes["meshd.task"], taskId);
    assert.equal(round.attributes["meshd.round.result"], "aggregated");
    assert.equal(round.attributes["meshd.round.contributors"], "2");
    const phases = collector
      .spans()
      .filter(({ parentSpanId }) => parentSpanId === round.spanId)
      .sort((a, b) => Number(a.startNs - b.startNs));
    assert.deepEqual(names(phases), [
      "round.train",
      "round.exchange",
      "round.aggregate",
      "round.evaluate",
    ]);
    const serve = await collector.span(
      "of the pull at the issuer",
      ({ name, traceId }) => name === "serve /x0tta6bl4/fl-pull/1" && traceId === round.traceId,
    );
    const path = pathOf(collector, serve);
    assert.deepEqual(names(path), [
      "serve /x0tta6bl4/fl-pull/1",
      "request /x0tta6bl4/fl-pull/1",
      "round.exchange",
      "round",
    ]);
    assert.deepEqual(path.map(nodeOf), ["issuer", "joiner", "joiner", "joiner"].map(spiffe));
    assert.equal(serve.attributes["meshd.peer"], spiffe("joiner"));
    // The call that began the task, and the peer that was handed it.
    const handed = await collector.span(
      "of the task",
      ({ name }) => name === "serve /x0tta6bl4/fl-task/1",
    );
    assert.equal(names(pathOf(collector, handed)).at(-1), "POST /v1/fl/start");
  });

  test("a control call is part of its caller's trace if it says so properly", async () => {
    assert.equal(await callWith(issuer, CONTEXT), 200);
    const [, traceId, parent] = CONTEXT.split("-");
    const span = await collector.span("of the call", (seen) => seen.traceId === traceId);
    assert.deepEqual(
      [span.name, span.parentSpanId, span.kind],
      ["GET /v1/identity", parent, SERVER],
    );
    for (const malformed of [
      "x",
      CONTEXT.slice(1),
      `${CONTEXT}0`,
      CONTEXT.toUpperCase(),
      "x".repeat(4_000),
    ]) {
      assert.equal(await callWith(issuer, malformed), 200, malformed.slice(0, 60));
    }
    // A caller that does not record gets no record here either.
    const unsampled = CONTEXT.replace("0af7", "ffff").replace(/01$/, "00");
    assert.equal(await callWith(issuer, unsampled), 200);
    await callWith(issuer, CONTEXT.replace("0af7", "eeee"));
    await collector.span("of a later call", (seen) => seen.traceId.startsWith("eeee"));
    assert.ok(!collector.spans().some((seen) => seen.traceId.startsWith("ffff")));
    const roots = collector.spans().filter(({ name }) => name === "GET /v1/identity");
    assert.equal(roots.length, 7, "five malformed contexts began traces of their own");
  });

  test("a trace context of a peer is taken only if it is one, and bounded", async (t) => {
    const invitation = await issuer.client.createToken({ ttlSeconds: 60, name: "mallory" });
    const mallory = await HostilePeer.make(t, await issuer.address(), {
      token: invitation.token,
      name: "mallory",
    });
    await mallory.connect();
    const ask = (context: Uint8Array): ReturnType<HostilePeer["attempt"]> => {
      const ownId = Buffer.from(mallory.keys.nodeId, "hex");
      const bytes = Buffer.concat([framed(context), framed(ownId)]);
      return mallory.attempt("/x0tta6bl4/identity/1/traced", bytes, { closeWrite: true });
    };
    const good = await ask(Buffer.from(CONTEXT.replace("0af7", "aaaa")));
    assert.deepEqual([good.how, good.bytes > 0], ["closed", true]);
    for (const bad of [
      Buffer.alloc(0),
      Buffer.from(CONTEXT.replace("0af7", "bbbb").replace("00-", "01-")),
      Buffer.from(CONTEXT.replace("0af7", "BBBB")),
      Buffer.from(CONTEXT.replace("0af7", "bbbb").slice(0, 54)),
      Buffer.alloc(55, 0xff),
    ]) {
      assert.deepEqual(await ask(bad), good, "served as without a context");
    }
    const tooLong = await ask(Buffer.from(`${CONTEXT.replace("0af7", "bbbb")}0`));
    assert.deepEqual(tooLong, { how: "reset", bytes: 0 });
    // The traced variant lets no longer request in than the plain one.
    const request33 = Buffer.concat([framed(Buffer.from(CONTEXT)), framed(Buffer.alloc(33))]);
    const long = await mallory.attempt("/x0tta6bl4/identity/1/traced", request33, {
      closeWrite: true,
    });
    assert.deepEqual(long, { how: "reset", bytes: 0 });
    const span = await collector.span("of mallory", ({ traceId }) => traceId.startsWith("aaaa"));
    assert.equal(span.name, "serve /x0tta6bl4/identity/1");
    assert.ok(!collector.spans().some(({ traceId }) => traceId.startsWith("bbbb")));
  });

  test("a renewal is a trace across both daemons", async () => {
    const serve = await until(
      "the renewal",
      () =>
        Promise.resolve(
          collector
            .spans()
            .filter(({ name }) => name === "serve /x0tta6bl4/attest/1")
            .find((span) => span.attributes["meshd.peer"] === spiffe("joiner")),
        ),
      RENEWAL_MS,
    );
    await collector.span(
      "of the renewal",
      ({ name, traceId }) => name === "svid.renew" && traceId === serve.traceId,
    );
    assert.equal(names(pathOf(collector, serve)).at(-1), "svid.renew");
  });

  test("what is exported says whose it is and holds no secret", async () => {
    const { resource } = await collector.span(
      "of a call",
      ({ name }) => name === "POST /v1/tokens",
    );
    assert.equal(resource["service.name"], "meshd");
    assert.equal(resource["service.version"], "0.0.0-test");
    assert.equal(resource["service.instance.id"], await issuer.nodeId());
    assert.ok(collector.headers.every(({ authorization }) => authorization === secret));
    const sent = collector.bodies.join("\n");
    const seeds = [issuer, joiner].flatMap(({ directory }) => {
      const keys = join(directory, "state", "keys");
      return readdirSync(keys).map((file) => readFileSync(join(keys, file)));
    });
    assert.ok(seeds.length >= 4);
    const forms = seeds.flatMap((seed) => [
      seed.toString("hex"),
      seed.toString("base64"),
      seed.toString("base64url"),
    ]);
    for (const planted of [
      token,
      token.slice(10, 60),
      secret,
      "planted-collector-secret",
      ...forms,
    ]) {
      assert.ok(!sent.includes(planted), "a secret was exported");
    }
    assert.ok(sent.includes("/v1/tokens"), "the search would find something");
    assert.ok((await issuer.metric("meshd_telemetry_spans_exported_total")) > 20);
    assert.equal(await issuer.metric("meshd_telemetry_spans_dropped_total"), 0);
  });
});

describe("what is recorded", () => {
  test("of beacons is the share that was asked for: all, or none", async (t) => {
    const collector = await startCollector(t);
    const all = await startDaemon(t, tracingTo(collector.endpoint, { beacon_sample_ratio: 1 }));
    const none = await startDaemon(t, tracingTo(collector.endpoint, { beacon_sample_ratio: 0 }));
    await enrol({ all, none });
    await converged({ all, none });
    const span = await collector.span(
      "of a heartbeat",
      ({ name, attributes }) =>
        name === "beacon.validate" && attributes["meshd.beacon.code"] === "heartbeat",
    );
    assert.equal(span.parentSpanId, undefined);
    await none.stop();
    const validations = collector.spans().filter(({ name }) => name === "beacon.validate");
    assert.deepEqual([...new Set(validations.map(nodeOf))], [`spiffe://${TRUST_DOMAIN}/node/all`]);
  });

  test("is nothing at a ratio of 0: not even a connection is made", async (t) => {
    const collector = await startCollector(t);
    const quiet = tracingTo(collector.endpoint, { sample_ratio: 0, beacon_sample_ratio: 0 });
    const a = await startDaemon(t, quiet);
    const b = await startDaemon(t, quiet);
    await enrol({ a, b });
    await converged({ a, b });
    await a.stop();
    await b.stop();
    assert.equal(collector.bodies.length, 0);
  });

  test("with a peer that does not trace is this node's side, and the peer is asked as ever", async (t) => {
    const collector = await startCollector(t);
    const issuer = await startDaemon(t);
    const tracer = await startDaemon(t, tracingTo(collector.endpoint));
    await enrol({ issuer, tracer });
    await converged({ issuer, tracer });
    const span = await collector.span("of the request", ({ name }) =>
      name.startsWith("request /x0tta6bl4/attest"),
    );
    assert.equal(span.failed, false);
    assert.ok(!collector.spans().some(({ name }) => name.startsWith("serve")));
  });
});

/** Prints each module of OpenTelemetry's SDK, and of our adapter over it, that the process resolves. */
const WATCH_MODULES = `import { registerHooks } from "node:module";
  registerHooks({ resolve(specifier, context, next) {
    if (/opentelemetry\\/sdk|otlp-tracer/.test(specifier)) process.stderr.write("LOADED " + specifier + "\\n");
    return next(specifier, context);
  } });`;

describe("tracing that is off", () => {
  const watch = ["--import", `data:text/javascript,${encodeURIComponent(WATCH_MODULES)}`];

  test("loads nothing of it; tracing that is on does", async (t) => {
    const collector = await startCollector(t);
    const off = await spawnDaemon(t, {}, scratch(t), watch).answers();
    assert.equal(await off.end("SIGTERM"), 0);
    assert.equal(off.err, "");
    const on = await spawnDaemon(t, tracingTo(collector.endpoint), scratch(t), watch).answers();
    assert.equal(await on.end("SIGTERM"), 0);
    assert.match(on.err, /LOADED .*otlp-tracer/);
    assert.match(on.err, /LOADED @opentelemetry\/sdk-trace/);
    assert.ok(collector.spans().length > 0, "what was left is sent at the stop");
  });

  test("offers no traced variant of a protocol", async (t) => {
    const daemon = await startDaemon(t);
    await enrol({ daemon });
    const { token } = await daemon.client.createToken({ ttlSeconds: 60, name: "peer" });
    const peer = await HostilePeer.make(t, await daemon.address(), { token, name: "peer" });
    await peer.connect();
    assert.ok((await peer.open("/x0tta6bl4/identity/1")) !== undefined);
    assert.equal(await peer.open("/x0tta6bl4/identity/1/traced"), undefined);
  });
});

describe("a collector that fails", () => {
  /** The daemon does its work with this collector, and stops cleanly. */
  async function unaffected(
    t: Parameters<typeof startDaemon>[0],
    endpoint: string,
  ): Promise<InProcessDaemon> {
    const a = await startDaemon(t, tracingTo(endpoint));
    const b = await startDaemon(t);
    await enrol({ a, b });
    await converged({ a, b });
    assert.equal((await a.status()).node.state, "running");
    return a;
  }

  test("by not being there costs spans and nothing else", async (t) => {
    const a = await unaffected(t, "http://127.0.0.1:9/v1/traces");
    await until(
      "a failed export",
      async () => (await a.metric("meshd_telemetry_span_exports_failed_total")) > 0,
    );
    assert.equal(await a.metric("meshd_telemetry_spans_exported_total"), 0);
    await a.stop();
  });

  test("by answering 500 loses what it was sent, counted", async (t) => {
    const collector = await startCollector(t, (response) => {
      response.writeHead(500);
      response.end("x".repeat(100_000));
    });
    const a = await unaffected(t, collector.endpoint);
    await until(
      "counted drops",
      async () =>
        (await a.metric("meshd_telemetry_spans_dropped_total", { reason: "refused" })) > 0,
    );
  });

  test("by redirecting elsewhere is not followed", async (t) => {
    const elsewhere = await startCollector(t);
    const collector = await startCollector(t, (response) => {
      response.writeHead(307, { location: elsewhere.endpoint });
      response.end();
    });
    const a = await unaffected(t, collector.endpoint);
    await until(
      "counted drops",
      async () => (await a.metric("meshd_telemetry_spans_dropped_total")) > 0,
    );
    assert.equal(elsewhere.bodies.length, 0);
  });

  test("by never answering does not hold up the stop", async (t) => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    t.after(() => void silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    assert.ok(typeof address === "object" && address !== null);
    const daemon = await spawnDaemon(t, tracingTo(`http://127.0.0.1:${address.port}/`)).answers();
    await enrol({ daemon });
    assert.equal(await daemon.end("SIGTERM"), 0);
  });
});

test("a daemon whose collector's headers cannot be read does not start, and says which file", async (t) => {
  const file = join(scratch(t), "headers");
  const daemon = spawnDaemon(t, tracingTo("http://127.0.0.1:9/", { headers_file: file }));
  assert.equal(await daemon.ended(), 1);
  assert.match(
    daemon.err,
    /ENOENT.*let meshd's user read the file\. \[telemetry\/bad-header-file\]\n$/,
  );
});
