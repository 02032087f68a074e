// `x0tta6bl4/trainer`: attaches a training function to the node of this host. It needs Node.js alone and nothing else of this
// repository, so that a trainer carries no daemon with it. The protocol is docs/trainers.md's.

import { request as httpRequest } from "node:http";

/** Row-major float32. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** By name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** One round's work. */
export interface Round {
  readonly taskId: string;
  readonly round: number;
  /** The model to start from. */
  readonly tensors: Tensors;
  /** Multiply your learning rate with it. */
  readonly learningRateFactor: number;
  /** Monotonic time (`performance.now()`) after which the update is refused. */
  readonly endsAt: number;
  /** Aborts when the round goes on without this trainer, or the trainer is to stop. */
  readonly signal: AbortSignal;
}

/** What was learnt: the same tensors, trained, and how good they are on the trainer's own data. */
export interface Trained {
  readonly tensors: Tensors;
  readonly loss?: number;
  /** In [0, 1]. */
  readonly accuracy?: number;
}

/** Options of {@link runTrainer}. */
export interface TrainerOptions {
  /** Path of the daemon's Unix socket. @default "/run/meshd/control.sock" */
  readonly socketPath?: string;
  /**
   * Trains a round. Let the event loop run now and then: a trainer that is not heard of for half a minute loses the round.
   * What it throws ends {@link runTrainer}.
   */
  readonly train: (round: Round) => Promise<Trained> | Trained;
  /** Return when a task has ended, instead of waiting for the next one. @default false */
  readonly once?: boolean;
  readonly signal?: AbortSignal;
  /** Hears of updates that the daemon refused; the next round comes all the same. */
  readonly onRefused?: (error: TrainerError) => void;
}

/** The daemon's refusal, with its code; `control/unreachable` when there is no daemon. */
export class TrainerError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TrainerError";
    this.code = code;
  }
}

interface Order {
  readonly taskId: string;
  readonly round: number;
  readonly base: string;
  readonly learningRateFactor: number;
  readonly deadlineMs: number;
  readonly lease: string;
  readonly leaseMs: number;
}

interface Next {
  readonly task: { readonly taskId: string } | null;
  readonly order: Order | null;
}

/**
 * Trains every round that the node gives, until the signal aborts.
 * @throws TrainerError `control/unreachable`, and what the daemon refuses a poll with
 */
export async function runTrainer(options: TrainerOptions): Promise<void> {
  const { socketPath = "/run/meshd/control.sock", once = false } = options;
  const stop = options.signal ?? new AbortController().signal;
  let hadTask = false;
  while (!stop.aborted) {
    const { task, order } = await next(socketPath, stop);
    if (order !== null) await trainOne(socketPath, order, stop, options);
    if (once && hadTask && task === null) return;
    hadTask ||= task !== null;
  }
}

async function next(socketPath: string, stop: AbortSignal): Promise<Next> {
  try {
    const answer = await call(socketPath, "GET", "/v1/trainer/next", undefined, stop);
    return JSON.parse(answer.toString()) as Next;
  } catch (error) {
    if (stop.aborted) return { task: null, order: null };
    throw error;
  }
}

async function trainOne(
  socketPath: string,
  order: Order,
  stop: AbortSignal,
  options: TrainerOptions,
): Promise<void> {
  const { taskId, round, base, learningRateFactor, deadlineMs, lease, leaseMs } = order;
  const endsAt = performance.now() + deadlineMs;
  const over = new AbortController();
  const signal = AbortSignal.any([stop, over.signal]);
  const beat = setInterval(() => {
    const body = Buffer.from(JSON.stringify({ lease }));
    call(socketPath, "POST", "/v1/trainer/heartbeat", body).catch((error: unknown) =>
      over.abort(error),
    );
  }, leaseMs / 3);
  try {
    const model = await call(socketPath, "GET", "/v1/trainer/model");
    const { tensors, metadata } = decodeTensors(model);
    if (metadata["base"] !== base) return; // the round is over already
    const work = { taskId, round, tensors, learningRateFactor, endsAt, signal };
    const { tensors: trained, loss, accuracy } = await options.train(work);
    if (signal.aborted) return;
    const told = Object.entries({ task: taskId, round, base, loss, accuracy });
    const update = encodeTensors(
      trained,
      Object.fromEntries(told.flatMap(([key, v]) => (v === undefined ? [] : [[key, String(v)]]))),
    );
    await call(socketPath, "POST", "/v1/trainer/update", update);
  } catch (error) {
    if (!(error instanceof TrainerError) || error.code === "control/unreachable") throw error;
    options.onRefused?.(error);
  } finally {
    clearInterval(beat);
  }
}

/** A request to the daemon; the bytes of a good answer. */
function call(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  body?: Uint8Array,
  signal?: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(
        new TrainerError("control/unreachable", `No answer of ${socketPath}: ${cause.message}`, {
          cause,
        }),
      );
    const headers = { "content-length": body?.length ?? 0 };
    const aborted = signal === undefined ? {} : { signal };
    const sent = httpRequest({ socketPath, method, path, headers, agent: false, ...aborted });
    sent.on("error", fail);
    sent.on("response", (response) => {
      const parts: Buffer[] = [];
      response.on("error", fail);
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const answer = Buffer.concat(parts);
        if (response.statusCode === 200) resolve(answer);
        else reject(refusalOf(answer));
      });
    });
    sent.end(body);
  });
}

function refusalOf(answer: Buffer): TrainerError {
  try {
    const { error } = JSON.parse(answer.toString()) as { error: { code: string; message: string } };
    return new TrainerError(error.code, error.message);
  } catch (cause) {
    return new TrainerError("control/unreachable", "The answer is not a daemon's.", { cause });
  }
}

interface Span {
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Reads a safetensors file of float32. */
export function decodeTensors(file: Uint8Array): {
  tensors: Tensors;
  metadata: Readonly<Record<string, string>>;
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    new TextDecoder().decode(file.subarray(8, begin)),
  ) as { __metadata__?: Record<string, string> } & Record<string, Span>;
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, data_offsets: offsets }] of Object.entries(entries)) {
    // A copy: the file may lie anywhere in memory, floats must lie at multiples of four.
    const bytes = new Uint8Array(file.subarray(begin + offsets[0], begin + offsets[1]));
    tensors[name] = { shape, data: new Float32Array(bytes.buffer, 0, bytes.length / 4) };
  }
  return { tensors, metadata };
}

/** Writes a safetensors file of float32. */
export function encodeTensors(
  tensors: Tensors,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const begin = end;
    end += data.byteLength;
    header[name] = { dtype: "F32", shape, data_offsets: [begin, end] };
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}
