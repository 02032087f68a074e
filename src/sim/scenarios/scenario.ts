// What a scenario is and what a run of it leaves behind.

import type { SimEngine } from "../census.ts";
import type { Violation } from "../checkers/violation.ts";
import type { NetworkCounts } from "../network.ts";
import type { Swarm, SwarmOptions } from "../swarm.ts";
import type { WorldCounts } from "../world-types.ts";

/** How to run a scenario. */
export interface ScenarioOptions {
  /** Low 32 bits count; with the other options it determines the whole run. */
  readonly seed: number;
  /** @default the scenario's own */
  readonly nodes?: number;
  /** Share of messages lost on every hop. @default the scenario's own */
  readonly lossRatio?: number;
  /** The crypto of all nodes. @default model signatures over a pure SHA-256 */
  readonly engine?: SimEngine;
  /** False for an engine whose signatures are not a function of the seed. @default true */
  readonly deterministicEngine?: boolean;
  /** Changes to the swarm; for sabotage and experiments. */
  readonly swarm?: Partial<SwarmOptions>;
}

/** A named number that a run measured. */
export interface Finding {
  readonly name: string;
  /** `undefined`: it did not come about. */
  readonly value: number | undefined;
  readonly unit: string;
}

/** What a scenario's script reports. */
export interface ScenarioOutcome {
  readonly findings: readonly Finding[];
  /** Liveness that did not come about, one sentence each. */
  readonly failures: readonly string[];
}

/** A scenario: how to build its swarm, and its script. */
export interface Scenario {
  readonly name: string;
  /** One sentence for a list of scenarios. */
  readonly summary: string;
  readonly nodes: number;
  swarm(options: ScenarioOptions & { readonly nodes: number }): SwarmOptions;
  script(swarm: Swarm): ScenarioOutcome;
}

/** What a run leaves behind. A function of scenario and options alone. */
export interface ScenarioReport {
  readonly scenario: string;
  readonly seed: number;
  readonly nodes: number;
  /** No violation and no failure. */
  readonly passed: boolean;
  /** Broken safety, at most a few dozen. */
  readonly violations: readonly Violation[];
  /** Missed liveness. */
  readonly failures: readonly string[];
  readonly findings: readonly Finding[];
  /** Views judged by the safety checkers; 0 would mean that nobody looked. */
  readonly checks: { readonly noFalseDeath: number; readonly sequenceRises: number };
  /** 64 hex digits: equal for equal runs. */
  readonly digest: string;
  readonly traceEvents: number;
  readonly virtualMs: number;
  readonly world: WorldCounts;
  readonly network: NetworkCounts;
  /** The call that repeats this run. */
  readonly replay: string;
  /** The last events before the end, for a failed run; else empty. */
  readonly tail: readonly string[];
}
