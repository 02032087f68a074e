// The W3C traceparent header (Trace Context, level 1): "00-<trace id>-<parent id>-<flags>", 55 characters. Read strictly:
// version 00 alone, lower case, no zero ids. Anything else is as if nothing had been sent.

export const TRACEPARENT_CHARS = 55;

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

const form = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The context in a header; undefined when it is not exactly one. */
export function parseTraceparent(text: string): TraceContext | undefined {
  if (text.length !== TRACEPARENT_CHARS) return undefined;
  const [, traceId, spanId, flags] = form.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header of a context. */
export function traceparentOf({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}
