// What a daemon does with each update of a stream, but for the wire: the signed header through the round machine, the chunks against
// their digest, the row decoded in the round's thread; and a tick over the whole table. 64 participants, the most that a task may have.

import { compileLearningKernels } from "../src/adapters/wasm/learning/instance.ts";
import { createWasmEngine } from "../src/adapters/wasm/engine.ts";
import { RoundThread } from "../src/adapters/workers/round-thread.ts";
import { systemRandom } from "../src/adapters/random.ts";
import { toHex } from "../src/foundation/index.ts";
import {
  Assembly,
  CERTIFIED_RULE,
  contentIdOf,
  FIRST_STEP,
  leavesOf,
  RoundMachine,
  SeededRandom,
  StreamingOrchestrator,
  type TaskManifest,
} from "../src/learning/index.ts";
import type { Now } from "../src/ports/index.ts";
import { type BenchOptions, type BenchResult, summarize } from "./measure.ts";

const PARTICIPANTS = 64;
const BYZANTINE = 21;
const LENGTH = 10_000;
const STREAM = { intervalMs: 1_000, stalenessMax: 4 };

const engine = createWasmEngine({ random: systemRandom });
const sha256 = (bytes: Uint8Array): Uint8Array => engine.sha256(bytes);
const digestOf = (text: string): string => toHex(sha256(Buffer.from(text)));
const now = { monoMs: 0, wallMs: 0 } as Now;
const nothing = (): void => undefined;

const signers = new Map(
  Array.from({ length: PARTICIPANTS }, (_, i) => {
    const seed = sha256(Buffer.from(`bench/stream/${i}`));
    return [toHex(seed), engine.mlDsa65.signer(seed)] as const;
  }).sort(([a], [b]) => (a < b ? -1 : 1)),
);
const participants = [...signers.keys()];

function machineOf(self: string): RoundMachine {
  const signer = signers.get(self);
  if (signer === undefined) throw new RangeError(self);
  const machine = new RoundMachine(
    {
      ...{ sha256, signer, mlDsa: engine.mlDsa65, certificateAt: () => undefined },
      meter: { count: nothing, set: nothing, observe: nothing },
      publicKeyOf: (id) => signers.get(id)?.publicKey,
    },
    {
      ...{ self, participants, byzantine: BYZANTINE, rounds: 10, updateBytesMax: LENGTH },
      ...{ task: digestOf("task"), initialModel: digestOf("model"), rule: digestOf("rule") },
      policy: new StreamingOrchestrator({
        ...{ ...STREAM, participants: PARTICIPANTS, byzantine: BYZANTINE },
      }),
    },
  );
  machine.handle({ kind: "started" }, now);
  return machine;
}

/** What a participant publishes and hands out. */
function updateOf(self: string) {
  const random = new SeededRandom("bench/stream", self);
  const bytes = Uint8Array.from({ length: LENGTH }, () => random.below(255) - 127);
  const content = contentIdOf(sha256, bytes);
  const facts = { update: content.digest, bytes: LENGTH, codec: 1, note: new Uint8Array(0) };
  const actions = machineOf(self).handle({ kind: "trained", baseRound: 0, facts }, now);
  const published = actions.find((action) => action.kind === "publish");
  if (published?.kind !== "publish") throw new TypeError("a header is published");
  return { nodeId: self, content, header: published.bytes, bytes, leaves: leavesOf(sha256, bytes) };
}

export async function benchStream(
  report: (row: BenchResult) => void,
  { seconds }: BenchOptions,
): Promise<void> {
  const [self = ""] = participants;
  const updates = participants.map(updateOf);
  const coding = { stepSize: FIRST_STEP, seed: digestOf("genesis") };
  const base = new Float32Array(LENGTH);
  const task = {
    ...{ participants, byzantine: BYZANTINE, aggregator: CERTIFIED_RULE, attack: "none", seed: 1 },
    model: { kind: "tensors", tensors: [{ name: "w", shape: [LENGTH] }] },
    ...{ compression: { kind: "int8" }, schedule: { kind: "constant" } },
    orchestrator: { kind: "streaming", ...STREAM },
  } as unknown as TaskManifest;
  const kernels = compileLearningKernels();
  const thread = new RoundThread({ task, self, adversary: false, kernels });
  /** All of them once. */
  const arrive = async (): Promise<void> => {
    const machine = machineOf(self);
    const opened = updates.map(({ header, content, bytes, leaves }) => {
      machine.receive(header, now);
      const assembly = new Assembly(sha256, content);
      assembly.takeLeaves(leaves);
      assembly.takeChunk(0, bytes);
      const whole = assembly.complete()?.bytes ?? new Uint8Array(0);
      return thread.open({ update: content.digest, baseRound: 0, bytes: whole, coding });
    });
    for (const refused of await Promise.all(opened))
      if (refused !== undefined) throw new TypeError(refused);
    for (const { digest } of machine.headers())
      machine.handle({ kind: "update-available", header: digest }, now);
    if (machine.status().held < PARTICIPANTS - 1) throw new TypeError("all are in the table");
  };
  const note = { loss: null, accuracy: null };
  const rows = updates.map(({ nodeId, content: { digest } }) => ({
    ...{ nodeId, baseRound: 0, update: digest, note },
  }));
  const beacon = digestOf("beacon");
  const tick = () =>
    thread.aggregate({ round: 1, beacon, base, stepSize: FIRST_STEP, updates: rows });
  const rates: number[] = [];
  const ticks: number[] = [];
  for (let end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await thread.forget([]);
    const start = performance.now();
    await arrive();
    rates.push((1000 * PARTICIPANTS) / (performance.now() - start));
    const before = performance.now();
    await tick();
    ticks.push(performance.now() - before);
  }
  await thread.stop();
  const name = `learning/streaming/daemon/n${PARTICIPANTS}-d${LENGTH}`;
  report(summarize(name, "ops/s", rates));
  report(summarize(`${name}/tick`, "ms", ticks));
}
