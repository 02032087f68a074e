// Convergence curves as one self-contained SVG: accuracy above, loss below, a line a run. Colours follow the reader's light
// or dark setting; lines differ in dashes, too, so that they can be told apart without colours.

/** One run. */
export interface Curve {
  readonly label: string;
  readonly points: readonly {
    readonly round: number;
    readonly loss: number | null;
    readonly accuracy: number | null;
  }[];
}

/** Runs in one picture: as many as there are colours. */
export const CURVES_MAX = 8;

const WIDTH = 860;
const MARGIN = { left: 64, right: 24, top: 44 } as const;
const PANEL_HEIGHT = 220;
const PANEL_GAP = 56;
const LEGEND_LINE = 22;
const LABEL_CHARACTERS_MAX = 90;

/** Colours that stay apart for colour-blind readers (after Okabe and Ito): on light ground, on dark ground. */
const colours: readonly (readonly [light: string, dark: string])[] = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#ff8c42"],
  ["#00805f", "#2fc99b"],
  ["#a8437f", "#e89ac7"],
  ["#8a6d00", "#f0d442"],
  ["#5b4bb5", "#a79bf5"],
  ["#b22222", "#ff7b7b"],
  ["#555555", "#c0c0c0"],
];
const dashes = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 4", "1 4", "9 3 2 3 2 3"];

/** A loss below counts as this much: a logarithmic axis has no zero. */
const LOSS_LEAST = 1e-6;

interface Scale {
  readonly ticks: readonly number[];
  /** Where a value stands: 0 at the bottom, 1 at the top. */
  readonly ratioOf: (value: number) => number;
}

interface Panel {
  readonly title: string;
  readonly top: number;
  readonly valueOf: (point: Curve["points"][number]) => number | null;
  readonly scale: Scale;
  readonly textOf: (value: number) => string;
}

/** The picture. 1 to {@link CURVES_MAX} curves. */
export function drawCurves(title: string, curves: readonly Curve[]): string {
  const rounds = Math.max(1, ...curves.flatMap(({ points }) => points.map(({ round }) => round)));
  const values = curves.flatMap(({ points }) => points.flatMap(({ loss }) => loss ?? []));
  const panels: readonly Panel[] = [
    {
      title: "accuracy on the test samples",
      top: MARGIN.top,
      valueOf: ({ accuracy }) => accuracy,
      scale: { ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], ratioOf: (value) => value },
      textOf: (value) => `${Math.round(100 * value)} %`,
    },
    {
      title: "loss on the test samples (log)",
      top: MARGIN.top + PANEL_HEIGHT + PANEL_GAP,
      valueOf: ({ loss }) => loss,
      scale: lossScale(values),
      textOf: (value) => String(value),
    },
  ];
  const legendTop = MARGIN.top + 2 * (PANEL_HEIGHT + PANEL_GAP) + 10;
  const height = legendTop + curves.length * LEGEND_LINE + 8;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}">
<style>${styles(curves.length)}</style>
<rect class="ground" width="${WIDTH}" height="${height}"/>
<text class="title" x="${MARGIN.left}" y="24">${escapeText(title)}</text>
${panels.map((panel) => drawPanel(panel, curves, rounds)).join("\n")}
${curves.map(({ label }, i) => drawKey(label, i, legendTop + i * LEGEND_LINE)).join("\n")}
</svg>
`;
}

function styles(count: number): string {
  const lines = (shade: 0 | 1): string =>
    colours
      .slice(0, count)
      .map((pair, i) => `.run${i}{stroke:${pair[shade]}}`)
      .join("");
  const dashed = dashes
    .slice(0, count)
    .map((dash, i) => (dash === "" ? "" : `.run${i}{stroke-dasharray:${dash}}`))
    .join("");
  return (
    ".ground{fill:#fff}text{fill:#222;font:13px system-ui,sans-serif}.title{font-size:16px;font-weight:600}" +
    ".tick{font-size:12px;fill:#555}.grid{stroke:#ddd}.axis{stroke:#888}.run{fill:none;stroke-width:2;stroke-linejoin:round}.dot{stroke-dasharray:none!important}" +
    lines(0) +
    dashed +
    "@media(prefers-color-scheme:dark){.ground{fill:#16181d}text{fill:#e8e8e8}.tick{fill:#aaa}.grid{stroke:#333842}.axis{stroke:#777}" +
    `${lines(1)}}`
  );
}

function drawPanel(panel: Panel, curves: readonly Curve[], rounds: number): string {
  const { top, scale, title, textOf } = panel;
  const right = WIDTH - MARGIN.right;
  const bottom = top + PANEL_HEIGHT;
  const xOf = (round: number): number =>
    MARGIN.left + ((right - MARGIN.left) * (round - 1)) / Math.max(1, rounds - 1);
  const yOf = (value: number): number => bottom - PANEL_HEIGHT * scale.ratioOf(value);
  const grid = scale.ticks.map((value) => {
    const y = fixed(yOf(value));
    return `<line class="grid" x1="${MARGIN.left}" x2="${right}" y1="${y}" y2="${y}"/><text class="tick" x="${MARGIN.left - 8}" y="${y}" dy="4" text-anchor="end">${textOf(value)}</text>`;
  });
  const marks = roundTicks(rounds).map(
    (round) =>
      `<text class="tick" x="${fixed(xOf(round))}" y="${bottom + 18}" text-anchor="middle">${round}</text>`,
  );
  const lines = curves.map(({ points }, i) => {
    const drawn = points.flatMap((point) => {
      const value = panel.valueOf(point);
      return value === null ? [] : [`${fixed(xOf(point.round))},${fixed(yOf(value))}`];
    });
    if (drawn.length === 1) return dot(drawn[0] ?? "", i);
    return `<polyline class="run run${i}" points="${drawn.join(" ")}"/>`;
  });
  return `<g>
${grid.join("\n")}
<line class="axis" x1="${MARGIN.left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
${marks.join("\n")}
<text x="${(MARGIN.left + right) / 2}" y="${bottom + 36}" text-anchor="middle">round</text>
<text x="${-(top + bottom) / 2}" y="16" transform="rotate(-90)" text-anchor="middle">${title}</text>
${lines.join("\n")}
</g>`;
}

/** A run of one round is a point. */
function dot(place: string, run: number): string {
  const [x, y] = place.split(",");
  return `<circle class="run run${run} dot" cx="${x ?? ""}" cy="${y ?? ""}" r="3"/>`;
}

function drawKey(label: string, run: number, y: number): string {
  const text =
    label.length > LABEL_CHARACTERS_MAX ? `${label.slice(0, LABEL_CHARACTERS_MAX - 1)}…` : label;
  return `<line class="run run${run}" x1="${MARGIN.left}" x2="${MARGIN.left + 36}" y1="${y}" y2="${y}"/><text x="${MARGIN.left + 46}" y="${y}" dy="4">${escapeText(text)}</text>`;
}

/** Where a loss stands on its logarithmic axis: one run that goes astray must not flatten the others. */
function lossScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > LOSS_LEAST);
  const least = Math.min(1, ...positive) / 1.1;
  const most = Math.max(2 * least, ...positive) * 1.1;
  const span = Math.log(most / least);
  const marks = span > Math.log(1000) ? [1] : [1, 2, 5];
  const ticks = Array.from({ length: 400 }, (_, i) => i - 200).flatMap((power) =>
    marks.map((mark) => Number(`${mark}e${power}`)),
  );
  return {
    ticks: ticks.filter((value) => value >= least && value <= most),
    ratioOf: (value) => Math.max(0, Math.log(Math.max(value, LOSS_LEAST) / least) / span),
  };
}

/** At most ten round numbers from 1 to the last. */
function roundTicks(rounds: number): number[] {
  const step =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((size) => rounds / size <= 10) ?? 2000;
  const inner = Array.from({ length: Math.floor(rounds / step) }, (_, i) => (i + 1) * step);
  return [...new Set([1, ...inner])];
}

function fixed(value: number): string {
  return value.toFixed(1);
}

/** Text for XML: its own characters escaped, others than printable ones left out. */
function escapeText(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
