// The shape of a scenario file and its defaults. docs/simulator.md says what each key means, a test that it does.

import * as z from "zod";
import { aggregatorNames } from "../../learning/index.ts";
import { allFaultKinds, faultSchema, learningFaultKinds, meshFaultKinds } from "./faults.ts";
import { count, duration, mapping, number, ratio } from "./values.ts";

const network = mapping({
  latency: z
    .tuple([duration(0, 60_000), duration(0, 60_000)], {
      error: "two durations, the second not shorter",
    })
    .refine(([least, most]) => most >= least, { error: "two durations, the second not shorter" })
    .prefault(["2ms", "40ms"]),
  jitter: duration(0, 60_000).prefault("15ms"),
  tail: duration(0, 60_000).prefault("300ms"),
  tail_share: ratio().default(0.01),
  loss: ratio().default(0.02),
  duplication: ratio().default(0),
  bytes_per_second: count(1_000, 10_000_000_000).default(1_250_000),
}).prefault({});

const traffic = mapping({
  pattern: z
    .enum(["steady", "burst", "ramp", "diurnal", "churn"], {
      error: "steady, burst, ramp, diurnal or churn",
    })
    .default("steady"),
  changes_per_minute: number(0, 60).default(1),
  period: duration(1_000, 86_400_000).prefault("1m"),
  share: ratio().default(0.1),
}).prefault({});

const chaos = mapping({
  faults: count(1, 100),
  kinds: z
    .array(z.enum(allFaultKinds as [string, ...string[]], { error: "the name of a fault" }))
    .min(1, { error: "at least one fault" })
    .default([...meshFaultKinds]),
  longest: duration(1_000, 3_600_000).prefault("30s"),
});

const learning = mapping({
  rounds: count(1, 1_000).default(8),
  start: duration(0, 86_400_000).prefault("10s"),
  deadline: duration(100, 3_600_000).prefault("5s"),
  aggregator: z.enum(aggregatorNames, { error: `one of ${aggregatorNames.join(", ")}` }).optional(),
  orchestrator: z
    .enum(["batch-async", "streaming", "hierarchical"], {
      error: "batch-async, streaming or hierarchical",
    })
    .default("batch-async"),
  alpha: number(0.01, 1_000).default(1),
});

const expect = mapping({
  converge_within: duration(1_000, 600_000).prefault("60s"),
  detect_within: duration(1_000, 600_000).prefault("20s"),
  calm: duration(0, 600_000).prefault("20s"),
  effects: z.boolean({ error: "true or false" }).default(true),
  false_deaths: count(0, 1_000_000).default(0),
  availability: ratio().default(0),
  detect_p99: duration(1, 600_000).optional(),
  reroute_p99: duration(1, 600_000).optional(),
  bytes_per_second: count(1, 1_000_000_000).optional(),
  rounds_within: duration(1_000, 3_600_000).prefault("2m"),
  accuracy: ratio().default(0),
}).prefault({});

/** A certified round names its participants by a byte, and agrees among no more. */
const LEARNERS_MAX = 64;

const scenarioShape = mapping({
  name: z.string({ error: "a name" }).regex(/^[a-z0-9][a-z0-9-]{0,63}$/, {
    error: "1 to 64 of a-z, 0-9 and '-', starting with a letter or digit",
  }),
  summary: z.string({ error: "one sentence" }).min(1).max(300),
  nodes: count(2, 65_536),
  minutes: number(0.1, 10_080),
  seed: count(0, 0xffff_ffff).default(1),
  crypto: z.enum(["modelled", "real"], { error: "modelled or real" }).default("modelled"),
  buggify: ratio().default(0),
  zones: z
    .union([z.literal("auto"), count(1, 4_096)], { error: "auto or a whole number from 1 to 4096" })
    .default(1),
  network,
  traffic,
  faults: z.array(faultSchema, { error: "a list of faults" }).max(200).default([]),
  chaos: chaos.optional(),
  learning: learning.optional(),
  healing: z.enum(["on", "off"], { error: "on or off" }).optional(),
  expect,
});

export const scenarioSchema = scenarioShape
  .refine(({ learning, nodes }) => learning === undefined || nodes <= LEARNERS_MAX, {
    path: ["nodes"],
    error: `at most ${LEARNERS_MAX} where a task is trained`,
  })
  .refine(
    ({ learning, faults }) =>
      learning !== undefined || !faults.some(({ inject }) => learningFaultKinds.includes(inject)),
    { path: ["learning"], error: "there, because a fault concerns the training of a task" },
  );

/** A scenario as its file says it; times in milliseconds. */
export type ScenarioFile = z.output<typeof scenarioSchema>;
export type Traffic = ScenarioFile["traffic"];
export type Learning = NonNullable<ScenarioFile["learning"]>;
