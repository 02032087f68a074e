// Tracing comes in through this port: spans of work that takes time, and the context that ties them together
// across nodes (W3C Trace Context).

/** Plain values about a span. Never secrets; nothing from the network as free text. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** Work under way. */
export interface Span {
  set(attributes: SpanAttributes): void;
  /** Ends it; with the error's code when the work failed. A second end changes nothing. */
  end(failure?: string): void;
}

export interface SpanOptions {
  /** `client` asks another node, `server` answers one. @default "internal" */
  readonly kind?: "internal" | "client" | "server";
  /**
   * The span it is part of. `root`: none, whatever is under way here. `{ traceparent }`: one of another process, as it
   * came from there; one that does not parse is none. @default the innermost that is under way here
   */
  readonly parent?: Span | "root" | { readonly traceparent: string };
  /** What it is about. */
  readonly attributes?: SpanAttributes;
  /** When the work began, if not now. */
  readonly startMs?: number;
}

/** Makes spans. Whether one is recorded is decided for each trace at its root. */
export interface Tracer {
  /**
   * Runs `work` as a span that ends with it, with the code of the error that `work` throws. Spans begun in `work`, also
   * after an await, are its children.
   */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Begins a span that the caller must end: for work that is driven by events. */
  start(name: string, options: SpanOptions): Span;
  /** Runs `work` so that spans begun in it are children of `span`. */
  within<T>(span: Span, work: () => T): T;
  /** The context to send along with a request; undefined when nothing that is under way here is recorded. */
  traceparent(): string | undefined;
}

const noSpan: Span = { set: () => undefined, end: () => undefined };

/** The tracer of a daemon that traces nothing. */
export const noTracer: Tracer = {
  span: (_name, _options, work) => work(noSpan),
  start: () => noSpan,
  within: (_span, work) => work(),
  traceparent: () => undefined,
};
