// Zones against flat (table B6): accuracy and bytes, zones at random and zones that an attacker has packed, and the bytes of ways that are
// not built.

import {
  compressedBytes,
  HierarchicalOrchestrator,
  noiseLanes,
  type ParticipantId,
  SeededRandom,
  SKETCH,
  type SimulationReport,
  simulatedLiars,
  type TaskManifest,
  type VectorKernels,
} from "../../src/learning/index.ts";
import { summarize } from "../measure.ts";
import { benchTask, DEADLINE_MS, hash, kernels, type Report, run } from "./tasks.ts";

/** B6: zones against flat. */
export function zonesTable(report: Report): void {
  const flatOf = (count: number, over: Record<string, unknown>) => {
    const orchestrator = { kind: "batch-async", target: count, deadlineMs: DEADLINE_MS };
    return benchTask(count, { ...over, orchestrator });
  };
  const tieredOf = (count: number, of: number, over: Record<string, unknown>) => {
    const orchestrator = { kind: "hierarchical", zones: of, deadlineMs: DEADLINE_MS };
    return benchTask(count, { ...over, orchestrator });
  };
  const perRoundOf = ({ bytesPerNode, rounds }: SimulationReport): number =>
    bytesPerNode.max / rounds.length / 1000;
  const row = (name: string, result: SimulationReport): SimulationReport => {
    report(summarize(`orchestrators/${name}/accuracy`, "%", [100 * result.accuracy]));
    report(summarize(`orchestrators/${name}/void-rounds`, "rounds", [result.void]));
    report(summarize(`orchestrators/${name}/bytes-per-node`, "kB", [perRoundOf(result)]));
    return result;
  };
  const compare = (name: string, flat: SimulationReport, tiered: SimulationReport): void => {
    const points = 100 * (flat.accuracy - tiered.accuracy);
    report(summarize(`orchestrators/${name}/below-flat`, "points", [points]));
    const fewer = perRoundOf(flat) / perRoundOf(tiered);
    report(summarize(`orchestrators/${name}/fewer-bytes-than-flat`, "times", [fewer]));
  };
  for (const attack of ["none", "sign-flip", "scaled", "label-flip"]) {
    const flat = row(`flat/n1000/${attack}`, run(flatOf(1000, { attack }), "prompt"));
    for (const zones of [10, 12]) {
      const name = `hierarchical/n1000-z${zones}/${attack}`;
      compare(name, flat, row(name, run(tieredOf(1000, zones, { attack }), "prompt")));
    }
    const sketched = `hierarchical/n1000-z10-sketched/${attack}`;
    const task = tieredOf(1000, 10, { attack });
    compare(sketched, flat, row(sketched, run(task, "prompt", { kernels: onSketches })));
    for (const packed of attack === "none" ? [] : [3, 4]) {
      const name = `hierarchical/n1000-z10-packed${packed}/${attack}`;
      const orchestrator = new PackedZones(task, packed);
      compare(name, flat, row(name, run(task, "prompt", { orchestrator })));
    }
  }
  const few = { rounds: 5 };
  const clean = { ...few, aggregator: "mean", attack: "none" };
  const flat = row("flat/n10000/mean-without-liars", run(flatOf(10_000, clean), "prompt"));
  for (const zones of [10, 100]) {
    const name = `hierarchical/n10000-z${zones}/sign-flip`;
    compare(name, flat, row(name, run(tieredOf(10_000, zones, few), "prompt")));
  }
}

/** What each way to share updates costs a node: arithmetic alone. */
export function bytesTable(report: Report): void {
  for (const participants of [1000, 10_000]) {
    for (const parameters of [10_000, 100_000]) bytes(report, { participants, parameters });
  }
}

/** Rules decide on sketches of the rows, and add up the rows: what a zone whose members fetch no whole updates of others would do. */
const noise = noiseLanes(new SeededRandom("bench/zones/sketch", 1));
const onSketches: VectorKernels = {
  ...kernels,
  gram: (rows) => kernels.gram(kernels.sketched(rows, noise)),
  squaredDistances: (rows) => kernels.squaredDistances(kernels.sketched(rows, noise)),
};

/** Of a packed zone. */
const PACKED_SHARE = 0.75;

/** What cannot happen where a beacon deals: the attacker puts three quarters of each of some zones. */
class PackedZones extends HierarchicalOrchestrator {
  readonly #liars: ReadonlySet<ParticipantId>;
  readonly #packed: number;

  constructor(task: TaskManifest, packed: number) {
    const { orchestrator, participants, byzantine, compression } = task;
    if (orchestrator.kind !== "hierarchical") throw new TypeError("the task has zones");
    super({ hash }, { ...orchestrator, participants, byzantine, compression });
    this.#packed = packed;
    this.#liars = new Set([...simulatedLiars(task)].map((i) => participants[i] ?? ""));
  }

  override zonesOf(beacon: string): ParticipantId[][] {
    const drawn = super.zonesOf(beacon);
    const all = drawn.flat();
    const liars = all.filter((id) => this.#liars.has(id));
    const honest = all.filter((id) => !this.#liars.has(id));
    return drawn.map(({ length }, zone) => {
      const left = drawn.slice(zone).reduce((sum, { length: size }) => sum + size, 0);
      const share = zone < this.#packed ? PACKED_SHARE : liars.length / left;
      const lying = liars.splice(0, Math.round(share * length));
      return [...lying, ...honest.splice(0, length - lying.length)].sort();
    });
  }
}

/**
 * Megabytes of updates that come to a node in a round, by ways that are built (flat, zones) and ways that are not: counted, the mean
 * over all nodes and the most of any. u is an update as int8, and so is a row of a zone and a certified step.
 */
function bytes(
  report: Report,
  { participants: n, parameters }: { readonly participants: number; readonly parameters: number },
): void {
  const u = compressedBytes({ kind: "int8" }, parameters);
  const flat = (n - 1) * u;
  const sketches = (n - 1) * 4 * SKETCH;
  const owners = 64;
  // Half of them honest but for one time in a million (5.1 of the reference).
  const committee = n === 1000 ? 115 : 129;
  // Inside a zone, where some may fail: more than three of ten do in 5e-10 of the rounds of 1,000, in 1.4e-9 of 10,000.
  const few = 49;
  const ways: Record<string, readonly [mean: number, most: number]> = {
    flat: [flat, flat],
    // The others take the committee's word for the step.
    committee: meanAndMost(committee, n, flat, u),
    // Everybody has a sketch of every update; 64 owners add up a slice each, of all updates; everybody fetches the slices.
    "sketch-then-linear": meanAndMost(owners, n, sketches + flat / owners + u, sketches + u),
  };
  for (const zones of [10, 12]) {
    const own = (Math.ceil(n / zones) - 1) * u;
    ways[`zones-${zones}`] = [own + (zones - 1) * u, own + (zones - 1) * u];
    // Some members of the zone, by turns, fetch its updates; the others their row.
    const members = Math.ceil(n / zones);
    const inside = meanAndMost(few, members, own, u);
    const rest = (zones - 1) * u;
    ways[`zones-${zones}-with-committees`] = [inside[0] + rest, inside[1] + rest];
    // In the zone everybody has a sketch of every update, some members add up each slice of the zone's row, and all fetch the slices.
    const sketched = (members - 1) * (4 * SKETCH + (few * u) / members) + u + rest;
    ways[`zones-${zones}-sketched`] = [sketched, sketched];
    // The least that tells a node what the other zones came to: the step, which somebody else computed.
    ways[`zones-${zones}-and-step`] = [own + u, own + u];
    // Which a committee did, and hands out as int4: nothing that is as safe takes fewer bytes.
    const above = meanAndMost(committee, n, (zones - 1) * u, u / 2);
    ways[`zones-${zones}-and-committee`] = [own + above[0], own + above[1]];
  }
  for (const [way, [mean, most]] of Object.entries(ways)) {
    const name = `orchestrators/bytes/n${n}-d${parameters}/${way}`;
    report(summarize(`${name}/mean`, "MB", [mean / 1e6]));
    report(summarize(`${name}/most`, "MB", [most / 1e6]));
    report(summarize(`${name}/fewer-than-flat`, "times", [flat / mean]));
  }
}

function meanAndMost(few: number, n: number, each: number, rest: number): [number, number] {
  return [(few * each + (n - few) * rest) / n, each];
}
