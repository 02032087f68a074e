// An HTTP exchange as plain data, between who serves sockets and who answers. Not the web-standard Request and
// Response: touching either makes Node load its whole fetch client. An idle daemon is 5 MB smaller without it.

/** A request whose head is read; the body comes as it arrives, once, and may be left unread. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The header of that name, as it came. */
  readonly traceparent?: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Aborts when the client has gone before the answer was out. */
  readonly gone: AbortSignal;
}

/** A whole answer. A body of bytes that ends with an error breaks the connection: the client sees that it is not whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | AsyncIterable<Uint8Array>;
}

/** Answers requests; its errors are its own to answer. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer>;
