// A stand-in for an OTLP collector on loopback: takes what daemons send it, answers as it is told.

import assert from "node:assert/strict";
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { type Cleanup, until } from "./harness.ts";

/** A span as OTLP/JSON has it, with its attributes and its resource's as plain objects. */
export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
}

export class Collector {
  readonly #server: Server;
  /** Bodies of the requests, as they came. */
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  #answer: (response: ServerResponse) => void;

  constructor(answer: (response: ServerResponse) => void) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.bodies.push(Buffer.concat(chunks).toString("utf8"));
        this.headers.push(request.headers);
        this.#answer(response);
      });
    });
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Answers differently from now on. */
  answerWith(answer: (response: ServerResponse) => void): void {
    this.#answer = answer;
  }

  get endpoint(): string {
    const address = this.#server.address();
    assert.ok(typeof address === "object" && address !== null);
    return `http://127.0.0.1:${address.port}/v1/traces`;
  }

  spans(): SeenSpan[] {
    return this.bodies.flatMap(spansOf);
  }

  /** Waits for a span that fits. */
  span(what: string, fits: (span: SeenSpan) => boolean): Promise<SeenSpan> {
    return until(`the span ${what}`, () => Promise.resolve(this.spans().find(fits)));
  }
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function plain(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]),
  );
}

/** The spans of a request body. */
export function spansOf(body: string): SeenSpan[] {
  const { resourceSpans } = JSON.parse(body) as {
    resourceSpans: {
      resource: { attributes: Attribute[] };
      scopeSpans: { spans: Record<string, unknown>[] }[];
    }[];
  };
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span["traceId"] as string,
        spanId: span["spanId"] as string,
        parentSpanId: span["parentSpanId"] as string | undefined,
        name: span["name"] as string,
        kind: span["kind"] as number,
        startNs: BigInt(span["startTimeUnixNano"] as string),
        endNs: BigInt(span["endTimeUnixNano"] as string),
        failed: (span["status"] as { code: number }).code === 2,
        attributes: plain(span["attributes"] as Attribute[]),
        resource: plain(resource.attributes),
      })),
    ),
  );
}

/** A collector that takes everything, for as long as the test lasts. */
export async function startCollector(
  t: Cleanup,
  answer = (response: ServerResponse): void => void response.end("{}"),
): Promise<Collector> {
  const collector = new Collector(answer);
  await collector.listen();
  t.after(() => collector.close());
  return collector;
}
