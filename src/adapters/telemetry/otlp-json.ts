// Spans as an OTLP/HTTP request in JSON: ExportTraceServiceRequest of opentelemetry-proto 1.x in its JSON mapping
// (ids as hex, nanoseconds as decimal text).

import type { HrTime } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { SpanAttributes } from "../../ports/index.ts";

/** Whose spans they are. */
export interface OtlpSource {
  /** Of the process: `service.name` and more. */
  readonly resource: SpanAttributes;
  readonly version: string;
}

/** The body of a request with these spans. */
export function otlpJson(
  spans: readonly ReadableSpan[],
  { resource, version }: OtlpSource,
): string {
  const scopeSpans = [{ scope: { name: "meshd", version }, spans: spans.map(spanJson) }];
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: attributesJson(resource) }, scopeSpans }],
  });
}

/** Flags of a span (trace.proto, SpanFlags): the W3C flags, whether it is known if the parent is remote, and if so. */
const KNOWN = 0x100;
const REMOTE_PARENT = 0x200;

function spanJson(span: ReadableSpan): object {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const parent = span.parentSpanContext;
  return {
    traceId,
    spanId,
    ...(parent && { parentSpanId: parent.spanId }),
    flags: traceFlags | KNOWN | (parent?.isRemote === true ? REMOTE_PARENT : 0),
    name: span.name,
    kind: span.kind + 1, // OTLP counts from 1: 0 is "unspecified"
    startTimeUnixNano: nanos(span.startTime),
    endTimeUnixNano: nanos(span.endTime),
    attributes: attributesJson(span.attributes),
    droppedAttributesCount: span.droppedAttributesCount,
    status: span.status,
  };
}

function nanos([seconds, rest]: HrTime): string {
  return (BigInt(seconds) * 1_000_000_000n + BigInt(Math.round(rest))).toString();
}

function attributesJson(attributes: Readonly<Record<string, unknown>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueJson(value) }));
}

function valueJson(value: unknown): object {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  return { stringValue: String(value) };
}
