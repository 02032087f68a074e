// The tracer's rules about parents and sampling, read off what it would send.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createOtlpTracer,
  type RunningTracer,
} from "../../../src/adapters/telemetry/otlp-tracer.ts";
import { MeshError } from "../../../src/foundation/index.ts";
import { noTracer } from "../../../src/ports/index.ts";
import { type SeenSpan, startCollector } from "../../integration/node/collector.ts";

const nothing = (): void => undefined;
const REMOTE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

interface Traced {
  readonly tracer: RunningTracer;
  /** What was sent, by name; ends the tracer. */
  readonly spans: () => Promise<Map<string, SeenSpan>>;
}

async function tracerFor(
  t: { after(work: () => void): void },
  { sampleRatio = 1, beaconSampleRatio = 1, fractions = [0.5] } = {},
): Promise<Traced> {
  const collector = await startCollector(t);
  const tracer = createOtlpTracer(
    {
      random: {
        bytes: (length) => new Uint8Array(length),
        fraction: () => (fractions.length > 1 ? fractions.shift() : fractions[0]) ?? 0,
      },
      meter: { count: nothing, set: nothing, observe: nothing },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      resource: () => ({ "service.name": "test" }),
    },
    { endpoint: collector.endpoint, headers: {}, sampleRatio, beaconSampleRatio, version: "1" },
  );
  return {
    tracer,
    spans: async () => {
      await tracer.stop();
      return new Map(collector.spans().map((span) => [span.name, span]));
    },
  };
}

describe("the tracer", () => {
  test("makes what begins in a span its child, also after an await, and what begins beside it not", async (t) => {
    const { tracer, spans } = await tracerFor(t);
    await tracer.span("outer", {}, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await tracer.span("inner", { kind: "client" }, () => Promise.resolve());
      tracer.start("root", { parent: "root" }).end();
    });
    tracer.start("beside", {}).end();
    const seen = await spans();
    assert.equal(seen.get("inner")?.parentSpanId, seen.get("outer")?.spanId);
    assert.equal(seen.get("inner")?.kind, 3);
    for (const name of ["outer", "root", "beside"])
      assert.equal(seen.get(name)?.parentSpanId, undefined, name);
    assert.equal(new Set([...seen.values()].map(({ traceId }) => traceId)).size, 3);
  });

  test("never makes a span that has ended a parent: timers and sockets outlive what made them", async (t) => {
    const { tracer, spans } = await tracerFor(t);
    let later: () => void = nothing;
    const woken = new Promise<void>((resolve) => (later = resolve));
    let work: Promise<void> = Promise.resolve();
    await tracer.span("maker", {}, async () => {
      work = woken.then(() => {
        assert.equal(tracer.traceparent(), undefined);
        tracer.start("made", {}).end();
      });
      return Promise.resolve();
    });
    later();
    await work;
    assert.equal((await spans()).get("made")?.parentSpanId, undefined);
  });

  test("ends a span with the code of the error that its work throws, and once", async (t) => {
    const { tracer, spans } = await tracerFor(t);
    const failing = (error: Error) => tracer.span(error.message, {}, () => Promise.reject(error));
    await assert.rejects(failing(new MeshError("mesh/lost", "coded")), { message: "coded" });
    await assert.rejects(failing(new Error("foreign text")));
    const twice = tracer.start("twice", {});
    twice.end("mesh/lost");
    twice.end();
    const seen = await spans();
    assert.equal(seen.get("coded")?.attributes["error.type"], "mesh/lost");
    assert.equal(seen.get("foreign text")?.attributes["error.type"], "internal/unexpected");
    assert.deepEqual([seen.get("twice")?.failed, seen.size], [true, 3]);
  });

  test("goes on with the trace of another process, and sends its own context along", async (t) => {
    const { tracer, spans } = await tracerFor(t);
    let sent: string | undefined;
    await tracer.span("serve", { kind: "server", parent: { traceparent: REMOTE } }, () => {
      sent = tracer.traceparent();
      return Promise.resolve();
    });
    tracer.start("malformed", { parent: { traceparent: `${REMOTE}0` } }).end();
    const seen = await spans();
    const serve = seen.get("serve");
    assert.deepEqual([serve?.traceId, serve?.parentSpanId], REMOTE.split("-").slice(1, 3));
    assert.equal(sent, `00-${serve?.traceId ?? ""}-${serve?.spanId ?? ""}-01`);
    assert.equal(seen.get("malformed")?.parentSpanId, undefined);
  });

  test("decides at the root: what is begun in a trace that is not recorded is not recorded either", async (t) => {
    const { tracer, spans } = await tracerFor(t, { sampleRatio: 0.5, fractions: [0.5, 0] });
    await tracer.span("out", {}, async (out) => {
      assert.equal(tracer.traceparent(), undefined);
      await tracer.span("child", {}, () => Promise.resolve());
      tracer.start("by hand", { parent: out }).end();
      // The caller has decided already.
      tracer.start("of a caller", { parent: { traceparent: REMOTE } }).end();
    });
    tracer
      .start("unsampled caller", { parent: { traceparent: REMOTE.replace(/01$/, "00") } })
      .end();
    assert.deepEqual([...(await spans()).keys()], ["of a caller"]);
    const just = await tracerFor(t, { sampleRatio: 0.5, fractions: [0.499] });
    just.tracer.start("in", {}).end();
    assert.deepEqual([...(await just.spans()).keys()], ["in"]);
  });

  test("samples beacons by their own ratio", async (t) => {
    const few = await tracerFor(t, { beaconSampleRatio: 0.1, fractions: [0.1] });
    few.tracer.start("beacon.validate", { parent: "root" }).end();
    few.tracer.start("round", { parent: "root" }).end();
    assert.deepEqual([...(await few.spans()).keys()], ["round"]);
    const only = await tracerFor(t, { sampleRatio: 0, beaconSampleRatio: 0.2, fractions: [0.1] });
    only.tracer.start("beacon.validate", { parent: "root" }).end();
    only.tracer.start("round", { parent: "root" }).end();
    assert.deepEqual([...(await only.spans()).keys()], ["beacon.validate"]);
  });

  test("bounds what a span may hold, and keeps kinds of values apart", async (t) => {
    const { tracer, spans } = await tracerFor(t);
    const span = tracer.start("wide", {
      attributes: { long: "x".repeat(1_000), ratio: 0.5, n: 7, ok: true },
    });
    for (let i = 0; i < 100; i++) span.set({ [`a${i}`]: i });
    span.end();
    const { attributes } = (await spans()).get("wide") ?? assert.fail("no span");
    assert.equal(Object.keys(attributes).length, 32);
    assert.equal(attributes["long"]?.length, 256);
    assert.deepEqual(
      [attributes["ratio"], attributes["n"], attributes["ok"]],
      ["0.5", "7", "true"],
    );
  });

  test("that is none runs the work and nothing else", async () => {
    const result = await noTracer.span("x", {}, (span) => {
      span.set({ a: 1 });
      span.end();
      return Promise.resolve(7);
    });
    assert.equal(result, 7);
    assert.equal(
      noTracer.within(noTracer.start("x", {}), () => 8),
      8,
    );
    assert.equal(noTracer.traceparent(), undefined);
  });
});
