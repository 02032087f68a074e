// YAML that people write: bounded before it is parsed, plain, and with the line of every value for whoever finds fault with one.
// Not among the room's exports: they are in every program, and few of these read YAML.

import { LineCounter, parseDocument } from "yaml";
import { utf8Bytes } from "./bytes.ts";
import { errorMessage } from "./errors.ts";

export interface YamlLimits {
  readonly bytesMax: number;
  /** Aliases that may be expanded: few bytes may stand for many. */
  readonly aliasesMax: number;
}

/** What makes a text no YAML that can be used. */
export interface YamlFaults {
  /** Too long; not well formed, or with tags that would change what a value means; too many aliases or levels. */
  readonly kind: "too-long" | "malformed" | "too-deep";
  /** At least one; 1-based lines, `null` where the fault has none. */
  readonly faults: readonly { readonly message: string; readonly line: number | null }[];
}

/** A path to a value: names of mappings and indices of sequences. */
export type YamlPath = readonly PropertyKey[];

/** What a file says, unchecked. */
export interface YamlFile {
  /** `null` of an empty text. */
  readonly value: unknown;
  /** The 1-based line of the value at a path; `null` where the file has none. */
  readonly lineOf: (path: YamlPath) => number | null;
}

/** Reads a text; every fault at once, and none thrown. */
export function readYaml(
  text: string,
  { bytesMax, aliasesMax }: YamlLimits,
): YamlFile | YamlFaults {
  const bytes = utf8Bytes(text).length;
  if (bytes > bytesMax)
    return { kind: "too-long", faults: [{ message: `${bytes} bytes`, line: null }] };
  const lines = new LineCounter();
  const options = { lineCounter: lines, stringKeys: true, prettyErrors: false };
  try {
    const document = parseDocument(text, options);
    // A warning is an unknown tag or directive.
    const found = [...document.errors, ...document.warnings];
    if (found.length > 0) {
      const lineAt = (offset: number): number => lines.linePos(offset).line;
      const faults = found.map(({ message, pos }) => ({ message, line: lineAt(pos[0]) }));
      return { kind: "malformed", faults };
    }
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    const lineOf = (path: YamlPath): number | null => {
      const start = startOf(document.getIn(path, true));
      return start === undefined ? null : lines.linePos(start).line;
    };
    return { value, lineOf };
  } catch (error) {
    return { kind: "too-deep", faults: [{ message: errorMessage(error), line: null }] };
  }
}

function startOf(node: unknown): number | undefined {
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : null;
  const [start] = Array.isArray(range) ? (range as readonly unknown[]) : [];
  return typeof start === "number" ? start : undefined;
}

/** A path as people write it, `mesh.listen[0]`; `index` writes the places in sequences. */
export function yamlPathText(path: YamlPath, index = (at: number): string => `[${at}]`): string {
  return path
    .map((part) => (typeof part === "number" ? index(part) : `.${String(part).slice(0, 64)}`))
    .join("")
    .replace(/^\./, "");
}

/** The value at a path as JSON, shortened for a message; "missing" where there is none. */
export function yamlValueText(value: unknown, path: YamlPath): string {
  let at = value;
  for (const part of path) {
    const holds = typeof at === "object" && at !== null && Object.hasOwn(at, part);
    at = holds ? (at as Record<PropertyKey, unknown>)[part] : undefined;
  }
  if (at === undefined) return "missing";
  // A password that was put into a URL must not get into a log because of that.
  const text = JSON.stringify(at).replace(/\/\/[^/"]*@/g, "//…@");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
