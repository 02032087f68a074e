// The Tracer port over OpenTelemetry's SDK. This module is loaded by a dynamic import, and only when tracing is on: a
// daemon without it holds nothing of OpenTelemetry.
//
// What is under way is kept in an AsyncLocalStorage. A span that has ended is nobody's parent: sockets and timers that were
// made under it live on, and what happens to them later is not part of it.

import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  ROOT_CONTEXT,
  type Span as SdkSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { errorCode } from "../../foundation/index.ts";
import type {
  Logger,
  Meter,
  Random,
  Span,
  SpanAttributes,
  SpanOptions,
  Tracer,
} from "../../ports/index.ts";
import { BEACON_SPAN, parseTraceparent, traceparentOf } from "../../telemetry/index.ts";
import { httpCollector } from "./otlp-collector.ts";
import { otlpJson } from "./otlp-json.ts";
import { SpanQueue, type SpanQueueOptions } from "./span-queue.ts";

export interface OtlpTracerOptions {
  /** An http or https URL, such as `http://127.0.0.1:4318/v1/traces`. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Which share of the traces is recorded, in [0, 1]. */
  readonly sampleRatio: number;
  /** The same for the validation of beacons, of which there may be thousands a second. */
  readonly beaconSampleRatio: number;
  readonly version: string;
  /** @default 5000 */
  readonly timeoutMs?: number;
  readonly queue?: SpanQueueOptions;
}

export interface OtlpTracerDeps {
  readonly random: Random;
  readonly meter: Meter;
  readonly logger: Logger;
  /** Read for every request to the collector: a node learns its SPIFFE id when it is enrolled. */
  readonly resource: () => SpanAttributes;
}

/** A tracer, and its end. */
export interface RunningTracer extends Tracer {
  /** Sends what is left, for as long as the queue's `flushMs`; idempotent. */
  stop(): Promise<void>;
}

const TIMEOUT_MS = 5_000;
/** Bounds of a span: what we set is far below. */
const spanLimits = { attributeCountLimit: 32, attributeValueLengthLimit: 256 };

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
} as const;

/** Starts exporting; nothing is sent before the first span ends. */
export function createOtlpTracer(deps: OtlpTracerDeps, options: OtlpTracerOptions): RunningTracer {
  const { endpoint, headers, version, timeoutMs = TIMEOUT_MS } = options;
  const queue = new SpanQueue(
    {
      collector: httpCollector({ endpoint, headers, timeoutMs }),
      encode: (spans) => otlpJson(spans, { resource: deps.resource(), version }),
      meter: deps.meter,
      logger: deps.logger,
    },
    options.queue,
  );
  return new OtlpTracer(deps.random, options, queue);
}

class OtlpTracer implements RunningTracer {
  readonly #active = new AsyncLocalStorage<OtlpSpan>();
  readonly #sdk;
  readonly #random: Random;
  readonly #options: OtlpTracerOptions;
  readonly #queue: SpanQueue;

  constructor(random: Random, options: OtlpTracerOptions, queue: SpanQueue) {
    this.#random = random;
    this.#options = options;
    this.#queue = queue;
    this.#sdk = new TracerProvider({ spanProcessors: [queue], spanLimits }).getTracer("meshd");
  }

  async span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.start(name, options);
    try {
      const result = await this.within(span, () => work(span));
      span.end();
      return result;
    } catch (error) {
      span.end(errorCode(error));
      throw error;
    }
  }

  start(name: string, { kind = "internal", parent, attributes, startMs }: SpanOptions): OtlpSpan {
    const context = this.#parentContext(name, parent);
    if (context === undefined) return new OtlpSpan(undefined);
    const startTime = startMs === undefined ? {} : { startTime: startMs };
    const own = attributes === undefined ? {} : { attributes: { ...attributes } };
    return new OtlpSpan(
      this.#sdk.startSpan(name, { kind: kinds[kind], ...own, ...startTime }, context),
    );
  }

  within<T>(span: Span, work: () => T): T {
    return span instanceof OtlpSpan ? this.#active.run(span, work) : work();
  }

  traceparent(): string | undefined {
    const context = this.#underWay()?.sdk?.spanContext();
    return context && traceparentOf({ ...context, sampled: true });
  }

  stop(): Promise<void> {
    return this.#queue.shutdown();
  }

  /** The context to begin a span in; undefined when it is not to be recorded. */
  #parentContext(name: string, parent: SpanOptions["parent"]): Context | undefined {
    if (parent === "root") return this.#rootContext(name);
    if (parent !== undefined && "traceparent" in parent) {
      const remote = parseTraceparent(parent.traceparent);
      if (remote === undefined) return this.#rootContext(name);
      if (!remote.sampled) return undefined;
      const { traceId, spanId } = remote;
      return trace.setSpanContext(ROOT_CONTEXT, {
        ...{ traceId, spanId },
        traceFlags: TraceFlags.SAMPLED,
        isRemote: true,
      });
    }
    const span = parent instanceof OtlpSpan ? parent : this.#underWay();
    if (span === undefined) return this.#rootContext(name);
    return span.sdk && trace.setSpan(ROOT_CONTEXT, span.sdk);
  }

  /** Decided before anything is made: of beacons, nearly all are not recorded. */
  #rootContext(name: string): Context | undefined {
    const { sampleRatio, beaconSampleRatio } = this.#options;
    const ratio = name === BEACON_SPAN ? beaconSampleRatio : sampleRatio;
    return this.#random.fraction() < ratio ? ROOT_CONTEXT : undefined;
  }

  #underWay(): OtlpSpan | undefined {
    const span = this.#active.getStore();
    return span?.ended === false ? span : undefined;
  }
}

/** A span that is recorded, or one whose trace is not. */
class OtlpSpan implements Span {
  readonly sdk: SdkSpan | undefined;
  ended = false;

  constructor(sdk: SdkSpan | undefined) {
    this.sdk = sdk;
  }

  set(attributes: SpanAttributes): void {
    this.sdk?.setAttributes({ ...attributes });
  }

  end(failure?: string): void {
    if (this.ended) return;
    this.ended = true;
    if (failure !== undefined) {
      this.sdk?.setAttribute("error.type", failure);
      this.sdk?.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    }
    this.sdk?.end();
  }
}
