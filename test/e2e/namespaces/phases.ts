// The faults, one after the other, and what is measured: one script for real daemons and for the simulator.

import type { Impairment } from "./fabric.ts";
import { isConverged, isDeadAcross, isNoticed, isRoutedAround, type Observed } from "./views.ts";

export const NODES = 12;
const MINORITY = [7, 8, 9, 10, 11];
const VICTIM = 5;
/** Inside of the 60 s that daemons grant one another, and far outside of any timer's length. */
export const SKEW_MS = 45_000;
export const SKEWED: readonly (readonly [node: number, byMs: number])[] = [
  [3, SKEW_MS],
  [4, -SKEW_MS],
];
const LIMIT_MS = 60_000;
const CALM_MS = 20_000;
/** How much longer than it takes to be believed a partition lasts: connections are given up, and dials backed off. */
const APART_MS = 15_000;

/** A mesh to which things can be done. Views of a node that stops are forgotten by it, not by others. */
export interface MeshUnderTest extends Observed {
  /** Changes of views to `suspect` and to `dead` so far, of subjects that were up at the time. */
  readonly wronged: { readonly suspected: number; readonly dead: number };
  impair(impairment: Impairment): Promise<void>;
  partition(side: readonly number[]): Promise<void>;
  powerLoss(node: number): Promise<void>;
  /** Starts the node again, its wall clock off by `skewMs`. */
  powerOn(node: number, skewMs: number): Promise<void>;
  run(ms: number): Promise<void>;
  /** How long it took until it held. @throws when it does not within the limit */
  until(what: string, holds: () => boolean, limitMs: number): Promise<number>;
}

/** Measured numbers of one phase by name, in milliseconds or, where the name says so, a count. */
export type Figures = ReadonlyMap<string, number>;

export interface Phase {
  readonly name: string;
  /** How the links are for the whole phase, in the simulator. */
  readonly impairment: Impairment;
  readonly skewed: boolean;
  run(mesh: MeshUnderTest): Promise<Figures>;
}

const clear: Impairment = { delayMs: 0, lossRatio: 0 };

export const phases: readonly Phase[] = [
  { name: "partition 7 | 5", impairment: clear, skewed: false, run: partitionAndHeal },
  { name: "power loss", impairment: clear, skewed: false, run: powerCycle },
  calm("20 % loss", { delayMs: 0, lossRatio: 0.2 }),
  calm("200 ms each way", { delayMs: 200, lossRatio: 0 }),
  { name: "clocks off by 45 s", impairment: clear, skewed: true, run: skewClocks },
];

async function partitionAndHeal(mesh: MeshUnderTest): Promise<Figures> {
  await mesh.partition(MINORITY);
  const seen = await notice(mesh, MINORITY);
  await mesh.run(APART_MS);
  await mesh.partition([]);
  const healed = await mesh.until("the halves to meet", () => isConverged(mesh), LIMIT_MS);
  return new Map([...seen, ["converge", healed]]);
}

async function powerCycle(mesh: MeshUnderTest): Promise<Figures> {
  await mesh.powerLoss(VICTIM);
  const seen = await notice(mesh, [VICTIM]);
  await mesh.powerOn(VICTIM, 0);
  const back = await mesh.until("the victim to be back", () => isConverged(mesh), LIMIT_MS);
  return new Map([...seen, ["converge", back]]);
}

/** Nobody dies of weather; and what does die is found dead in spite of it. */
function calm(name: string, impairment: Impairment): Phase {
  const run = async (mesh: MeshUnderTest): Promise<Figures> => {
    await mesh.impair(impairment);
    const before = { ...mesh.wronged };
    await mesh.run(CALM_MS);
    const { suspected, dead } = mesh.wronged;
    const cycle = await powerCycle(mesh);
    await mesh.impair(clear);
    await mesh.until("everyone to be alive", () => isConverged(mesh), LIMIT_MS);
    return new Map([
      ...cycle,
      ["false suspicions (count)", suspected - before.suspected],
      ["false deaths (count)", dead - before.dead],
    ]);
  };
  return { name, impairment, skewed: false, run };
}

async function skewClocks(mesh: MeshUnderTest): Promise<Figures> {
  for (const [node] of SKEWED) await mesh.powerLoss(node);
  const gone = SKEWED.map(([node]) => node);
  await mesh.until("them to be dead", () => isDeadAcross(mesh, gone), LIMIT_MS);
  for (const [node, byMs] of SKEWED) await mesh.powerOn(node, byMs);
  const back = await mesh.until("them to be back", () => isConverged(mesh), LIMIT_MS);
  const before = { ...mesh.wronged };
  await mesh.run(CALM_MS / 2);
  return new Map([
    ["converge", back],
    ["false deaths (count)", mesh.wronged.dead - before.dead],
  ]);
}

/** From the fault on: the first to notice, the last to route around, the last to hold them dead. */
async function notice(mesh: MeshUnderTest, side: readonly number[]): Promise<Figures> {
  const noticed = await mesh.until("a notice", () => isNoticed(mesh, side), LIMIT_MS);
  const routed = await mesh.until("a way around", () => isRoutedAround(mesh, side), LIMIT_MS);
  const dead = await mesh.until("the death", () => isDeadAcross(mesh, side), LIMIT_MS);
  return new Map([
    ["detect", noticed],
    ["reroute", noticed + routed],
    ["dead everywhere", noticed + routed + dead],
  ]);
}
