// The simulator's nodes as a mesh under test: the machine that the daemons run, in virtual time.

import { Swarm } from "../../../src/sim/index.ts";
import { type MeshUnderTest, NODES, type Phase, SKEWED } from "./phases.ts";

/** How finely views are looked at: what the script measures is no finer. */
const STEP_MS = 20;
const BOOT_LIMIT_MS = 60_000;
/** What the daemons' configuration has by default. */
const CONNECTIONS_TARGET = 16;
/** A host in a rack: far less than any timer of the mesh. */
const LATENCY_MS = 0.2;

export class SimulatedMesh implements MeshUnderTest {
  readonly wronged = { suspected: 0, dead: 0 };
  readonly size = NODES;
  readonly #swarm: Swarm;
  readonly #phase: Phase;
  #views: string[] = [];

  /** A mesh that has converged, on links as the phase has them. */
  constructor(seed: number, phase: Phase) {
    const { delayMs, lossRatio } = phase.impairment;
    const latency = { latencyMinMs: LATENCY_MS + delayMs, latencyMaxMs: LATENCY_MS + delayMs };
    const skews = new Map(phase.skewed ? SKEWED : []);
    this.#phase = phase;
    this.#swarm = new Swarm({
      seed,
      nodes: NODES,
      network: { ...latency, lossRatio, jitterMs: 0, tailRatio: 0 },
      mesh: { connectionsTarget: CONNECTIONS_TARGET },
      clockError: (node) => ({ wallOffsetMs: skews.get(node) ?? 0 }),
    });
    this.#swarm.startAll();
    if (this.#swarm.runUntilConverged(BOOT_LIMIT_MS) === undefined)
      throw new Error(`seed ${seed}: not converged before the phase ${phase.name}`);
    this.#look();
  }

  isUp(node: number): boolean {
    return this.#swarm.isHealthy(node);
  }

  stateOf(observer: number, subject: number): string {
    return this.#views[observer * NODES + subject] ?? "forgotten";
  }

  impair(): Promise<void> {
    return Promise.resolve(); // from the start: the simulator places its nodes once
  }

  partition(side: readonly number[]): Promise<void> {
    const others = Array.from({ length: NODES }, (_, node) => node).filter(
      (node) => !side.includes(node),
    );
    if (side.length === 0) this.#swarm.heal();
    else this.#swarm.partition([side, others]);
    return Promise.resolve();
  }

  powerLoss(node: number): Promise<void> {
    this.#swarm.crash(node);
    this.#look();
    return Promise.resolve();
  }

  powerOn(node: number): Promise<void> {
    this.#swarm.restart(node);
    this.#step();
    return Promise.resolve();
  }

  run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += STEP_MS) this.#step();
    return Promise.resolve();
  }

  until(what: string, holds: () => boolean, limitMs: number): Promise<number> {
    const start = this.#swarm.nowMs;
    while (!holds()) {
      if (this.#swarm.nowMs - start > limitMs)
        throw new Error(`${this.#phase.name}: waited ${limitMs} virtual ms for ${what}`);
      this.#step();
    }
    return Promise.resolve(this.#swarm.nowMs - start);
  }

  #step(): void {
    this.#swarm.world.runUntil(this.#swarm.nowMs + STEP_MS);
    this.#look();
  }

  #look(): void {
    const views = new Array<string>(NODES * NODES);
    for (let observer = 0; observer < NODES; observer++) {
      for (const [subject, state] of this.#swarm.states(observer)) {
        const at = observer * NODES + subject;
        views[at] = state;
        if (state === this.#views[at] || !this.isUp(subject)) continue;
        if (state === "suspect") this.wronged.suspected++;
        if (state === "dead") this.wronged.dead++;
      }
    }
    this.#views = views;
  }
}
