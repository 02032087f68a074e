// A machine on a bench: readings by hand, seconds by hand, orders answered at once or as told.

import {
  type ActionEnd,
  actionKinds,
  type ActionOrder,
  type HealingEffect,
  HealingMachine,
  type HealingOptions,
  type Incident,
  KnowledgeBase,
  MemoryArchive,
  type ObservationName,
  parsePlaybooks,
  type PeerReading,
  type RaisedCondition,
  shippedPlaybooks,
} from "../../../src/healing/index.ts";
import type { MonoMs, Now, WallMs } from "../../../src/ports/index.ts";

export const SELF = "5e1f".repeat(16);
export const PEER = "9ee2".repeat(16);

/** A node that is well, in a mesh of ten. */
export const well = {
  ...{ loopLagMs: 5, heapRatio: 0.4, diskFreeRatio: 0.6, clockStepMs: 0, svidLeftRatio: 0.8 },
  ...{ members: 9, connections: 9, connectedRatio: 1, unhealthyRatio: 0, quarantined: 0 },
  ...{ flapsPerMin: 0, beaconsHeardRatio: 1, beaconsRefusedPerS: 0, handshakeFailuresPerMin: 0 },
  ...{ rttMs: 2, lossRatio: 0, engineRank: 0 },
} as const satisfies Partial<Record<ObservationName, number>>;

export const allKinds = new Set(actionKinds);

export class Bench {
  readonly machine: HealingMachine;
  readonly knowledge = new KnowledgeBase(new MemoryArchive(), 0 as WallMs);
  readonly orders: ActionOrder[] = [];
  readonly effects: HealingEffect[] = [];
  readonly #playbooks = parsePlaybooks(shippedPlaybooks, "shipped", allKinds);
  seconds = 0;
  /** How orders end: at once by this, or never. */
  end: ActionEnd | undefined = { ok: true };

  constructor(
    options: Partial<HealingOptions> = {},
    { playbooks = "" }: { readonly playbooks?: string } = {},
  ) {
    const own = playbooks === "" ? this.#playbooks : parsePlaybooks(playbooks, "own", allKinds);
    const { knowledge } = this;
    this.machine = new HealingMachine({ self: SELF, knowledge, playbooks: own }, options);
  }

  get now(): Now {
    const ms = this.seconds * 1_000;
    return { monoMs: ms as MonoMs, wallMs: (1_700_000_000_000 + ms) as WallMs };
  }

  /** Seconds of the same reading. */
  run(
    seconds: number,
    values: Partial<Record<ObservationName, number | undefined>> = {},
    more: { conditions?: RaisedCondition[]; peers?: PeerReading[] } = {},
  ): this {
    const measured = Object.entries({ ...well, ...values }).filter(([, one]) => one !== undefined);
    for (let left = seconds; left > 0; left--) {
      this.seconds++;
      const reading = {
        ...{ values: Object.fromEntries(measured), conditions: more.conditions ?? [] },
        peers: more.peers ?? [],
      };
      this.take(this.machine.handle({ kind: "observed", reading }, this.now));
    }
    return this;
  }

  take(effects: readonly HealingEffect[]): void {
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.kind !== "act") continue;
      this.orders.push(effect.order);
      const { id } = effect.order;
      if (this.end !== undefined)
        this.take(this.machine.handle({ kind: "action-ended", id, end: this.end }, this.now));
    }
  }

  /** The newest incident. */
  get incident(): Incident {
    const [incident] = this.knowledge.list(1);
    if (incident === undefined) throw new Error("there is no incident");
    return incident;
  }

  /** Every action of every incident with its outcome, the oldest first. */
  outcomes(): string[] {
    const incidents = [...this.knowledge.list(100)].reverse();
    return incidents
      .flatMap(({ actions }) => actions)
      .map(({ action, outcome }) => `${action}: ${outcome}`);
  }
}
