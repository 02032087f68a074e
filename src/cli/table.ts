// Aligned tables and coloured text for a terminal. Text from the network is made harmless here:
// a control character never reaches the terminal.

/** Colours by meaning. */
export type Tone = "plain" | "dim" | "bold" | "good" | "warn" | "bad";

/** A cell: its text and how it looks. */
export interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** A column: its heading and on which side its cells stand. */
export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
  /** Longer texts are cut, with an ellipsis. @default 64 */
  readonly widthMax?: number;
  /** Of the last column: what the line has no room for goes on in the next, between two words. @default cut */
  readonly wraps?: boolean;
}

const toneCode: Readonly<Record<Tone, string>> = {
  plain: "",
  dim: "2",
  bold: "1",
  good: "32",
  warn: "33",
  bad: "31",
};

const gap = "  ";
const defaultWidthMax = 64;
/** In a narrower column nobody can read: it is cut. */
const WRAPPED_WIDTH_MIN = 20;

/** A cell; without a tone it is plain. */
export function cell(text: string, tone: Tone = "plain"): Cell {
  return { text, tone };
}

/** Text in a tone; the same text when colours are off. */
export function paint(text: string, tone: Tone, colours: boolean): string {
  return colours && tone !== "plain" ? `\u001b[${toneCode[tone]}m${text}\u001b[0m` : text;
}

/** One line without control or direction-changing characters, cut to `widthMax` characters. */
export function plainText(text: string, widthMax: number = defaultWidthMax): string {
  const harmless = text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu, "·");
  const characters = Array.from(harmless);
  return characters.length <= widthMax
    ? harmless
    : `${characters.slice(0, widthMax - 1).join("")}…`;
}

/**
 * Rows under their headings, each line indented by two spaces and cut at `columnsMax` characters, or wrapped there.
 * A row may have fewer cells than there are columns. Every line ends with a newline.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { colours, columns: columnsMax }: { readonly colours: boolean; readonly columns: number },
): string {
  const head = columns.map(({ head: text }) => cell(text, "dim"));
  const lines = [head, ...rows].map((row) =>
    columns.map(({ widthMax }, index) => {
      const { text, tone } = row[index] ?? cell("");
      return cell(plainText(text, widthMax), tone);
    }),
  );
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index]))));
  return lines
    .map((line) => fitLine(line, columns, widths, columnsMax, colours))
    .map((line) => `${line}\n`)
    .join("");
}

/** Pads first and colours last, so that escape codes never count as width. */
function fitLine(
  line: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
  columnsMax: number,
  colours: boolean,
): string {
  let room = columnsMax;
  let text = "";
  for (const [index, { text: content, tone }] of line.entries()) {
    const width = widths[index] ?? 0;
    const padding = " ".repeat(width - lengthOf(line[index]));
    const isLast = index === line.length - 1;
    const padded =
      columns[index]?.align === "right" ? padding + content : content + (isLast ? "" : padding);
    room -= gap.length;
    if (room <= 0) break;
    if (isLast && columns[index]?.wraps === true && room >= WRAPPED_WIDTH_MIN) {
      const indent = `\n${" ".repeat(columnsMax - room)}`;
      const pieces = wrapped(content, room).map((piece) =>
        paint(plainText(piece, room), tone, colours),
      );
      return text + gap + pieces.join(indent);
    }
    text += gap + paint(plainText(padded, room), tone, colours);
    room -= width;
  }
  return text.trimEnd();
}

/** Lines of at most `width` characters; a word that is longer has a line of its own. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (Array.from(longer).length <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
  }
  return [...lines, line];
}

function lengthOf(content: Cell | undefined): number {
  return Array.from(content?.text ?? "").length;
}

/**
 * Lines of `name  value`, the names aligned. Values may be long and are not cut: they go on under their beginning, between two
 * words, where a line would have more than `columnsMax` characters.
 */
export function renderFields(
  fields: readonly (readonly [string, Cell])[],
  colours: boolean,
  columnsMax: number = Infinity,
): string {
  const width = Math.max(0, ...fields.map(([name]) => name.length));
  const indent = gap.length + width + gap.length;
  return fields
    .map(([name, { text, tone }]) => {
      const lines = wrapped(plainText(text, Infinity), columnsMax - indent);
      const value = lines.map((line) => paint(line, tone, colours));
      const head = `${gap}${paint(name.padEnd(width), "dim", colours)}${gap}`;
      return `${head}${value.join(`\n${" ".repeat(indent)}`)}\n`;
    })
    .join("");
}

/** A bar of `width` characters filled to `ratio` of [0, 1]. */
export function renderBar(ratio: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, ratio)) * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}
