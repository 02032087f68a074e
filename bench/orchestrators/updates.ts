// A stream of 1,000 identities as a daemon would take it on two cores (table B7): one thread checks the signature of each update's header and
// its chunks against their digest, the round's thread opens the row and makes the step over the whole table, once every 1,000 updates.
// Both are the daemon's code but for the round machine, whose tasks have at most 64 participants.

import { createWasmEngine } from "../../src/adapters/wasm/engine.ts";
import { compileLearningKernels } from "../../src/adapters/wasm/learning/instance.ts";
import { RoundThread } from "../../src/adapters/workers/round-thread.ts";
import { systemRandom } from "../../src/adapters/random.ts";
import { toHex } from "../../src/foundation/index.ts";
import {
  Assembly,
  contentIdOf,
  leavesOf,
  SeededRandom,
  STREAM_RULE,
  type TaskManifest,
} from "../../src/learning/index.ts";
import { summarize } from "../measure.ts";
import type { Report } from "./tasks.ts";

const IDENTITIES = 1000;
const LIARS = 300;
const LENGTH = 10_000;
/** A signed header is about as long, the signature apart. */
const HEADER_BYTES = 300;
/** Updates on their way into the table: more would only wait. */
const WINDOW = 64;
const TICKS = 8;
const PER_SECOND = 1000;

const CONTEXT = new Uint8Array(Buffer.from("bench/updates"));
const engine = createWasmEngine({ random: systemRandom });
const sha256 = (bytes: Uint8Array): Uint8Array => engine.sha256(bytes);
const digestOf = (text: string): string => toHex(sha256(Buffer.from(text)));
const coding = { stepSize: 2 ** -10, seed: digestOf("beacon") };

/** What an identity sends. */
function sent(identity: number) {
  const random = new SeededRandom("bench/updates", identity);
  const bytes = Uint8Array.from({ length: LENGTH }, () => random.below(255) - 127);
  const signer = engine.mlDsa65.signer(sha256(Buffer.from(`bench/updates/${identity}`)));
  const header = Uint8Array.from({ length: HEADER_BYTES }, () => random.below(256));
  const content = contentIdOf(sha256, bytes);
  return {
    ...{ bytes, header, content, leaves: leavesOf(sha256, bytes) },
    ...{ publicKey: signer.publicKey, signature: signer.sign(header, CONTEXT) },
  };
}

type Sent = ReturnType<typeof sent>;

/** One node's table. */
class Table {
  readonly #thread: RoundThread;
  readonly #ids: readonly string[];
  #round = 0;

  constructor() {
    this.#ids = Array.from({ length: IDENTITIES }, (_, i) => digestOf(`identity/${i}`)).sort();
    const task = {
      ...{ participants: this.#ids, byzantine: LIARS, aggregator: STREAM_RULE, attack: "none" },
      ...{ seed: 1, compression: { kind: "int8" }, schedule: { kind: "constant" } },
      model: { kind: "tensors", tensors: [{ name: "w", shape: [LENGTH] }] },
      orchestrator: { kind: "streaming", intervalMs: 1000, stalenessMax: 4 },
    } as unknown as TaskManifest;
    const kernels = compileLearningKernels();
    this.#thread = new RoundThread({ task, self: this.#ids[0] ?? "", adversary: false, kernels });
  }

  /** An update of the open round: checked here, opened there. */
  async take(update: Sent): Promise<void> {
    const { header, signature, publicKey, content, leaves, bytes } = update;
    if (!engine.mlDsa65.verify(publicKey, header, signature, CONTEXT))
      throw new TypeError("it is signed");
    const assembly = new Assembly(sha256, content);
    assembly.takeLeaves(leaves);
    assembly.takeChunk(0, bytes);
    const whole = assembly.complete()?.bytes ?? new Uint8Array(0);
    const name = { update: content.digest, baseRound: this.#round };
    const refused = await this.#thread.open({ ...name, bytes: whole, coding });
    if (refused !== undefined) throw new TypeError(refused);
  }

  /** The step over everybody's newest; what comes after it is for the next. */
  async tick(updates: readonly Sent[]): Promise<void> {
    const baseRound = this.#round;
    const rows = updates.map(({ content }, i) => ({
      ...{ nodeId: this.#ids[i] ?? "", baseRound, update: content.digest },
      note: { loss: null, accuracy: null },
    }));
    this.#round++;
    const base = new Float32Array(LENGTH);
    const place = { round: this.#round, beacon: coding.seed, base, stepSize: coding.stepSize };
    const step = this.#thread.aggregate({ ...place, updates: rows });
    // In the thread it comes right after the step, before the next updates.
    const forgotten = this.#thread.forget([]);
    await Promise.all([step, forgotten]);
  }

  stop(): Promise<void> {
    return this.#thread.stop();
  }
}

/** How many a second two threads sustain, what that takes, and how late updates are when exactly 1,000 a second come. */
export async function updatesTable(report: Report): Promise<void> {
  const updates = Array.from({ length: IDENTITIES }, (_, i) => sent(i));
  const table = new Table();
  const name = `orchestrators/updates/n${IDENTITIES}-d${LENGTH}-int8`;
  await sustained(report, name, table, updates);
  await paced(report, `${name}/at-${PER_SECOND}-a-second`, table, updates);
  await table.stop();
}

/** As fast as they can be taken; a step is made while the next updates come. The first tick is to warm up. */
async function sustained(
  report: Report,
  name: string,
  table: Table,
  updates: readonly Sent[],
): Promise<void> {
  const rates: number[] = [];
  let cpuBefore = cpuSeconds();
  let step: Promise<void> | undefined;
  for (let tick = 0; tick <= TICKS; tick++) {
    if (tick === 1) cpuBefore = cpuSeconds();
    const start = performance.now();
    for (let at = 0; at < updates.length; at += WINDOW) {
      await Promise.all(updates.slice(at, at + WINDOW).map((update) => table.take(update)));
    }
    await step;
    step = table.tick(updates);
    if (tick > 0) rates.push((1000 * IDENTITIES) / (performance.now() - start));
  }
  await step;
  const cpu = cpuSeconds();
  const of1000 = (seconds: number): number[] => [(seconds / TICKS) * (1000 / IDENTITIES)];
  report(summarize(`${name}/by-the-clock`, "ops/s", rates));
  report(summarize(`${name}/cpu-of-1000`, "s", of1000(cpu.all - cpuBefore.all)));
  // Below a second in each thread: two free cores sustain 1,000 a second, however loaded the host is that measures it.
  report(summarize(`${name}/cpu-of-1000/main-thread`, "s", of1000(cpu.main - cpuBefore.main)));
}

/** Of the whole process, and of this thread. */
function cpuSeconds() {
  const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
  return { all: seconds(process.cpuUsage()), main: seconds(process.threadCpuUsage()) };
}

/** From when an update is due until its row is in the table, while steps are made. */
async function paced(
  report: Report,
  name: string,
  table: Table,
  updates: readonly Sent[],
): Promise<void> {
  const late: number[] = [];
  const steps: number[] = [];
  const pending: Promise<void>[] = [];
  const start = performance.now();
  for (let i = 0; i < TICKS * IDENTITIES; i++) {
    const dueMs = start + (1000 * i) / PER_SECOND;
    while (performance.now() < dueMs) await new Promise((resolve) => setImmediate(resolve));
    const taken = table.take(updates[i % IDENTITIES] as Sent);
    pending.push(taken.then(() => void late.push(performance.now() - dueMs)));
    if (i % IDENTITIES !== IDENTITIES - 1) continue;
    await Promise.all(pending.splice(0));
    const before = performance.now();
    pending.push(table.tick(updates).then(() => void steps.push(performance.now() - before)));
  }
  await Promise.all(pending);
  report(summarize(`${name}/lateness`, "ms", late));
  report(summarize(`${name}/step`, "ms", steps));
}
