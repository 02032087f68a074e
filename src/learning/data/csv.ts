// Samples from CSV (RFC 4180 without line breaks inside cells): a header line, one label column, the rest numbers. Strict:
// a cell that is missing or no number stops the reading with its line and column, since a guessed value would silently
// teach every node something else.

import { MeshError } from "../../foundation/index.ts";
import { SeededRandom } from "../seeded.ts";
import { type Dataset, selectSamples, type SplitDataset } from "./dataset.ts";

/** Limits of a file: 64 Mi characters, 4096 columns, 1000 classes, 16 Mi cells. */
export const CSV_CHARACTERS_MAX = 64 * 1024 * 1024;
export const CSV_COLUMNS_MAX = 4096;
export const CSV_CLASSES_MAX = 1000;
export const CSV_CELLS_MAX = 16 * 1024 * 1024;

/** A parsed file. */
export interface CsvData {
  /** Features scaled to 0..1 per column: (value - min) / (max - min) over the whole file; a constant column is 0. */
  readonly data: Dataset;
  /** Names of the feature columns, in order. */
  readonly columns: readonly string[];
  /** Label texts; the index is the class. Ascending as numbers when all are numbers, else as text. */
  readonly labels: readonly string[];
}

/**
 * Parses a file. Every node that holds the same bytes gets the same numbers: scaling uses the whole file, not a shard.
 * @throws MeshError `learning/bad-csv` with `line` (1 = header), `column` and `value` where they apply;
 *   `learning/too-large` beyond a limit
 */
export function parseCsv(text: string, labelColumn: string): CsvData {
  if (text.length > CSV_CHARACTERS_MAX)
    throw tooLarge("characters", text.length, CSV_CHARACTERS_MAX);
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  while (lines.at(-1) === "") lines.pop();
  const header = splitLine(lines[0] ?? "", 1);
  const labelAt = checkHeader(header, labelColumn);
  const dimensions = header.length - 1;
  const count = lines.length - 1;
  if (count * dimensions > CSV_CELLS_MAX)
    throw tooLarge("cells", count * dimensions, CSV_CELLS_MAX);
  if (count < 2)
    throw badCsv("Cannot train on a CSV file with fewer than 2 data lines. Add samples.", {});
  const features = new Float32Array(count * dimensions);
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const line = i + 2;
    const cells = splitLine(lines[i + 1] ?? "", line);
    checkWidth(cells, header.length, line);
    texts.push(readLabel(cells[labelAt] ?? "", labelColumn, line));
    let at = i * dimensions;
    cells.forEach((cell, c) => {
      if (c !== labelAt) features[at++] = readNumber(cell, header[c] ?? "", line);
    });
  }
  scaleColumns(features, dimensions);
  const labels = distinctLabels(texts);
  const classOf = new Map(labels.map((label, index) => [label, index]));
  const data: Dataset = {
    count,
    dimensions,
    classes: labels.length,
    features,
    labels: Uint16Array.from(texts, (label) => classOf.get(label) ?? 0),
  };
  return { data, columns: header.filter((_, c) => c !== labelAt), labels };
}

/**
 * Draws `testSamples` samples for testing, the rest for training.
 * @throws MeshError `learning/bad-data` unless both parts get at least one sample
 */
export function splitTrainTest(data: Dataset, testSamples: number, seed: number): SplitDataset {
  if (!Number.isSafeInteger(testSamples) || testSamples < 1 || testSamples >= data.count) {
    throw new MeshError(
      "learning/bad-data",
      `Cannot take ${testSamples} of ${data.count} samples for testing: the number must be 1 to ${data.count - 1}.`,
      { testSamples, samples: data.count },
    );
  }
  const order = Array.from({ length: data.count }, (_, i) => i);
  new SeededRandom("split", seed).shuffle(order);
  return {
    train: selectSamples(data, order.slice(testSamples)),
    test: selectSamples(data, order.slice(0, testSamples)),
  };
}

function checkHeader(header: readonly string[], labelColumn: string): number {
  if (header.length > CSV_COLUMNS_MAX) throw tooLarge("columns", header.length, CSV_COLUMNS_MAX);
  const doubled = header.find((name, i) => header.indexOf(name) !== i);
  if (doubled !== undefined || header.includes("")) {
    throw badCsv(
      `Cannot read the CSV header: column '${doubled ?? ""}' ${doubled ? "stands twice" : "has no name"}. ` +
        "Give every column one name of its own.",
      { line: 1, column: doubled ?? "" },
    );
  }
  const labelAt = header.indexOf(labelColumn);
  if (labelAt < 0 || header.length < 2) {
    throw badCsv(
      `Cannot find label column '${labelColumn}' beside feature columns in the CSV header '${shown(header.join(","))}'. ` +
        "Name the column that holds the class.",
      { line: 1, column: labelColumn },
    );
  }
  return labelAt;
}

function checkWidth(cells: readonly string[], width: number, line: number): void {
  if (cells.length === width) return;
  throw badCsv(
    `Cannot read line ${line} of the CSV file: it has ${cells.length} cells where the header has ${width}. ` +
      "Complete the line or remove it.",
    { line, cells: cells.length, expected: width },
  );
}

/** The cells of a line, quotes resolved. */
function splitLine(text: string, line: number): string[] {
  if (!text.includes('"')) return text.split(",").map((cell) => cell.trim());
  const cells: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(,|$)/y;
  for (;;) {
    const match = pattern.exec(text);
    if (match === null) {
      throw badCsv(
        `Cannot read line ${line} of the CSV file: its quotes do not pair around whole cells. Quote the cell, double inner quotes.`,
        { line },
      );
    }
    cells.push(match[1]?.replaceAll('""', '"') ?? (match[2] ?? "").trim());
    if (match[3] === "") return cells;
  }
}

function readLabel(cell: string, column: string, line: number): string {
  if (cell !== "") return cell;
  throw badCsv(
    `Cannot read the label in line ${line}, column '${column}': the cell is empty. Fill it or remove the line.`,
    {
      line,
      column,
      value: "",
    },
  );
}

function readNumber(cell: string, column: string, line: number): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(cell)
    ? Math.fround(Number(cell))
    : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw badCsv(
    `Cannot read line ${line}, column '${column}' of the CSV file as a number: current value is '${shown(cell)}'. ` +
      "Write a finite decimal number, or remove the line or the column.",
    { line, column, value: shown(cell) },
  );
}

function scaleColumns(features: Float32Array, dimensions: number): void {
  for (let c = 0; c < dimensions; c++) {
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let at = c; at < features.length; at += dimensions) {
      least = Math.min(least, features[at] as number);
      most = Math.max(most, features[at] as number);
    }
    const range = most - least || 1;
    for (let at = c; at < features.length; at += dimensions) {
      features[at] = ((features[at] as number) - least) / range;
    }
  }
}

function distinctLabels(texts: readonly string[]): string[] {
  const distinct = [...new Set(texts)];
  if (distinct.length < 2 || distinct.length > CSV_CLASSES_MAX) {
    throw badCsv(
      `Cannot train on ${distinct.length} classes: the label column must hold 2 to ${CSV_CLASSES_MAX} different values. ` +
        "Check which column holds the class.",
      { classes: distinct.length },
    );
  }
  const numeric = distinct.every((label) => Number.isFinite(Number(label)));
  return distinct.sort((a, b) => (numeric && Number(a) - Number(b)) || (a < b ? -1 : 1));
}

/** What of a file may stand in a message. */
function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function badCsv(message: string, details: Record<string, string | number>): MeshError {
  return new MeshError("learning/bad-csv", message, details);
}

function tooLarge(what: string, value: number, limit: number): MeshError {
  return new MeshError(
    "learning/too-large",
    `Cannot read the CSV file: ${value} ${what} are more than the limit of ${limit}. Train on a part of it.`,
    { value, limit },
  );
}
