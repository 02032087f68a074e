// The picture of the scaling report: one panel a cost, both axes logarithmic, measured sizes as dots, the fitted law as a line, and
// the prediction with its error bar.

import { fitCostLaw, predict } from "./cost-law.ts";
import { type Cost, costs, human, pointsOf } from "./costs.ts";
import type { SizeResult } from "./measure.ts";

const PANEL = { width: 460, height: 330, left: 78, right: 22, top: 46, bottom: 54 } as const;
const COLUMNS = 2;
const INK = { axis: "#444", grid: "#ddd", measured: "#1f5fa8", law: "#c2571a", text: "#222" };

/** The SVG of the results, with a prediction for `predictedNodes`. */
export function scalingChart(results: readonly SizeResult[], predictedNodes: number): string {
  const rows = Math.ceil(costs.length / COLUMNS);
  const [width, height] = [COLUMNS * PANEL.width, rows * PANEL.height];
  const panels = costs.map((cost, i) => {
    const [x, y] = [(i % COLUMNS) * PANEL.width, Math.floor(i / COLUMNS) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${panel(cost, results, predictedNodes)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="${INK.text}">`,
    `<title>Cost of a node by the size of the mesh</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panels,
    `</svg>\n`,
  ].join("\n");
}

function panel(cost: Cost, results: readonly SizeResult[], predictedNodes: number): string {
  const points = pointsOf(cost, results);
  const law = fitCostLaw(points);
  const prediction = predict(points, predictedNodes);
  const sizes = points.map(({ nodes }) => nodes);
  const x = axis(Math.min(...sizes), predictedNodes, PANEL.left, PANEL.width - PANEL.right);
  // A bar that is wider than the panel is cut at its edge rather than flattening everything else.
  const ceiling = Math.min(prediction.high, prediction.cost * 10);
  const floor = Math.max(prediction.low, prediction.cost / 10);
  const y = axis(
    Math.min(floor, ...points.map((point) => point.cost)),
    Math.max(ceiling, ...points.map((point) => point.cost)),
    PANEL.height - PANEL.bottom,
    PANEL.top,
  );
  const right = x.at(predictedNodes);
  const first = Math.min(...sizes);
  const error = Number.isFinite(law.exponentError) ? ` ± ${law.exponentError.toFixed(2)}` : "";
  return [
    ...x.ticks.map((n) => gridLine(x.at(n), y.start, x.at(n), y.end)),
    ...y.ticks.map((n) => gridLine(x.start, y.at(n), x.end, y.at(n))),
    `<path d="M${x.start} ${y.end}V${y.start}H${x.end}" fill="none" stroke="${INK.axis}"/>`,
    ...x.ticks.map((n) => label(x.at(n), y.start + 18, "middle", human(n))),
    ...y.ticks.map((n) => label(x.start - 6, y.at(n) + 4, "end", human(n))),
    label((x.start + x.end) / 2, PANEL.height - 12, "middle", "nodes in the mesh"),
    `<text transform="translate(16 ${(y.start + y.end) / 2}) rotate(-90)" text-anchor="middle">${cost.unit === "/s" ? "frames/s" : cost.unit} per node</text>`,
    `<text x="${x.start}" y="22" font-weight="bold">${cost.title}</text>`,
    `<text x="${x.end}" y="38" text-anchor="end"><tspan fill="${INK.measured}">● measured</tspan> ` +
      `<tspan fill="${INK.law}">╌ law ○ predicted, 95 %</tspan></text>`,
    label(x.start, 38, "start", `∝ N^${law.exponent.toFixed(2)}${error}`),
    `<path d="M${x.at(first)} ${y.at(law.at(first))}L${right} ${y.at(law.at(predictedNodes))}" stroke="${INK.law}" stroke-dasharray="6 4" fill="none"/>`,
    `<path d="M${right} ${y.at(floor)}V${y.at(ceiling)}M${right - 5} ${y.at(floor)}h10M${right - 5} ${y.at(ceiling)}h10" stroke="${INK.law}" fill="none"/>`,
    `<circle cx="${right}" cy="${y.at(prediction.cost)}" r="4" fill="#fff" stroke="${INK.law}" stroke-width="2"/>`,
    ...points.map(
      ({ nodes, cost: value }) =>
        `<circle cx="${x.at(nodes)}" cy="${y.at(value)}" r="4" fill="${INK.measured}"/>`,
    ),
  ].join("\n");
}

interface Axis {
  readonly start: number;
  readonly end: number;
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** A logarithmic axis from `low` to `high` between two pixels, widened to the ticks around them. */
function axis(low: number, high: number, start: number, end: number): Axis {
  const all: number[] = [];
  for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++) {
    all.push(10 ** decade, 2 * 10 ** decade, 5 * 10 ** decade);
  }
  const from = Math.max(...all.filter((tick) => tick <= low));
  const to = Math.min(...all.filter((tick) => tick >= high));
  const inside = all.filter((tick) => tick >= from && tick <= to);
  const tens = inside.filter((tick) => Number.isInteger(Math.log10(tick)));
  const scale = (end - start) / (Math.log10(to) - Math.log10(from));
  return {
    start,
    end,
    ticks: tens.length >= 3 ? tens : inside,
    at: (value) => round(start + (Math.log10(value) - Math.log10(from)) * scale),
  };
}

function gridLine(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${INK.grid}"/>`;
}

function label(x: number, y: number, anchor: string, text: string): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
