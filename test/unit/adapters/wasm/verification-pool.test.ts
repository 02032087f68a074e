// The pool of verifying threads: its answers, its limits, and what becomes of jobs whose thread ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import {
  RingConsumer,
  type RingMemory,
  RingProducer,
  createRingMemory,
} from "../../../../src/adapters/wasm/job-ring.ts";
import { VerificationPool } from "../../../../src/adapters/wasm/verification-pool.ts";
import type { MlDsaVerification } from "../../../../src/crypto/index.ts";
import { CountingMeter, openEngine } from "./support.ts";

const { engine } = openEngine();
/** Key and signature. */
const FIXED_BYTES = 1952 + 3309;

/** A job that is not valid, of so many bytes. */
function filler(bytes = FIXED_BYTES, n = 0): MlDsaVerification {
  return {
    publicKey: new Uint8Array(1952).fill(n),
    signature: new Uint8Array(3309).fill(n),
    context: new Uint8Array(0),
    message: new Uint8Array(bytes - FIXED_BYTES).fill(n),
  };
}

/** A thread that answers when it is told to: valid are jobs whose key begins with an odd byte. */
class FakeWorker {
  readonly #ring: RingConsumer;
  readonly #listeners = new Map<string, (error?: unknown) => void>();
  terminated = 0;

  constructor(memory: RingMemory) {
    this.#ring = new RingConsumer(memory);
  }
  on(event: string, listener: (error?: unknown) => void): void {
    this.#listeners.set(event, listener);
  }
  terminate(): Promise<void> {
    this.terminated++;
    this.emit("exit");
    return Promise.resolve();
  }
  emit(event: string, error?: unknown): void {
    this.#listeners.get(event)?.(error);
  }
  /** Answers up to `max` of the waiting jobs, of which there is one. */
  work(max = 1000): void {
    this.#ring.answer(this.#ring.take(max).map(({ publicKey }) => (publicKey[0] ?? 0) % 2 === 1));
    this.emit("message");
  }
}

function fakePool(options: { workers?: number; jobsMax?: number; bytesMax?: number }) {
  const started: FakeWorker[] = [];
  const meter = new CountingMeter();
  const startWorker = (memory: RingMemory): FakeWorker => {
    const worker = new FakeWorker(memory);
    started.push(worker);
    return worker;
  };
  const pool = new VerificationPool({ meter, startWorker }, { workers: 1, ...options });
  return { pool, meter, started };
}

test("threads answer as the engine does, in the order of the jobs", async () => {
  const pool = new VerificationPool({}, { workers: 2 });
  try {
    const valid = Array.from({ length: 6 }, (_, n): MlDsaVerification => {
      const signer = engine.mlDsa65.signer(new Uint8Array(32).fill(n + 1));
      const [message, context] = [new Uint8Array(n * 50).fill(n), new Uint8Array(n).fill(7)];
      const signature = signer.sign(message, context);
      return { publicKey: signer.publicKey, message, signature, context };
    });
    const jobs = valid.flatMap((job, n) => [
      job,
      { ...job, message: new Uint8Array(n + 1) },
      { ...job, signature: job.signature.subarray(1) },
      { ...job, publicKey: new Uint8Array(1953) },
      { ...job, context: new Uint8Array(256) },
    ]);
    const expected = engine.mlDsa65.verifyBatch(jobs);
    assert.equal(expected.filter(Boolean).length, 6);
    assert.deepEqual(await pool.verify(jobs), expected);
    const several = await Promise.all([pool.verify(jobs), pool.verify(valid), pool.verify([])]);
    assert.deepEqual(several, [expected, valid.map(() => true), []]);
  } finally {
    await pool.stop();
  }
});

test("a real thread that ends fails its jobs, and the next job has another", async () => {
  const meter = new CountingMeter();
  let starts = 0;
  const startWorker = (workerData: RingMemory): Worker => {
    if (starts++ === 0) return new Worker("throw new Error('broken')", { eval: true });
    const entry = "../../../../src/adapters/wasm/verification-worker.ts";
    return new Worker(new URL(entry, import.meta.url), { workerData });
  };
  const pool = new VerificationPool({ meter, startWorker }, { workers: 1 });
  try {
    await assert.rejects(pool.verify([filler()]), { code: "crypto/pool-failed" });
    assert.deepEqual(meter.take(), { "verification_pool_failures_total{}": 1 });
    assert.deepEqual(await pool.verify([filler()]), [false]);
    assert.equal(starts, 2);
  } finally {
    await pool.stop();
  }
});

test("jobs up to the limit are taken, one more is refused with all of its call", async () => {
  const { pool, meter, started } = fakePool({ jobsMax: 4 });
  const first = pool.verify([filler(FIXED_BYTES, 1), filler(FIXED_BYTES, 2)]);
  const three = [filler(FIXED_BYTES, 3), filler(FIXED_BYTES, 4), filler(FIXED_BYTES, 5)];
  await assert.rejects(pool.verify(three), { code: "crypto/pool-full" });
  assert.deepEqual(meter.take(), { "verification_pool_refusals_total{jobs}": 1 });
  const second = pool.verify([filler(FIXED_BYTES, 6), filler(FIXED_BYTES, 7)]);
  started[0]?.work(1);
  started[0]?.work();
  assert.deepEqual(await first, [true, false]);
  assert.deepEqual(await second, [false, true], "nothing of the refused call was left");
  assert.equal(started.length, 1);
});

test("bytes up to the limit are taken, one more is refused", async () => {
  const { pool, meter, started } = fakePool({ bytesMax: 2 * FIXED_BYTES + 10 });
  const full = { code: "crypto/pool-full", details: { limit: "bytes" } };
  await assert.rejects(pool.verify([filler(2 * FIXED_BYTES + 11)]), full);
  await assert.rejects(pool.verify([filler(FIXED_BYTES + 5), filler(FIXED_BYTES + 6)]), full);
  assert.deepEqual(meter.take(), { "verification_pool_refusals_total{bytes}": 2 });
  const both = pool.verify([filler(FIXED_BYTES + 5, 1), filler(FIXED_BYTES + 5, 2)]);
  started[0]?.work();
  assert.deepEqual(await both, [true, false]);
  const whole = pool.verify([filler(2 * FIXED_BYTES + 10, 3)]);
  started[0]?.work();
  assert.deepEqual(await whole, [true]);
});

test("a thread that is well ahead of another is relieved", async () => {
  const { pool, started } = fakePool({ workers: 2 });
  const lanes = (): number => started.length;
  const all = [pool.verify(Array.from({ length: 33 }, () => filler(FIXED_BYTES, 1)))];
  assert.equal(lanes(), 1);
  all.push(pool.verify([filler(FIXED_BYTES, 1)]));
  assert.equal(lanes(), 2);
  for (const worker of started) worker.work();
  assert.ok((await Promise.all(all)).flat().every(Boolean));
});

test("a failed thread fails calls that it has a part of, and no others", async () => {
  const { pool, meter, started } = fakePool({ workers: 2 });
  const [one, other] = [filler(FIXED_BYTES, 1), filler(FIXED_BYTES, 2)];
  const own = pool.verify([one]);
  const shared = pool.verify([one, other]);
  const others = pool.verify([other]);
  const cause = new Error("out of memory");
  started[0]?.emit("error", cause);
  started[0]?.emit("exit");
  await assert.rejects(own, { code: "crypto/pool-failed", cause });
  await assert.rejects(shared, { code: "crypto/pool-failed", cause });
  started[1]?.work();
  assert.deepEqual(await others, [false]);
  assert.deepEqual(meter.take(), { "verification_pool_failures_total{}": 1 });
  const again = pool.verify([one]);
  started[2]?.work();
  assert.deepEqual(await again, [true]);
});

test("a thread that cannot be started fails the call, and leaves nothing of it elsewhere", async () => {
  const started: FakeWorker[] = [];
  const startWorker = (memory: RingMemory): FakeWorker => {
    if (started.length === 1) throw new RangeError("no memory");
    started.push(new FakeWorker(memory));
    return started[0] ?? assert.fail();
  };
  const pool = new VerificationPool({ startWorker }, { workers: 2 });
  const failed = { code: "crypto/pool-failed" };
  await assert.rejects(pool.verify([filler(FIXED_BYTES, 1), filler(FIXED_BYTES, 2)]), failed);
  const next = pool.verify([filler(FIXED_BYTES, 3)]);
  started[0]?.work();
  assert.deepEqual(await next, [true]);
});

test("stop ends threads once, rejects what waits and whatever comes after", async () => {
  const { pool, started, meter } = fakePool({});
  const waiting = pool.verify([filler()]);
  const stopped = { code: "crypto/pool-stopped" };
  const rejected = assert.rejects(waiting, stopped);
  await Promise.all([pool.stop(), pool.stop()]);
  await pool.stop();
  await rejected;
  await assert.rejects(pool.verify([]), stopped);
  assert.equal(started[0]?.terminated, 1);
  assert.deepEqual(meter.take(), {}, "a stop is no failure");
});

test("a real thread that sleeps in its ring can be stopped", async () => {
  const pool = new VerificationPool({}, { workers: 1 });
  await pool.verify([filler()]);
  await pool.stop();
});

test("a ring takes the bytes that were given back, and not one more", () => {
  const memory = createRingMemory({ jobsMax: 3, bytesMax: 2 * FIXED_BYTES });
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  for (const n of [1, 2]) assert.equal(producer.put(filler(FIXED_BYTES, n)), undefined);
  assert.equal(producer.put(filler(FIXED_BYTES, 3)), "bytes");
  producer.publish();
  consumer.answer(consumer.take(1).map(() => true));
  assert.deepEqual(producer.collect(), [true]);
  assert.equal(producer.put(filler(FIXED_BYTES + 1, 3)), "bytes");
  assert.equal(producer.put(filler(FIXED_BYTES, 3)), undefined);
  producer.publish();
  assert.deepEqual(consumer.take(3), [filler(FIXED_BYTES, 2), filler(FIXED_BYTES, 3)]);
});

test("a ring carries jobs of all lengths around its end, in order", () => {
  const memory = createRingMemory({ jobsMax: 3, bytesMax: 4 * FIXED_BYTES });
  const [producer, consumer] = [new RingProducer(memory), new RingConsumer(memory)];
  const sent: MlDsaVerification[] = [];
  let [n, taken] = [0, 0];
  for (let round = 0; round < 200; round++) {
    const job = filler(FIXED_BYTES + ((n * 977) % FIXED_BYTES), n % 256);
    if (producer.put(job) === undefined) {
      producer.publish();
      sent.push(job);
      n++;
      if (round % 3 > 0) continue;
    }
    const jobs = consumer.take(2);
    assert.deepEqual(jobs, sent.slice(taken, taken + jobs.length));
    consumer.answer(jobs.map((_, i) => (taken + i) % 3 === 0));
    const answers = producer.collect();
    assert.deepEqual(
      answers,
      jobs.map((_, i) => (taken + i) % 3 === 0),
    );
    taken += jobs.length;
  }
  assert.ok(taken > 100);
});
