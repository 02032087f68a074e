// Ended spans on their way to the collector: a bounded queue, sent in batches, one request at a time. Whatever happens to the
// collector, the daemon loses spans and nothing else: a full queue refuses the newest, and what is lost is counted. The
// SDK's own batch processor counts no losses and does not slow down for a collector that is away.

import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Logger, Meter } from "../../ports/index.ts";
import type { SpanDropReason } from "../../telemetry/index.ts";
import type { Collector, ExportOutcome } from "./otlp-collector.ts";

export interface SpanQueueOptions {
  /** Spans that wait at most, those of the request under way included; about a kilobyte each. @default 2048 */
  readonly spansMax?: number;
  /** Spans of one request. @default 256 */
  readonly batchMax?: number;
  /** How long the first span of a batch waits for others. @default 2000 */
  readonly delayMs?: number;
  /** The pause after a first failure; it doubles with each further one. @default 1000 */
  readonly backoffMs?: number;
  /** @default 60000 */
  readonly backoffMsMax?: number;
  /** How long a stop waits for what is left to be sent. @default 2000 */
  readonly flushMs?: number;
}

export interface SpanQueueDeps {
  readonly collector: Collector;
  readonly encode: (spans: readonly ReadableSpan[]) => string;
  readonly meter: Meter;
  readonly logger: Logger;
}

export class SpanQueue implements SpanProcessor {
  readonly #deps: SpanQueueDeps;
  readonly #options: Required<SpanQueueOptions>;
  readonly #stop = new AbortController();
  #spans: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #failures = 0;
  #stopped: Promise<void> | undefined;

  constructor(deps: SpanQueueDeps, options: SpanQueueOptions = {}) {
    this.#deps = deps;
    this.#options = {
      spansMax: 2_048,
      batchMax: 256,
      delayMs: 2_000,
      backoffMs: 1_000,
      backoffMsMax: 60_000,
      flushMs: 2_000,
      ...options,
    };
  }

  onStart(): void {
    // A span is of interest when it has ended.
  }

  onEnd(span: ReadableSpan): void {
    if (this.#stopped !== undefined) return this.#drop("stopped", 1);
    if (this.#spans.length >= this.#options.spansMax) return this.#drop("queue-full", 1);
    this.#spans.push(span);
    this.#wake(this.#pauseMs());
  }

  /** Sends what waits, unless the collector fails. */
  async forceFlush(): Promise<void> {
    await this.#sending;
    while (this.#spans.length > 0 && !this.#stop.signal.aborted) {
      await this.#send();
      if (this.#failures > 0) return;
    }
  }

  /** Sends what is left for as long as `flushMs`, and drops the rest. Idempotent. */
  shutdown(): Promise<void> {
    this.#stopped ??= this.#shutdown();
    return this.#stopped;
  }

  async #shutdown(): Promise<void> {
    clearTimeout(this.#timer);
    const impatience = setTimeout(() => this.#stop.abort(), this.#options.flushMs);
    await this.forceFlush();
    clearTimeout(impatience);
    this.#drop("stopped", this.#spans.length);
    this.#spans = [];
    this.#deps.collector.close();
  }

  #isBatch(): boolean {
    return this.#spans.length >= this.#options.batchMax;
  }

  /** Sends after a while; a sooner time wins over a later one. */
  #wake(delayMs: number): void {
    if (this.#sending !== undefined || this.#stopped !== undefined) return;
    if (this.#timer !== undefined && delayMs > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined;
        if (this.#spans.length > 0) this.#wake(this.#pauseMs());
      });
    }, delayMs);
    this.#timer.unref();
  }

  #pauseMs(): number {
    const { delayMs, backoffMs, backoffMsMax } = this.#options;
    if (this.#failures === 0) return this.#isBatch() ? 0 : delayMs;
    return Math.min(backoffMsMax, backoffMs * 2 ** Math.min(this.#failures - 1, 30));
  }

  /** One request with the oldest spans, which stay in the queue until the collector has answered. */
  async #send(): Promise<void> {
    const batch = this.#spans.slice(0, this.#options.batchMax);
    const { collector, encode } = this.#deps;
    const outcome = await collector.send(encode(batch), this.#stop.signal);
    if (outcome.kind !== "retry") this.#spans.splice(0, batch.length);
    this.#account(outcome, batch.length);
  }

  #account(outcome: ExportOutcome, sent: number): void {
    const { meter, logger } = this.#deps;
    if (outcome.kind === "taken") {
      const rejected = Math.min(sent, outcome.rejected);
      meter.count("meshd_telemetry_spans_exported_total", {}, sent - rejected);
      this.#drop("refused", rejected);
      if (this.#failures > 0) logger.info({}, "trace collector takes spans again");
      this.#failures = 0;
      return;
    }
    meter.count("meshd_telemetry_span_exports_failed_total");
    if (outcome.kind === "refused") this.#drop("refused", sent);
    this.#failures++;
    // Once an outage, not once a try.
    if (this.#failures === 1) {
      logger.warn(
        { code: "telemetry/export-failed", reason: outcome.reason, kind: outcome.kind },
        "trace collector does not take spans; it is tried again",
      );
    }
  }

  #drop(reason: SpanDropReason, count: number): void {
    if (count > 0) this.#deps.meter.count("meshd_telemetry_spans_dropped_total", { reason }, count);
  }
}
