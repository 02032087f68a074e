// What the healing bench runs: each of its tables has cases, each case runs in some modes.

import { type BenchFault, benchFaults, faultKinds } from "./faults.ts";
import type { BenchRun, Mode } from "./runs.ts";

type Setting = Omit<BenchRun, "seed" | "mode">;

export interface Case {
  readonly name: string;
  readonly settingOf: (seed: number) => Setting;
  readonly modes: readonly Mode[];
}

const TINY = 8;
const SMALL = 12;
const LARGE = 100;
const FLEET = 200;
const HUGE = 1_000;
const MINUTES = 0.75;
const HUGE_MINUTES = 1.5;
const STORM_MINUTES = 1.25;
/** A thousand nodes that were started at once know one another by then. */
const STANDING_FROM_S = 30;
/** Until a false death would have to be refuted after the faults. */
const CALM = "22s";
const BRIEF = "1s";
/** Half of a fleet's bad days at once: each of these hits 5 to 25 % of the nodes, or all links. */
const STORM =
  "chaos: { faults: 12, kinds: [crash, loss, latency, slow, renewal_stuck, store_grows], longest: 15s }";
/** In each of so many seconds new nodes go wrong, while those before them are mended or come back. */
const WAVE_S = 10;
/** Further apart than the cooldown of what ends it. */
const LEAKS: readonly BenchFault[] = ["30s", "36m"].map((at) => ({
  name: "leak",
  line: `{ inject: leak, at: ${at}, for: 9m, nodes: [1], full_after: 9m }`,
}));

const versus = ["off", "on"] as const;

function withFaults(faults: readonly BenchFault[], nodes: number, calm = CALM): Setting {
  return { nodes, minutes: Math.max(...faults.map((one) => one.minutes ?? MINUTES)), faults, calm };
}

const always = (name: string, setting: Setting, modes: readonly Mode[] = versus): Case => ({
  name,
  settingOf: () => setting,
  modes,
});

/** Each fault beside one other, which the seed chooses: with as many seeds as there are others, beside each. */
function paired(fault: BenchFault): Case {
  const others = benchFaults.filter((other) => other !== fault);
  const settingOf = (seed: number): Setting => {
    const other = others[seed % others.length];
    return withFaults(other === undefined ? [fault] : [fault, other], SMALL);
  };
  return { name: fault.name, settingOf, modes: versus };
}

const drawn = (chaos: string, nodes: number, minutes: number): Setting => ({
  ...{ nodes, minutes, faults: [], calm: BRIEF, more: chaos },
});

/** What a fleet sees every day, all the time: lossy links, and always some nodes that are down, slow or need mending. */
function standing(nodes: number): Case {
  const faults = standingFaults(60 * HUGE_MINUTES, nodes / HUGE);
  return always(`standing chaos, ${nodes} nodes`, {
    ...drawn("zones: auto", nodes, HUGE_MINUTES),
    faults,
  });
}

function standingFaults(seconds: number, share: number): BenchFault[] {
  const weather = [
    `{ inject: loss, at: ${STANDING_FROM_S}s, ratio: 0.05 }`,
    `{ inject: latency, at: ${STANDING_FROM_S}s, extra: 20ms, tail: 500ms, tail_share: 0.02 }`,
  ];
  const [few, some] = [Math.round(5 * share), Math.round(10 * share)];
  const wave = (at: number): string[] => [
    `{ inject: crash, at: ${at}s, for: 8s, nodes: ${few} }`,
    `{ inject: slow, at: ${at}s, for: ${WAVE_S}s, nodes: ${some}, every: 4s, pause: 1500ms }`,
    `{ inject: renewal_stuck, at: ${at}s, for: ${WAVE_S}s, nodes: ${few}, left: 8s }`,
    `{ inject: store_grows, at: ${at}s, for: ${WAVE_S}s, nodes: ${few} }`,
  ];
  const lines = [...weather];
  for (let at = STANDING_FROM_S; at < seconds - WAVE_S; at += WAVE_S) lines.push(...wave(at));
  return lines.map((line) => ({ name: "standing chaos", line }));
}

export const tables: Readonly<Record<string, () => readonly Case[]>> = {
  single: () => benchFaults.map((fault) => always(fault.name, withFaults([fault], SMALL))),
  pairs: () => benchFaults.map(paired),
  large: () =>
    benchFaults
      .filter(({ mendable }) => mendable)
      .map(({ name, line }) => {
        const later = [{ name, line: line.replace("at: 15s", "at: 25s") }];
        const setting = { ...withFaults(later, LARGE, BRIEF), more: "zones: auto" };
        return always(`${name}, ${LARGE} nodes`, setting);
      }),
  fleet: () => [standing(FLEET)],
  thousand: () => [standing(HUGE)],
  storm: () => [
    always(`storm, ${HUGE} nodes`, drawn(`zones: auto\n${STORM}`, HUGE, STORM_MINUTES)),
  ],
  sweep: () => {
    const chaos = `chaos: { faults: 4, kinds: [${faultKinds.join(", ")}] }`;
    return [always(`four random faults, ${TINY} nodes`, drawn(chaos, TINY, MINUTES), ["on"])];
  },
  memory: () => {
    const setting = { nodes: 4, minutes: 46, faults: LEAKS, calm: BRIEF };
    return [always("a leak twice, 4 nodes, 46 minutes", setting, ["forgetful", "on"])];
  },
};
