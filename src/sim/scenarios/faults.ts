// Every fault that a scenario can name: its parameters, as the file's schema, and what class it belongs to.

import * as z from "zod";
import { type OmniscientAttackName, omniscientAttackNames } from "../../learning/index.ts";
import { count, duration, durationText, mapping, number, ratio } from "./values.ts";

/** The five kinds of trouble; a scenario may combine them. */
export type FaultClass = "network" | "node" | "byzantine" | "crypto" | "host";

/** Nodes that a file chooses: so many, a share such as "10%", or these. The seed says which. */
const nodes = z.union(
  [
    count(1, 10_000),
    z
      .string()
      .regex(/^(100|[1-9]?\d)%$/)
      .transform((text) => ({ share: Number(text.slice(0, -1)) / 100 })),
    z.array(count(0, 9_999)).min(1).max(10_000),
  ],
  { error: "a number of nodes from 1, a share such as 10%, or a list of node numbers from 0" },
);

/** Which nodes a fault of a file is for. */
export type NodeChoice = z.output<typeof nodes>;

const when = {
  /** Since the start of the run. */
  at: duration(0, 86_400_000),
  /** Until the world heals, when absent. */
  for: duration(1, 86_400_000).optional(),
};
const kind = <Name extends string>(inject: Name) => z.literal(inject);

const network = {
  partition: mapping({
    ...{ inject: kind("partition"), ...when, nodes },
    shape: z
      .enum(["symmetric", "asymmetric", "bridge"], { error: "symmetric, asymmetric or bridge" })
      .default("symmetric"),
  }),
  latency: mapping({
    ...{ inject: kind("latency"), ...when },
    extra: duration(0, 60_000).default(0),
    tail: duration(0, 60_000).default(0),
    tail_share: ratio().default(0.1),
  }),
  loss: mapping({ inject: kind("loss"), ...when, ratio: ratio() }),
  duplication: mapping({ inject: kind("duplication"), ...when, ratio: ratio() }),
  reordering: mapping({ inject: kind("reordering"), ...when, jitter: duration(1, 60_000) }),
  bandwidth: mapping({
    ...{ inject: kind("bandwidth"), ...when },
    bytes_per_second: count(100, 1_000_000_000),
  }),
  corruption: mapping({ inject: kind("corruption"), ...when, ratio: ratio() }),
};

const node = {
  crash: mapping({
    ...{ inject: kind("crash"), ...when, nodes },
    stale_disk: z.boolean({ error: "true or false" }).default(false),
  }),
  crash_loop: mapping({
    ...{ inject: kind("crash_loop"), ...when, nodes },
    every: duration(1_000, 3_600_000),
  }),
  slow: mapping({
    ...{ inject: kind("slow"), ...when, nodes },
    every: duration(100, 600_000),
    pause: duration(10, 600_000),
  }),
  clock_step: mapping({
    ...{ inject: kind("clock_step"), ...when, nodes },
    by_seconds: number(-86_400, 86_400),
  }),
  clock_drift: mapping({
    ...{ inject: kind("clock_drift"), ...when, nodes },
    ppm: number(-500_000, 500_000),
  }),
  disk_full: mapping({ inject: kind("disk_full"), ...when, nodes }),
};

/** What liars do to their updates: what they do to the protocol are faults of their own. */
const poisons = ["scaled", ...omniscientAttackNames].filter(
  (name) => name !== "equivocation" && name !== "withholding",
) as readonly Poison[];

/** One of the attacks on updates. */
export type Poison = Exclude<OmniscientAttackName, "equivocation" | "withholding"> | "scaled";

/** Lies of participants of a training task. */
const learning = {
  poison: mapping({
    ...{ inject: kind("poison"), ...when, nodes },
    attack: z.enum(poisons, { error: `one of ${poisons.join(", ")}` }),
  }),
  contradict: mapping({ inject: kind("contradict"), ...when, nodes }),
  flood_updates: mapping({
    ...{ inject: kind("flood_updates"), ...when, nodes },
    factor: count(2, 10).default(10),
  }),
  withhold: mapping({ ...{ inject: kind("withhold"), ...when, nodes }, share: ratio().default(1) }),
  slow_loris: mapping({
    ...{ inject: kind("slow_loris"), ...when, nodes },
    pause: duration(1_000, 3_600_000).prefault("30s"),
  }),
  replay_rounds: mapping({
    ...{ inject: kind("replay_rounds"), ...when, nodes },
    per_second: count(1, 1_000).default(10),
  }),
};

/** Lies of members about healing. */
const healing = {
  false_claims: mapping({ inject: kind("false_claims"), ...when, nodes }),
  false_lessons: mapping({ inject: kind("false_lessons"), ...when, nodes }),
};

const byzantine = {
  forge: mapping({ inject: kind("forge"), ...when, nodes }),
  replay: mapping({ inject: kind("replay"), ...when, nodes }),
  equivocate: mapping({ inject: kind("equivocate"), ...when, nodes }),
  false_evidence: mapping({ inject: kind("false_evidence"), ...when, nodes }),
  sybil_flood: mapping({
    ...{ inject: kind("sybil_flood"), ...when, nodes },
    per_second: count(1, 1_000).default(20),
  }),
  ...learning,
  ...healing,
};

const crypto = {
  bad_signature: mapping({ inject: kind("bad_signature"), ...when, nodes }),
  bad_verification: mapping({ inject: kind("bad_verification"), ...when, nodes }),
  kem_failure: mapping({ inject: kind("kem_failure"), ...when, nodes }),
  expired_svid: mapping({ inject: kind("expired_svid"), ...when, nodes }),
  wrong_bundle: mapping({ inject: kind("wrong_bundle"), ...when, nodes }),
};

/** What a node's sensors can be wrong about. */
export const sensorLies = [
  "alone",
  "leaking",
  "overloaded",
  "expiring",
  "mesh-unwell",
  "all-well",
] as const;
export type SensorLie = (typeof sensorLies)[number];

/** What goes wrong on a host by itself, and what healing is there for; its sensors may be wrong, too. */
const host = {
  renewal_stuck: mapping({
    ...{ inject: kind("renewal_stuck"), ...when, nodes },
    left: duration(1_000, 86_400_000).prefault("20s"),
  }),
  leak: mapping({
    ...{ inject: kind("leak"), ...when, nodes },
    full_after: duration(1_000, 86_400_000).prefault("60s"),
  }),
  store_grows: mapping({ inject: kind("store_grows"), ...when, nodes }),
  lying_sensors: mapping({
    ...{ inject: kind("lying_sensors"), ...when, nodes },
    say: z.enum(sensorLies, { error: `one of ${sensorLies.join(", ")}` }),
  }),
};

/** A fault as a file says it. */
export const faultSchema = z.discriminatedUnion(
  "inject",
  [
    network.partition,
    network.latency,
    network.loss,
    network.duplication,
    network.reordering,
    network.bandwidth,
    network.corruption,
    node.crash,
    node.crash_loop,
    node.slow,
    node.clock_step,
    node.clock_drift,
    node.disk_full,
    byzantine.forge,
    byzantine.replay,
    byzantine.equivocate,
    byzantine.false_evidence,
    byzantine.sybil_flood,
    byzantine.poison,
    byzantine.contradict,
    byzantine.flood_updates,
    byzantine.withhold,
    byzantine.slow_loris,
    byzantine.replay_rounds,
    byzantine.false_claims,
    byzantine.false_lessons,
    crypto.bad_signature,
    crypto.bad_verification,
    crypto.kem_failure,
    crypto.expired_svid,
    crypto.wrong_bundle,
    host.renewal_stuck,
    host.leak,
    host.store_grows,
    host.lying_sensors,
  ],
  { error: "a fault with `inject` and its parameters (see docs/simulator.md)" },
);

/** A fault of a scenario file; times in milliseconds. */
export type FileFault = z.output<typeof faultSchema>;
export type FaultKind = FileFault["inject"];

/** A fault of a run: the seed has chosen its nodes. */
export type Fault<Kind extends FaultKind = FaultKind> = Kind extends FaultKind
  ? Planned<Extract<FileFault, { inject: Kind }>>
  : never;
type Planned<One> = One extends { readonly nodes: NodeChoice }
  ? Omit<One, "nodes"> & { readonly nodes: readonly number[] }
  : One;

/** The faults of each class, in the order of the documentation. */
export const faultKinds = {
  network: Object.keys(network) as (keyof typeof network)[],
  node: Object.keys(node) as (keyof typeof node)[],
  byzantine: Object.keys(byzantine) as (keyof typeof byzantine)[],
  crypto: Object.keys(crypto) as (keyof typeof crypto)[],
  host: Object.keys(host) as (keyof typeof host)[],
} as const satisfies Record<FaultClass, readonly FaultKind[]>;

/** Every kind. */
export const allFaultKinds: readonly FaultKind[] = Object.values(faultKinds).flat();

/** Those that mean something only where a task is trained. */
export const learningFaultKinds: readonly FaultKind[] = Object.keys(
  learning,
) as (keyof typeof learning)[];

/** Those that are there for nodes that heal, or mean something only among such. */
export const healingFaultKinds: readonly FaultKind[] = [
  ...faultKinds.host,
  ...(Object.keys(healing) as (keyof typeof healing)[]),
];

/** Those that any mesh can have: what chance chooses from, unless a scenario says otherwise. */
export const meshFaultKinds: readonly FaultKind[] = allFaultKinds.filter(
  (one) => !learningFaultKinds.includes(one) && !healingFaultKinds.includes(one),
);

/** The class of a kind. */
export function classOf(kind: FaultKind): FaultClass {
  const classes = Object.keys(faultKinds) as FaultClass[];
  return classes.find((one) => (faultKinds[one] as readonly string[]).includes(kind)) ?? "network";
}

/** One line such as `60s crash nodes 3,7 for 20s`. */
export function describeFault(fault: Fault): string {
  const { inject, at, for: forMs, ...rest } = fault;
  const details = Object.entries(rest).map(([name, value]) =>
    Array.isArray(value) ? `${name} ${value.join(",")}` : `${name} ${String(value)}`,
  );
  const until = forMs === undefined ? "until the healing" : `for ${durationText(forMs)}`;
  return [durationText(at), inject, ...details, until].join(" ");
}
