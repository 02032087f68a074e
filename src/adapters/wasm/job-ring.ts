// Verifications on their way to one thread, in shared memory: a table of jobs in the order they came, and a ring of bytes that holds what
// they are about. One side puts and collects, the other takes and answers; both go in order, so two counts are all that they agree on.
//
// A job's bytes lie in one piece. One that would cross the end of the ring begins at its start, so a ring that is not empty may refuse a job
// a little before its bytes are used up; an empty one takes any job that is not longer than itself.

import { ML_DSA_65, type MlDsaVerification } from "../../crypto/index.ts";

const { publicKeyBytes, signatureBytes } = ML_DSA_65;
/** Words of the control block: how many jobs were ever put, and how many answered, modulo 2^32. */
const PUT = 0;
const ANSWERED = 1;
const CONTROL_BYTES = 8;
/** Words of a job in the table: where its bytes begin, the bytes of context and of message, and the answer. */
const JOB_WORDS = 4;
const JOB_BYTES = 4 * JOB_WORDS;

/** What a full ring ran out of. */
export type RingLimit = "jobs" | "bytes";

export interface RingOptions {
  /** Most jobs not collected yet. */
  readonly jobsMax: number;
  /** Most bytes of their keys, signatures, contexts and messages. */
  readonly bytesMax: number;
}

/** The memory of a ring, as it goes to the thread. */
export interface RingMemory extends RingOptions {
  readonly shared: SharedArrayBuffer;
}

/** Makes the memory of an empty ring. */
export function createRingMemory({ jobsMax, bytesMax }: RingOptions): RingMemory {
  const length = CONTROL_BYTES + jobsMax * JOB_BYTES + bytesMax;
  return { jobsMax, bytesMax, shared: new SharedArrayBuffer(length) };
}

/** What both sides see. */
class RingView {
  readonly control: Int32Array;
  readonly table: Uint32Array;
  readonly bytes: Uint8Array;

  constructor({ shared, jobsMax, bytesMax }: RingMemory) {
    this.control = new Int32Array(shared, 0, 2);
    this.table = new Uint32Array(shared, CONTROL_BYTES, jobsMax * JOB_WORDS);
    this.bytes = new Uint8Array(shared, CONTROL_BYTES + jobsMax * JOB_BYTES, bytesMax);
  }
}

/** The side that has jobs. What it puts is seen by the thread after `publish`. */
export class RingProducer {
  readonly #view: RingView;
  readonly #options: RingOptions;
  /** Where the bytes of each job that is not collected yet end, counted on and on; the first `#published` of them are published. */
  readonly #ends: number[] = [];
  #published = 0;
  #collected = 0;
  /** Bytes up to here are free again. */
  #freed = 0;

  constructor(memory: RingMemory) {
    this.#view = new RingView(memory);
    this.#options = memory;
  }

  /** Jobs that were put and not collected. */
  get size(): number {
    return this.#ends.length;
  }

  /** Copies a job with a key and a signature of the right lengths; gives the limit when it does not fit. */
  put({ publicKey, signature, context, message }: MlDsaVerification): RingLimit | undefined {
    const { jobsMax, bytesMax } = this.#options;
    if (this.#ends.length === jobsMax) return "jobs";
    const length = publicKeyBytes + signatureBytes + context.length + message.length;
    if (this.#ends.length === 0) this.#freed = 0;
    let start = this.#ends[this.#ends.length - 1] ?? 0;
    if ((start % bytesMax) + length > bytesMax) start += bytesMax - (start % bytesMax);
    if (length > bytesMax || start + length - this.#freed > bytesMax) return "bytes";
    let at = start % bytesMax;
    const place = ((this.#collected + this.#ends.length) % jobsMax) * JOB_WORDS;
    this.#view.table.set([at, context.length, message.length, 0], place);
    for (const part of [publicKey, signature, context, message]) {
      this.#view.bytes.set(part, at);
      at += part.length;
    }
    this.#ends.push(start + length);
    return undefined;
  }

  /** Takes back what was put since the last `publish`. */
  revert(): void {
    this.#ends.length = this.#published;
  }

  /** Shows the thread what was put, and wakes it. */
  publish(): void {
    this.#published = this.#ends.length;
    Atomics.store(this.#view.control, PUT, (this.#collected + this.#published) | 0);
    Atomics.notify(this.#view.control, PUT);
  }

  /** The answers that came since the last call, in the order of the jobs. */
  collect(): boolean[] {
    const { jobsMax } = this.#options;
    const count = (Atomics.load(this.#view.control, ANSWERED) - this.#collected) | 0;
    const answers: boolean[] = [];
    for (let i = 0; i < count; i++) {
      answers.push(this.#view.table[((this.#collected + i) % jobsMax) * JOB_WORDS + 3] === 1);
    }
    this.#freed = this.#ends[count - 1] ?? this.#freed;
    this.#ends.splice(0, count);
    this.#published -= count;
    this.#collected += count;
    return answers;
  }
}

/** The thread's side. */
export class RingConsumer {
  readonly #view: RingView;
  readonly #jobsMax: number;
  #answered = 0;

  constructor(memory: RingMemory) {
    this.#view = new RingView(memory);
    this.#jobsMax = memory.jobsMax;
  }

  /** Up to `max` jobs that are not answered yet, as views of the ring that are good until `answer`; blocks the thread until there is one. */
  take(max: number): MlDsaVerification[] {
    Atomics.wait(this.#view.control, PUT, this.#answered | 0);
    const waiting = (Atomics.load(this.#view.control, PUT) - this.#answered) | 0;
    return Array.from({ length: Math.min(waiting, max) }, (_, i) => this.#job(this.#answered + i));
  }

  /** Answers the jobs of the last `take`, in their order. */
  answer(answers: readonly boolean[]): void {
    for (const valid of answers) {
      this.#view.table[(this.#answered % this.#jobsMax) * JOB_WORDS + 3] = Number(valid);
      this.#answered++;
    }
    Atomics.store(this.#view.control, ANSWERED, this.#answered | 0);
  }

  #job(index: number): MlDsaVerification {
    const at = (index % this.#jobsMax) * JOB_WORDS;
    const [start = 0, contextBytes = 0, messageBytes = 0] = this.#view.table.subarray(at, at + 3);
    let end = start;
    const next = (length: number): Uint8Array => {
      end += length;
      return this.#view.bytes.subarray(end - length, end);
    };
    return {
      publicKey: next(publicKeyBytes),
      signature: next(signatureBytes),
      context: next(contextBytes),
      message: next(messageBytes),
    };
  }
}
