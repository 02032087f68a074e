import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Collector, ExportOutcome } from "../../../src/adapters/telemetry/otlp-collector.ts";
import { SpanQueue } from "../../../src/adapters/telemetry/span-queue.ts";

const taken: ExportOutcome = { kind: "taken", rejected: 0 };
const retry: ExportOutcome = { kind: "retry", reason: "ECONNREFUSED" };

/** A queue of at most 10 spans in batches of 4, before a collector that answers as the test says. */
function queueOf(t: TestContext, outcome: () => ExportOutcome | Promise<ExportOutcome>) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const batches: string[][] = [];
  const counts: Record<string, number> = {};
  const warnings: string[] = [];
  let closed = 0;
  const collector: Collector = {
    send: async (body, signal) => {
      batches.push(JSON.parse(body) as string[]);
      const stopped = new Promise<ExportOutcome>((resolve) => {
        signal.addEventListener("abort", () => resolve({ kind: "retry", reason: "timeout" }));
      });
      return Promise.race([Promise.resolve(outcome()), stopped]);
    },
    close: () => {
      closed++;
    },
  };
  const quiet = (): void => undefined;
  const note = (_fields: unknown, message: string): void => {
    warnings.push(message);
  };
  const queue = new SpanQueue(
    {
      collector,
      encode: (spans) => JSON.stringify(spans.map(({ name }) => name)),
      meter: {
        count: (name, labels = {}, by = 1) => {
          const key = name.replace("meshd_telemetry_", "") + (labels["reason"] ?? "");
          counts[key] = (counts[key] ?? 0) + by;
        },
        set: quiet,
        observe: quiet,
      },
      logger: {
        debug: quiet,
        info: note,
        warn: note,
        error: quiet,
      },
    },
    {
      spansMax: 10,
      batchMax: 4,
      delayMs: 100,
      backoffMs: 1_000,
      backoffMsMax: 4_000,
      flushMs: 500,
    },
  );
  const add = (...names: string[]): void => {
    for (const name of names) queue.onEnd({ name } as ReadableSpan);
  };
  /** Moves the clock, and lets what is due happen. */
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, add, pass, batches, counts, warnings, closed: () => closed };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe("the span queue", () => {
  test("waits for others before it sends, and sends a full batch at once", async (t) => {
    const { add, pass, batches, counts } = queueOf(t, () => taken);
    add("a", "b");
    await pass(99);
    assert.equal(batches.length, 0);
    await pass(1);
    assert.deepEqual(batches, [["a", "b"]]);
    add(...numbered(5));
    await pass(0);
    assert.deepEqual(batches.at(-1), ["0", "1", "2", "3"]);
    await pass(100);
    assert.deepEqual(batches.at(-1), ["4"]);
    assert.deepEqual(counts, { spans_exported_total: 7 });
  });

  test("takes as many as it may hold and refuses one more, counted", async (t) => {
    const { add, pass, batches, counts } = queueOf(t, () => new Promise(() => undefined));
    add(...numbered(10));
    assert.deepEqual(counts, {});
    add("too many");
    assert.deepEqual(counts, { "spans_dropped_totalqueue-full": 1 });
    await pass(0);
    // The batch under way keeps its places until the collector has it.
    add("still too many");
    assert.equal(counts["spans_dropped_totalqueue-full"], 2);
    await pass(10_000);
    assert.equal(batches.length, 1, "one request at a time");
  });

  test("tries the same spans again, ever later up to a limit, and says so once", async (t) => {
    let outcome: ExportOutcome = retry;
    const { add, pass, batches, counts, warnings } = queueOf(t, () => outcome);
    add("a");
    await pass(100);
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      const before = batches.length;
      await pass(pauseMs - 1);
      assert.equal(batches.length, before, `a pause of ${pauseMs}`);
      await pass(1);
      assert.deepEqual(batches.at(-1), ["a"]);
      assert.equal(batches.length, before + 1);
    }
    assert.equal(warnings.length, 1);
    outcome = taken;
    await pass(4_000);
    assert.deepEqual(counts, { span_exports_failed_total: 5, spans_exported_total: 1 });
    assert.match(warnings.at(-1) ?? "", /again/);
    add("b");
    await pass(100);
    assert.deepEqual(batches.at(-1), ["b"], "at the usual pace after that");
  });

  test("gives up what the collector refuses, and goes on with the rest", async (t) => {
    const outcomes: ExportOutcome[] = [
      { kind: "refused", reason: "HTTP 400" },
      { kind: "taken", rejected: 1 },
    ];
    const { add, pass, batches, counts } = queueOf(t, () => outcomes.shift() ?? taken);
    add("bad");
    await pass(100);
    assert.deepEqual(counts, { span_exports_failed_total: 1, spans_dropped_totalrefused: 1 });
    add("x", "y", "z");
    await pass(1_000);
    assert.deepEqual(batches, [["bad"], ["x", "y", "z"]]);
    assert.deepEqual(
      counts,
      { span_exports_failed_total: 1, spans_dropped_totalrefused: 2, spans_exported_total: 2 },
      "the one of a partial success too",
    );
  });

  test("sends all that is left at the stop, and nothing after it", async (t) => {
    const { queue, add, batches, counts, closed } = queueOf(t, () => taken);
    add(...numbered(9));
    await Promise.all([queue.shutdown(), queue.shutdown()]);
    assert.deepEqual(batches.flat(), numbered(9));
    assert.equal(closed(), 1);
    add("late");
    assert.deepEqual(counts, { spans_exported_total: 9, spans_dropped_totalstopped: 1 });
  });

  test("does not wait at the stop for a collector that fails", async (t) => {
    const failing = queueOf(t, () => retry);
    failing.add(...numbered(9));
    await failing.queue.shutdown();
    assert.equal(failing.batches.length, 1);
    assert.equal(failing.counts["spans_dropped_totalstopped"], 9);
  });

  test("waits at the stop no longer than its deadline for a collector that hangs", async (t) => {
    const { queue, add, pass, counts, closed } = queueOf(t, () => new Promise(() => undefined));
    add(...numbered(9));
    await pass(0);
    const stopped = queue.shutdown();
    await pass(499);
    assert.equal(closed(), 0);
    await pass(1);
    await stopped;
    assert.equal(counts["spans_dropped_totalstopped"], 9);
    assert.equal(closed(), 1);
  });
});
