// The faults of a run in time: each begins and ends when the plan says, by the injector of its class; those without
// an end last until the world heals.

import type { NetworkOptions } from "../network.ts";
import { classOf, type Fault, type FaultClass } from "../scenarios/faults.ts";
import type { Swarm } from "../swarm.ts";
import type { ByzantineInjector } from "./byzantine-injector.ts";
import { CryptoFailureInjector } from "./crypto-failure-injector.ts";
import { HostFailureInjector } from "./host-failure-injector.ts";
import type { Injector } from "./injector.ts";
import { NetworkFailureInjector } from "./network-failure-injector.ts";
import { NodeFailureInjector } from "./node-failure-injector.ts";

/** What a schedule acts on. */
export interface FaultScheduleDeps {
  readonly swarm: Swarm;
  /** The network without any fault. */
  readonly calm: NetworkOptions;
  readonly byzantine: ByzantineInjector;
  readonly faults: readonly Fault[];
}

/** Begins and ends faults. */
export class FaultSchedule {
  readonly #deps: FaultScheduleDeps;
  readonly #injectors: Readonly<Record<FaultClass, Injector>>;
  readonly #active = new Set<Fault>();

  constructor(deps: FaultScheduleDeps) {
    this.#deps = deps;
    const { swarm, calm, byzantine } = deps;
    this.#injectors = {
      network: new NetworkFailureInjector(swarm, calm),
      node: new NodeFailureInjector(swarm),
      byzantine: byzantine,
      crypto: new CryptoFailureInjector(swarm),
      host: new HostFailureInjector(swarm),
    };
  }

  /** Plans everything; faults that would begin after `untilMs` do not. */
  start(untilMs: number): void {
    const { world } = this.#deps.swarm;
    for (const fault of this.#deps.faults) {
      if (fault.at >= untilMs) continue;
      world.plan(fault.at, `begin ${fault.inject}`, () => {
        this.#active.add(fault);
        this.#injectors[classOf(fault.inject)].begin(fault);
      });
      if (fault.for === undefined || fault.at + fault.for >= untilMs) continue;
      world.plan(fault.at + fault.for, `end ${fault.inject}`, () => this.#end(fault));
    }
  }

  /** Once a virtual second. */
  tick(): void {
    for (const injector of Object.values(this.#injectors)) injector.tick();
  }

  /** Ends what is still going on. */
  healAll(): void {
    this.tick();
    for (const fault of [...this.#active]) this.#end(fault);
  }

  #end(fault: Fault): void {
    if (this.#active.delete(fault)) this.#injectors[classOf(fault.inject)].end(fault);
  }
}
