// Makes a failing plan smaller while it still fails in the same way: fewer faults (ddmin: Zeller & Hildebrandt,
// "Simplifying and isolating failure-inducing input", 2002), then less time, then fewer nodes. Bounded by runs.

import type { RunReport } from "./report.ts";
import { classOf, type Fault } from "./scenarios/faults.ts";
import { LIARS_SHARE_MAX, type RunPlan } from "./scenarios/plan.ts";

/** A smaller plan that failed too, or did not. */
export interface ShrinkStep {
  readonly run: number;
  readonly plan: RunPlan;
  readonly stillFails: boolean;
}

export interface ShrinkOptions {
  readonly run: (plan: RunPlan) => RunReport;
  /** Runs at most. */
  readonly runsMax: number;
  readonly onStep?: (step: ShrinkStep) => void;
}

const MINUTE_MS = 60_000;
/** Below this time nothing has begun. */
const MINUTES_MIN = 0.25;
/** The safety phase goes on so long after the first violation. */
const AFTER_VIOLATION_MS = 2_000;
const NODES_MIN = 3;

/** The smallest plan found, with its report; the one given when nothing smaller fails. */
export function shrink(
  plan: RunPlan,
  report: RunReport,
  options: ShrinkOptions,
): { readonly plan: RunPlan; readonly report: RunReport; readonly runs: number } {
  const wanted = signature(report);
  let best = { plan, report };
  let runs = 0;
  const fails = (candidate: RunPlan): boolean => {
    if (runs >= options.runsMax) return false;
    const result = options.run(candidate);
    const stillFails = [...signature(result)].some((one) => wanted.has(one));
    if (stillFails) best = { plan: candidate, report: result };
    runs++;
    options.onStep?.({ run: runs, plan: candidate, stillFails });
    return stillFails;
  };
  dropFaults(plan, fails);
  shorten(() => best, fails);
  for (const nodes of [4, 2, 4 / 3].map((part) => Math.ceil(best.plan.nodes / part))) {
    const fewer = withNodes(best.plan, nodes);
    const isSmaller = nodes >= NODES_MIN && nodes < best.plan.nodes;
    if (isSmaller && mayHold(fewer) && fails(fewer)) break;
  }
  dropFaults(best.plan, fails);
  return { ...best, runs };
}

/** How a run failed: the names of the invariants and the beginnings of the failures. */
function signature({ invariants, failures }: RunReport): ReadonlySet<string> {
  const broken = invariants.filter(({ violations }) => violations > 0).map(({ name }) => name);
  return new Set([...broken, ...failures.map((failure) => failure.split(" is ")[0] ?? failure)]);
}

/** ddmin over the list of faults: drops ever smaller parts of it. */
function dropFaults(plan: RunPlan, fails: (candidate: RunPlan) => boolean): void {
  let faults: readonly Fault[] = plan.faults;
  let parts = 1;
  while (faults.length > 0) {
    const size = Math.ceil(faults.length / parts);
    const kept = withoutChunks(faults, size).find((rest) => fails({ ...plan, faults: rest }));
    if (kept !== undefined) {
      faults = kept;
      parts = Math.max(1, parts - 1);
    } else if (size === 1) {
      return;
    } else {
      parts = Math.min(faults.length, 2 * parts);
    }
  }
}

/** What is left when each chunk in turn is dropped. */
function* withoutChunks(faults: readonly Fault[], size: number): Generator<readonly Fault[]> {
  for (let from = 0; from < faults.length; from += size) {
    yield [...faults.slice(0, from), ...faults.slice(from + size)];
  }
}

function shorten(
  best: () => { readonly plan: RunPlan; readonly report: RunReport },
  fails: (candidate: RunPlan) => boolean,
): void {
  const first = Math.min(...best().report.violations.map(({ atMs }) => atMs));
  const { plan } = best();
  const soon = (first + AFTER_VIOLATION_MS) / MINUTE_MS;
  if (soon >= MINUTES_MIN && soon < plan.minutes && fails({ ...plan, minutes: soon })) return;
  for (let minutes = plan.minutes / 2; minutes >= MINUTES_MIN; minutes /= 2) {
    if (!fails({ ...best().plan, minutes })) return;
  }
}

/** With more liars than that nobody promises that a training holds: such a plan would fail for another reason. */
function mayHold({ faults, nodes, learning }: RunPlan): boolean {
  const lies = faults.filter(({ inject }) => classOf(inject) === "byzantine");
  const liars = new Set(lies.flatMap((fault) => ("nodes" in fault ? fault.nodes : [])));
  return learning === undefined || liars.size <= Math.floor(LIARS_SHARE_MAX * nodes);
}

function withNodes(plan: RunPlan, nodes: number): RunPlan {
  const faults = plan.faults.flatMap((fault): Fault[] => {
    if (!("nodes" in fault)) return [fault];
    const left = fault.nodes.filter((node) => node < nodes);
    return left.length === 0 ? [] : [{ ...fault, nodes: left }];
  });
  return { ...plan, nodes, faults };
}
