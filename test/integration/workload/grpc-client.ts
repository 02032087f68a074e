// A gRPC client of a few lines over node:http2, which can also do what no library would: it is the hostile one. What is right, py-spiffe
// judges in py-spiffe.test.ts.

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { readMessage } from "../../../src/adapters/workload-api/protobuf.ts";

export const SECURITY_HEADER = { "workload.spiffe.io": "true" };

/** How a call ended. */
export interface Ended {
  readonly status: number;
  readonly message: string;
  readonly replies: Buffer[];
}

/** A call under way. */
export class Call {
  readonly stream: ClientHttp2Stream;
  readonly replies: Buffer[] = [];
  readonly ended: Promise<Ended>;
  #waiting: (() => void) | undefined;

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    let trailers: Record<string, string | string[] | number | undefined> = {};
    let rest = Buffer.alloc(0);
    stream.on("response", (headers) => (trailers = { ...trailers, ...headers }));
    stream.on("trailers", (headers) => (trailers = { ...trailers, ...headers }));
    stream.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        this.replies.push(rest.subarray(5, end));
        rest = rest.subarray(end);
      }
      this.#waiting?.();
    });
    this.ended = new Promise((resolve) => {
      stream.on("error", () => undefined);
      stream.once("close", () => {
        this.#waiting?.();
        resolve({
          status: Number(trailers["grpc-status"] ?? -1),
          message: decodeURIComponent((trailers["grpc-message"] ?? "").toString()),
          replies: this.replies,
        });
      });
    });
  }

  /** The reply of that number, from 1 on. */
  async reply(number: number): Promise<Buffer> {
    while (this.replies.length < number) {
      if (this.stream.closed) throw new Error(`ended after ${this.replies.length} replies`);
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    return this.replies[number - 1] ?? Buffer.alloc(0);
  }
}

export class Client {
  readonly session: ClientHttp2Session;

  constructor(socketPath: string) {
    this.session = connect("http://localhost", {
      createConnection: () => connectSocket(socketPath),
    });
    this.session.on("error", () => undefined);
  }

  call(
    method: string,
    message: Uint8Array = Buffer.alloc(0),
    headers: Record<string, string> = SECURITY_HEADER,
  ): Call {
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(message.length, 1);
    return this.raw(method, Buffer.concat([frame, message]), headers);
  }

  /** A call whose body is any bytes. */
  raw(method: string, body: Uint8Array, headers: Record<string, string> = SECURITY_HEADER): Call {
    const stream = this.session.request({
      ":method": "POST",
      ":path": method.startsWith("/") ? method : `/SpiffeWorkloadAPI/${method}`,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.end(body);
    return new Call(stream);
  }

  async close(): Promise<void> {
    if (this.session.destroyed) return;
    this.session.destroy();
    if (!this.session.closed) await once(this.session, "close").catch(() => undefined);
  }
}

/** A reply's fields, each as all of its values. */
export function fieldsOf(reply: Uint8Array): ReadonlyMap<number, readonly Uint8Array[]> {
  const fields = readMessage(reply);
  if (fields === undefined) throw new Error("the reply is no protobuf");
  return fields;
}

/** The one value of a field; empty when it is absent. */
export function valueOf(message: Uint8Array, number: number): Uint8Array {
  return fieldsOf(message).get(number)?.at(-1) ?? new Uint8Array(0);
}

export function textValue(message: Uint8Array, number: number): string {
  return Buffer.from(valueOf(message, number)).toString();
}
