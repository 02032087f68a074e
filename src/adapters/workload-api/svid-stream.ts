// A client of the Workload API: follows FetchX509SVID and gives every message as the whole state that it is. When the stream ends it is
// opened again, with growing pauses, for as long as it is wanted.

import { createPrivateKey, sign } from "node:crypto";
import {
  connect as connectHttp2,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect } from "node:net";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import type { Random } from "../../ports/index.ts";
import type { WorkloadEndpoint } from "./endpoint.ts";
import { grpcStatus } from "./grpc.ts";
import { readMessage, textOf } from "./protobuf.ts";

/** Codes of a stream that does not give SVIDs. */
export type SvidStreamErrorCode =
  /** Nobody listens, or the connection broke. */
  | "workload/agent-unreachable"
  /** The agent ended the call: PermissionDenied means that it has no entry for this process. */
  | "workload/agent-refused"
  /** What came is no message of the standard, or beyond the limits. */
  | "workload/agent-malformed";

/** Longest message, and how long the first one may take. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
const FIRST_MESSAGE_MS = 30_000;
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 30_000;
const FRAME_BYTES = 5;
const SVIDS_MAX = 64;
const CERTIFICATES_MAX = 16;

/** An X.509-SVID as it came; nobody has verified it. */
export interface ReceivedSvid {
  readonly spiffeId: string;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** DER of the trust domain's roots. */
  readonly bundle: readonly Uint8Array[];
  /** ECDSA on P-256 with SHA-256, `r || s`. @throws MeshError `workload/agent-malformed` for another key */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

export interface SvidStreamDeps {
  readonly random: Pick<Random, "fraction">;
  /** Takes the whole state; what it throws ends the stream, which is then opened again. */
  readonly onSvids: (svids: readonly ReceivedSvid[]) => Promise<void>;
  /** The stream has ended, or could not be opened. */
  readonly onEnd: (error: { readonly code: string; readonly message: string }) => void;
}

export class SvidStream {
  readonly #deps: SvidStreamDeps;
  readonly #endpoint: WorkloadEndpoint;
  readonly #stopped = new AbortController();
  #retryMs = RETRY_MS;
  #running: Promise<void> | undefined;

  constructor(deps: SvidStreamDeps, endpoint: WorkloadEndpoint) {
    this.#deps = deps;
    this.#endpoint = endpoint;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (this.#isStopped()) return;
        this.#deps.onEnd({ code: errorCode(error), message: errorMessage(error) });
      }
      await pause(this.#retryMs * (0.75 + this.#deps.random.fraction() / 2), signal);
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX);
    }
  }

  /** A stop may come while something is awaited. */
  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** One stream, to its end, which is always an error. */
  async #follow(signal: AbortSignal): Promise<void> {
    const session = connectHttp2("http://localhost", {
      createConnection: () => connect(this.#endpoint),
      maxSessionMemory: 4,
    });
    const broken = new Promise<never>((_, reject) => {
      session.once("error", (error) => reject(unreachable(errorMessage(error))));
      session.once("close", () => reject(unreachable("the connection was closed")));
    });
    broken.catch(() => undefined);
    const close = (): void => session.destroy();
    signal.addEventListener("abort", close, { once: true });
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": "/SpiffeWorkloadAPI/FetchX509SVID",
        "content-type": "application/grpc",
        "workload.spiffe.io": "true",
        te: "trailers",
      });
      stream.end(Buffer.alloc(FRAME_BYTES)); // one empty message
      await Promise.race([this.#read(stream), broken]);
    } finally {
      signal.removeEventListener("abort", close);
      session.destroy();
    }
  }

  async #read(stream: ClientHttp2Stream): Promise<void> {
    let ending: IncomingHttpHeaders = {};
    const note = (headers: IncomingHttpHeaders): void => {
      ending = { ...ending, ...headers };
    };
    stream.on("response", note).on("trailers", note);
    stream.setTimeout(FIRST_MESSAGE_MS, () => stream.destroy());
    let rest = Buffer.alloc(0);
    try {
      for await (const chunk of stream) {
        rest = Buffer.concat([rest, chunk as Buffer]);
        for (let end = frameEnd(rest); end !== undefined; end = frameEnd(rest)) {
          stream.setTimeout(0); // from now on silence means that nothing has changed
          await this.#deps.onSvids(readSvids(rest.subarray(FRAME_BYTES, end)));
          this.#retryMs = RETRY_MS;
          rest = rest.subarray(end);
        }
      }
    } catch (error) {
      if (error instanceof MeshError) throw error;
      throw unreachable(errorMessage(error));
    }
    throw refused(ending);
  }
}

/** Where the first frame ends; undefined while it is not whole. @throws MeshError `workload/agent-malformed` */
function frameEnd(bytes: Buffer): number | undefined {
  if (bytes.length < FRAME_BYTES) return undefined;
  const length = bytes.readUInt32BE(1);
  if (bytes[0] !== 0 || length > MESSAGE_BYTES_MAX) throw malformed("a frame is too long");
  return bytes.length >= FRAME_BYTES + length ? FRAME_BYTES + length : undefined;
}

/** Reads X509SVIDResponse: what a field does not hold is absent, whatever was there before. @throws MeshError as above */
export function readSvids(message: Uint8Array): ReceivedSvid[] {
  const svids = readMessage(message)?.get(1) ?? [];
  if (svids.length === 0 || svids.length > SVIDS_MAX) throw malformed("no SVIDs, or too many");
  return svids.map((bytes) => {
    const fields = readMessage(bytes);
    const valueOf = (number: number): Uint8Array => fields?.get(number)?.at(-1) ?? new Uint8Array();
    const spiffeId = textOf(valueOf(1));
    const [chain, bundle] = [splitDer(valueOf(2)), splitDer(valueOf(4))];
    if (spiffeId === undefined || chain === undefined || bundle === undefined)
      throw malformed("an SVID is not whole");
    const pkcs8 = Buffer.from(valueOf(3));
    return { spiffeId, chain, bundle, sign: (text) => signP256(pkcs8, text) };
  });
}

/** DER elements that stand one after another, at least one; undefined when they do not fill the bytes. */
export function splitDer(bytes: Uint8Array): Uint8Array[] | undefined {
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const count = (bytes[at + 1] ?? 0) & 0x7f;
    const isLong = (bytes[at + 1] ?? 0) >= 0x80;
    if (bytes[at] !== 0x30 || (isLong && (count === 0 || count > 3))) return undefined;
    let length = isLong ? 0 : count;
    for (let i = 0; isLong && i < count; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0);
    const end = at + 2 + (isLong ? count : 0) + length;
    if (end > bytes.length || found.length === CERTIFICATES_MAX) return undefined;
    found.push(Uint8Array.from(bytes.subarray(at, end)));
    at = end;
  }
  return found.length === 0 ? undefined : found;
}

function signP256(pkcs8: Buffer, message: Uint8Array): Uint8Array {
  try {
    const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
    if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw new Error("not of P-256");
    return new Uint8Array(sign("sha256", message, { key, dsaEncoding: "ieee-p1363" }));
  } catch (cause) {
    throw malformed(`the SVID's key is ${errorMessage(cause)}`);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

function unreachable(why: string): MeshError {
  return new MeshError<SvidStreamErrorCode>(
    "workload/agent-unreachable",
    `The Workload API does not answer: ${why}. Check that the agent runs, and identity.socket; it is tried again.`,
  );
}

function refused(headers: IncomingHttpHeaders): MeshError {
  const status = Number(headers["grpc-status"] ?? grpcStatus.unavailable);
  const name = Object.entries(grpcStatus).find(([, number]) => number === status)?.[0];
  return new MeshError<SvidStreamErrorCode>(
    "workload/agent-refused",
    `The Workload API gives no SVID: ${name ?? `status ${status}`}. Register this process at its server as spiffe://<trust domain>/node/<name>; it is tried again.`,
    { status },
  );
}

function malformed(why: string): MeshError {
  return new MeshError<SvidStreamErrorCode>(
    "workload/agent-malformed",
    `The Workload API sent what cannot be used: ${why}. The SVID and its authorities have to be of P-256 (SPIRE: ec-p256).`,
  );
}
