// From a scenario and a seed to a run in which nothing is left to choose: which nodes each fault hits, and, where
// the scenario leaves the faults to chance, which faults there are. What a replay runs and a shrink makes smaller.

import { stringify } from "yaml";
import type { NodeIndex } from "../node-types.ts";
import { SeededRandom } from "../random.ts";
import {
  classOf,
  type Fault,
  type FaultKind,
  type FileFault,
  type NodeChoice,
  sensorLies,
} from "./faults.ts";
import type { ScenarioFile } from "./schema.ts";
import { durationText } from "./values.ts";

const MINUTE_MS = 60_000;
/** Nothing random happens before the nodes have found each other, or so late that it would not show. */
const QUIET_START_MS = 15_000;
const QUIET_END_MS = 10_000;
/** At most this share of the nodes lies: beyond it nobody promises anything. */
export const LIARS_SHARE_MAX = 0.3;

/** A run to the last choice. */
export interface RunPlan extends Omit<ScenarioFile, "faults" | "chaos"> {
  readonly faults: readonly Fault[];
}

/** What a caller may change of a scenario. */
export interface RunChanges {
  readonly seed?: number | undefined;
  readonly nodes?: number | undefined;
  readonly minutes?: number | undefined;
  readonly crypto?: "modelled" | "real" | undefined;
}

/** Chooses everything that the file leaves open. The same file, changes and seed give the same plan. */
export function planRun(file: ScenarioFile, changes: RunChanges = {}): RunPlan {
  const { chaos, faults: scripted, ...rest } = file;
  const { seed = file.seed, nodes = file.nodes, minutes = file.minutes } = changes;
  const random = SeededRandom.fromSeed(seed).fork("plan");
  const drawn = chaos === undefined ? [] : drawFaults(chaos, minutes * MINUTE_MS, random);
  const choice = new NodeChoices(nodes, random.fork("nodes"));
  // Liars first: a node is either one of them or one of those that have bad luck.
  const wanted = [...scripted, ...drawn];
  const lies = (fault: FileFault): boolean => classOf(fault.inject) === "byzantine";
  const chosen = new Map<FileFault, Fault>();
  for (const fault of [...wanted.filter(lies), ...wanted.filter((one) => !lies(one))]) {
    chosen.set(fault, choice.settle(fault, lies(fault)));
  }
  const faults = wanted.flatMap((fault) => chosen.get(fault) ?? []);
  const crypto = changes.crypto ?? file.crypto;
  return { ...rest, ...{ seed, nodes, minutes, crypto }, faults };
}

/** The plan as a scenario file with every choice written out. */
export function planText(plan: RunPlan): string {
  const { network, traffic, learning, expect, faults, ...rest } = plan;
  return stringify({
    ...rest,
    network: withDurations(network),
    traffic: withDurations(traffic),
    faults: faults.map((fault) => withDurations(fault)),
    ...(learning === undefined ? {} : { learning: withDurations(learning) }),
    expect: withDurations(expect),
  });
}

const durationKeys = new Set([
  ...["at", "for", "extra", "tail", "jitter", "every", "pause", "period", "calm"],
  ...["converge_within", "detect_within", "detect_p99", "reroute_p99", "latency"],
  ...["start", "deadline", "rounds_within", "left", "full_after"],
]);

function withDurations(section: object): object {
  const text = (value: unknown): unknown =>
    typeof value === "number" ? durationText(value) : value;
  return Object.fromEntries(
    Object.entries(section).map(([key, value]: [string, unknown]) => {
      if (!durationKeys.has(key)) return [key, value];
      return [key, Array.isArray(value) ? value.map(text) : text(value)];
    }),
  );
}

/** Hands out nodes. */
class NodeChoices {
  readonly #all: readonly NodeIndex[];
  readonly #random: SeededRandom;
  readonly #liars = new Set<NodeIndex>();

  constructor(nodes: number, random: SeededRandom) {
    this.#all = Array.from({ length: nodes }, (_, node) => node);
    this.#random = random;
  }

  settle(fault: FileFault, lies: boolean): Fault {
    if (!("nodes" in fault)) return fault;
    const nodes = this.#choose(fault.nodes, lies);
    if (lies) for (const node of nodes) this.#liars.add(node);
    return { ...fault, nodes };
  }

  #choose(choice: NodeChoice, lies: boolean): NodeIndex[] {
    if (Array.isArray(choice)) return choice.filter((node) => node < this.#all.length);
    const candidates = this.#all.filter((node) => !this.#liars.has(node));
    const share = typeof choice === "number" ? choice : Math.round(choice.share * this.#all.length);
    const left = lies
      ? Math.floor(this.#all.length * LIARS_SHARE_MAX) - this.#liars.size
      : candidates.length - 1;
    const wanted = Math.min(Math.max(1, share), Math.max(lies ? 0 : 1, left));
    return this.#random.sample(candidates, wanted).sort((a, b) => a - b);
  }
}

function drawFaults(
  chaos: NonNullable<ScenarioFile["chaos"]>,
  totalMs: number,
  random: SeededRandom,
): FileFault[] {
  const lastMs = Math.max(QUIET_START_MS + 1, totalMs - QUIET_END_MS);
  return Array.from({ length: chaos.faults }, () => {
    const kind = chaos.kinds[random.below(chaos.kinds.length)] as FaultKind;
    const at = Math.round(QUIET_START_MS + random.fraction() * (lastMs - QUIET_START_MS));
    const forMs = 1_000 + Math.round(random.fraction() * (chaos.longest - 1_000));
    return drawFault(kind, { at, for: Math.min(forMs, Math.max(1_000, totalMs - at)) }, random);
  });
}

/** One fault of a kind, its parameters drawn from what a mesh should live through. */
function drawFault(
  kind: FaultKind,
  when: { at: number; for: number },
  random: SeededRandom,
): FileFault {
  const between = (least: number, most: number): number =>
    least + random.fraction() * (most - least);
  const whole = (least: number, most: number): number => Math.round(between(least, most));
  const share = { share: between(0.05, 0.25) };
  switch (kind) {
    case "partition": {
      const shapes = ["symmetric", "asymmetric", "bridge"] as const;
      const shape = shapes[random.below(shapes.length)] ?? "symmetric";
      return { inject: kind, ...when, nodes: { share: between(0.1, 0.5) }, shape };
    }
    case "latency":
      return {
        inject: kind,
        ...when,
        extra: whole(0, 300),
        tail: whole(0, 2_000),
        tail_share: 0.1,
      };
    case "loss":
    case "duplication":
      return { inject: kind, ...when, ratio: between(0.01, 0.4) };
    case "reordering":
      return { inject: kind, ...when, jitter: whole(50, 1_000) };
    case "bandwidth":
      return { inject: kind, ...when, bytes_per_second: whole(20_000, 200_000) };
    case "corruption":
      return { inject: kind, ...when, ratio: between(0.0001, 0.01) };
    case "crash":
      return { inject: kind, ...when, nodes: share, stale_disk: random.chance(0.3) };
    case "crash_loop":
      return { inject: kind, ...when, nodes: share, every: whole(2_000, 10_000) };
    case "slow":
      return { inject: kind, ...when, nodes: share, every: 2_000, pause: whole(100, 1_500) };
    case "clock_step":
      return { inject: kind, ...when, nodes: share, by_seconds: whole(-3_600, 3_600) };
    case "clock_drift":
      return { inject: kind, ...when, nodes: share, ppm: whole(-50_000, 50_000) };
    case "sybil_flood":
      return { inject: kind, ...when, nodes: 1, per_second: whole(1, 50) };
    case "forge":
    case "replay":
    case "equivocate":
    case "false_evidence":
    case "contradict":
    case "false_claims":
    case "false_lessons":
      return { inject: kind, ...when, nodes: 1 };
    case "poison": {
      const attacks = ["sign-flip", "ipm", "alie", "min-max", "mimic", "gaussian"] as const;
      const attack = attacks[random.below(attacks.length)] ?? "alie";
      return { inject: kind, ...when, nodes: share, attack };
    }
    case "flood_updates":
      return { inject: kind, ...when, nodes: 1, factor: whole(2, 10) };
    case "withhold":
      return { inject: kind, ...when, nodes: share, share: between(0.3, 1) };
    case "slow_loris":
      return { inject: kind, ...when, nodes: share, pause: whole(2_000, 60_000) };
    case "replay_rounds":
      return { inject: kind, ...when, nodes: 1, per_second: whole(1, 50) };
    case "renewal_stuck":
      return { inject: kind, ...when, nodes: share, left: whole(5_000, 30_000) };
    case "leak":
      return { inject: kind, ...when, nodes: share, full_after: whole(30_000, 120_000) };
    case "lying_sensors": {
      const say = sensorLies[random.below(sensorLies.length)] ?? "alone";
      return { inject: kind, ...when, nodes: share, say };
    }
    case "store_grows":
    case "disk_full":
    case "bad_signature":
    case "bad_verification":
    case "kem_failure":
    case "expired_svid":
    case "wrong_bundle":
      return { inject: kind, ...when, nodes: share };
  }
}
