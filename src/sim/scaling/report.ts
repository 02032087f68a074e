// The scaling report as Markdown: what was measured, the laws through it, what they were worth at sizes held out, and what they say of
// a size that nobody ran.

import { fitCostLaw, heldOut, predict } from "./cost-law.ts";
import { type Cost, costs, inUnit, pointsOf } from "./costs.ts";
import type { SizeResult } from "./measure.ts";

/** What the report says of its making. */
export interface ReportContext {
  readonly command: string;
  readonly commit: string;
  readonly seed: number;
  readonly lossRatio: number;
  readonly predictedNodes: number;
}

/** The exponent that zones of the order of √N members claim. */
const CLAIMED_EXPONENT = 0.5;

/** The text of docs/scaling.md. */
export function scalingReport(results: readonly SizeResult[], context: ReportContext): string {
  return [
    "# What a node costs as the mesh grows",
    "",
    `Made by \`${context.command}\` on commit ${context.commit}, seed ${context.seed}: steady state, ${percent(context.lossRatio)} loss on`,
    "every hop, automatic zones, crypto modelled (signatures cost nothing; heartbeats are hashed as in production).",
    "Traffic is on the model of `src/sim/wire-sizes.ts`, each byte counted at its sender. CPU is the thread's time in the nodes' own",
    "code, sampled; memory is the heap of the whole simulation divided by its nodes, after a collection. The mesh was up before: nodes",
    "start in the zone that a mesh of this size has them in. A message is parsed and a gateway's rank computed once for all nodes, and a",
    "hash chain is no longer than the run. As zones halve and double, the law is one of steps: up to 1,024 nodes zones have at least 16 members, so sizes below say",
    "nothing of the root; above, those of a mesh that has grown have 0.37 to 0.75 √N, wherever the size lies between two steps: 0.70 at",
    "2,000 nodes, 0.39 at 10,000. See [zones](zones.md).",
    "",
    ...earlierNotes(results),
    "![Cost of a node by the size of the mesh](scaling.svg)",
    "",
    "## Measured, per node",
    "",
    ...table(
      [
        ...["nodes", "zones", "sent", "received", "frames", "CPU", "memory"],
        ...["seen alive", "false deaths", "virtual", "wall", "host CPU"],
      ],
      results.map(measuredRow),
    ),
    "",
    "Where the bytes go, without acknowledgements:",
    "",
    ...table(
      [
        "nodes",
        "heartbeats",
        "state beacons, summaries",
        "IHAVE",
        "IWANT",
        "probes, identities, pulls",
      ],
      results.map(({ nodes, perNode: { bytesPerSecondOf: of } }) => [
        String(nodes),
        ...[of.small, of.large, of.offer, of.want, of.direct].map((rate) =>
          inUnit(rate, { unit: "B/s" }),
        ),
      ]),
    ),
    "",
    `## Laws, and ${context.predictedNodes.toLocaleString("en")} nodes`,
    "",
    "cost = factor · N^exponent, least squares on logarithms, 95 % intervals. The prediction's interval is the wider of the law's",
    "own and the worst miss at a size that was held out.",
    "",
    ...table(
      ["cost", "exponent", "explained", "held out", "predicted", "95 %"],
      costs.map((cost) => lawRow(cost, results, context.predictedNodes)),
    ),
    "",
    ...costs.map((cost) => `- ${verdict(cost, results)}`),
    "",
    "## Replay",
    "",
    "The same seed gives the same trace on every machine:",
    "",
    ...results.map(({ nodes, traceDigest }) => `- ${nodes} nodes: \`${traceDigest}\``),
    "",
  ].join("\n");
}

/** A size that was measured sooner than others looks dearer: zones still tell one another of their first links. */
function earlierNotes(results: readonly SizeResult[]): string[] {
  const fromOf = (result: SizeResult): number => result.virtualSeconds - result.measuredSeconds;
  const latest = Math.max(...results.map(fromOf));
  return results
    .filter((result) => fromOf(result) < latest)
    .flatMap((result) => [
      `${result.nodes} nodes are measured from second ${fromOf(result)} on, others from ${latest}: zones then still tell one another of their first links, so this size looks dearer.`,
      "",
    ]);
}

function measuredRow(result: SizeResult): string[] {
  const { perNode } = result;
  return [
    String(result.nodes),
    String(result.zones),
    ...[perNode.bytesPerSecond, perNode.receivedBytesPerSecond].map((rate) =>
      inUnit(rate, { unit: "B/s" }),
    ),
    ...costs.slice(1).map((cost) => inUnit(perNode[cost.key], cost)),
    percent(result.aliveShare),
    String(result.falseDeaths),
    ...[result.virtualSeconds, result.wallSeconds, result.hostCpuSeconds].map(
      (seconds) => `${seconds.toFixed(0)} s`,
    ),
  ];
}

function lawRow(cost: Cost, results: readonly SizeResult[], nodes: number): string[] {
  const points = pointsOf(cost, results);
  const law = fitCostLaw(points);
  const { cost: predicted, low, high } = predict(points, nodes);
  const misses = heldOut(points).map(
    (held) => `${held.nodes}: ${signedPercent(held.predicted / held.measured - 1)}`,
  );
  return [
    cost.title,
    interval(law.exponent, law.exponentError),
    percent(law.explained),
    misses.join(", "),
    inUnit(predicted, cost),
    `${inUnit(low, cost)} – ${inUnit(high, cost)}`,
  ];
}

/** Whether the claim of √N holds for a cost. */
function verdict(cost: Cost, results: readonly SizeResult[]): string {
  const { exponent, exponentError } = fitCostLaw(pointsOf(cost, results));
  const grows = `${cost.title} grows as N^${interval(exponent, exponentError)}`;
  if (exponent - exponentError > CLAIMED_EXPONENT) {
    return `${grows}: faster than the O(√N) claimed.`;
  }
  if (exponent + exponentError <= CLAIMED_EXPONENT)
    return `${grows}: within the O(√N) claimed, over these sizes.`;
  return `${grows}: the interval holds 0.5, so O(√N) is neither shown nor refuted.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

function interval(value: number, error: number): string {
  return Number.isFinite(error) ? `${value.toFixed(2)} ± ${error.toFixed(2)}` : value.toFixed(2);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signedPercent(share: number): string {
  return `${share < 0 ? "−" : "+"}${(100 * Math.abs(share)).toFixed(0)} %`;
}
