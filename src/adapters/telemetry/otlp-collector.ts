// OTLP/HTTP requests to the collector, over Node's plain HTTP client: fetch would load undici. Nothing the collector
// does can hurt: an answer has a deadline and a size, and redirects are not followed.

import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

/** How a request ended. `retry`: the same spans may be taken later. `refused`: never. */
export type ExportOutcome =
  /** `rejected`: how many of the spans the collector did not want. */
  | { readonly kind: "taken"; readonly rejected: number }
  | { readonly kind: "retry" | "refused"; readonly reason: string };

export interface CollectorOptions {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface Collector {
  /** Sends one request body. Never rejects. */
  send(body: string, signal: AbortSignal): Promise<ExportOutcome>;
  /** Closes the connection. */
  close(): void;
}

/** What is read of an answer: a partial success is a few hundred bytes. */
const ANSWER_BYTES_MAX = 16 * 1024;

export function httpCollector({ endpoint, headers, timeoutMs }: CollectorOptions): Collector {
  const url = new URL(endpoint);
  const isTls = url.protocol === "https:";
  const agent = new (isTls ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  const open = isTls ? httpsRequest : httpRequest;
  return {
    send: (body, stop) =>
      new Promise((resolve) => {
        const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
        const fail = (error: unknown): void =>
          resolve({ kind: "retry", reason: signal.aborted ? "timeout" : systemCode(error) });
        const call = open(url, {
          method: "POST",
          agent,
          signal,
          headers: {
            ...headers,
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
          },
        });
        call.on("error", fail);
        call.on("response", (response) => {
          textOf(response).then((text) => resolve(outcomeOf(response.statusCode ?? 0, text)), fail);
        });
        call.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) return ""; // leaving the loop destroys the stream
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** OTLP 1.x, "Failures": these statuses ask for another try, all others end it. */
const RETRYABLE = new Set([429, 502, 503, 504]);

function outcomeOf(status: number, text: string): ExportOutcome {
  if (status >= 200 && status < 300) return { kind: "taken", rejected: rejectedSpans(text) };
  const reason = `HTTP ${status}`;
  return { kind: RETRYABLE.has(status) ? "retry" : "refused", reason };
}

/** `partialSuccess.rejectedSpans` of the answer: an int64, so text in JSON. */
function rejectedSpans(text: string): number {
  try {
    const answer = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: unknown } } | null;
    const count = Number(answer?.partialSuccess?.rejectedSpans ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    return 0; // an answer in another format: the status says that all is well
  }
}

function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "the answer was cut short";
}
