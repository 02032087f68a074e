// Accuracies as a heat-map in one self-contained SVG, equal for equal cells: a panel for each kind of data, a line a rule, a column
// an attack. Numbers stand in the cells, so nobody needs the colours; what is around them follows the reader's light or dark setting.

import { type Cell, columns, type Grid } from "./grid.ts";

const CELL = { width: 68, height: 30 } as const;
const LABEL_WIDTH = 212;
const MARGIN = 16;
const PANEL_HEAD = 66;
const FOOT = 52;
/** Colours at accuracies, straight lines between them: wine over sand to blue, which stay apart for colour-blind readers. */
const scale: readonly (readonly [accuracy: number, colour: readonly [number, number, number]])[] = [
  [0, [96, 20, 51]],
  [30, [150, 45, 60]],
  [60, [217, 119, 70]],
  [80, [244, 222, 168]],
  [90, [158, 200, 224]],
  [96, [40, 113, 176]],
  [100, [20, 70, 130]],
];
const LIGHT_TEXT_BELOW = 0.5;

/** The picture of the grids, one below the other. */
export function heatMap(title: string, grids: readonly Grid[]): string {
  const width = 2 * MARGIN + LABEL_WIDTH + columns.length * CELL.width;
  let top = MARGIN + 24;
  const panels = grids.map((grid) => {
    const drawn = panel(grid, top);
    top += PANEL_HEAD + grid.lines.length * CELL.height + 20;
    return drawn;
  });
  const height = top + FOOT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}">`,
    "<style>.ground{fill:#fff}text{fill:#222;font:13px system-ui,sans-serif}.title{font-size:16px;font-weight:600}.head{font-size:12px;fill:#555}",
    ".none{fill:#f0f0f0}.strong{font-weight:600}.dark{fill:#161616}.light{fill:#fff}",
    "@media(prefers-color-scheme:dark){.ground{fill:#16181d}text{fill:#e8e8e8}.head{fill:#aaa}.none{fill:#262a32}.dark{fill:#161616}.light{fill:#fff}}</style>",
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="title" x="${MARGIN}" y="${MARGIN + 10}">${title}</text>`,
    ...panels,
    legend(top + 8),
    "</svg>\n",
  ].join("\n");
}

function panel({ title, lines }: Grid, top: number): string {
  const left = MARGIN + LABEL_WIDTH;
  const heads = columns.map((column, i) => {
    const x = left + i * CELL.width + CELL.width / 2;
    const words = column.split("-");
    return words.map(
      (word, k) =>
        `<text class="head" x="${x}" y="${top + 46 + 14 * (k - words.length + 1) + 8}" text-anchor="middle">${word}</text>`,
    );
  });
  const rows = lines.map(({ name, cells }, line) => {
    const y = top + PANEL_HEAD + line * CELL.height;
    return [
      `<text x="${left - 10}" y="${y + 20}" text-anchor="end">${name}</text>`,
      ...cells.map((cell, i) => square(cell, left + i * CELL.width, y)),
    ].join("\n");
  });
  return [
    `<text class="strong" x="${MARGIN}" y="${top + 18}">${title}</text>`,
    ...heads.flat(),
    ...rows,
  ].join("\n");
}

function square(cell: Cell | undefined, x: number, y: number): string {
  const [width, height] = [CELL.width - 2, CELL.height - 2];
  const place = `x="${x}" y="${y}" width="${width}" height="${height}" rx="3"`;
  if (cell === undefined) return `<rect class="none" ${place}/>`;
  const colour = colourOf(cell.accuracy);
  const ink = brightness(colour) < LIGHT_TEXT_BELOW ? "light" : "dark";
  return (
    `<rect fill="rgb(${colour.join()})" ${place}/>` +
    `<text class="${ink}" x="${x + width / 2}" y="${y + 19}" text-anchor="middle">${cell.accuracy.toFixed(1)}</text>`
  );
}

function legend(top: number): string {
  const left = MARGIN + LABEL_WIDTH;
  const steps = Array.from({ length: 21 }, (_, i) => 5 * i);
  const squares = steps.map(
    (accuracy, i) =>
      `<rect fill="rgb(${colourOf(accuracy).join()})" x="${left + 20 * i}" y="${top}" width="20" height="12"/>`,
  );
  const marks = [0, 20, 40, 60, 80, 100].map(
    (accuracy) =>
      `<text class="head" x="${left + 4 * accuracy + 10}" y="${top + 28}" text-anchor="middle">${accuracy} %</text>`,
  );
  return [
    `<text class="head" x="${left - 10}" y="${top + 11}" text-anchor="end">accuracy</text>`,
    ...squares,
    ...marks,
  ].join("\n");
}

type Colour = readonly [number, number, number];

function colourOf(accuracy: number): Colour {
  const above = scale.findIndex(([at]) => at >= accuracy);
  const [to, high] = scale[above] as (typeof scale)[number];
  const [from, low] = scale[Math.max(0, above - 1)] as (typeof scale)[number];
  const part = to === from ? 0 : (accuracy - from) / (to - from);
  const mix = (i: 0 | 1 | 2): number => Math.round(low[i] + part * (high[i] - low[i]));
  return [mix(0), mix(1), mix(2)];
}

/** 0 black, 1 white, roughly as eyes weigh the colours. */
function brightness([red, green, blue]: Colour): number {
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
}
