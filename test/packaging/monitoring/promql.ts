// What a PromQL expression names: metrics with their matchers, and the labels it groups by. No full parser: promtool checks the grammar.

/** A matcher of a selector. */
export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

/** A metric, and what is asked of its labels. */
export interface Selector {
  readonly name: string;
  readonly matchers: readonly Matcher[];
}

export interface Names {
  readonly selectors: readonly Selector[];
  /** Labels after `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
  readonly grouping: readonly string[];
}

const token = /"(?:[^"\\]|\\.)*"|'[^']*'|[a-zA-Z_:][\w:]*|\d[\w.]*|[=!]~|[=!<>]=|\S/g;
const listed = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
const words = new Set(["and", "or", "unless", "bool", "offset"]);

/** Reads an expression whose variables of Grafana are replaced. */
export function namesOf(expression: string): Names {
  const tokens: readonly string[] = expression.match(token) ?? [];
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const word = tokens[at] ?? "";
    const next = tokens[at + 1];
    if (word === "[") {
      at = tokens.indexOf("]", at);
    } else if (!/^[a-zA-Z_:]/.test(word)) {
      continue;
    } else if (listed.has(word) && next === "(") {
      const end = tokens.indexOf(")", at);
      grouping.push(...tokens.slice(at + 2, end).filter((label) => label !== ","));
      at = end;
    } else if (!words.has(word) && next !== "(" && next !== "by" && next !== "without") {
      const end = next === "{" ? tokens.indexOf("}", at) : at;
      selectors.push({ name: word, matchers: matchersOf(tokens.slice(at + 2, end)) });
      at = end;
    }
  }
  return { selectors, grouping };
}

function matchersOf(tokens: readonly string[]): Matcher[] {
  const matchers: Matcher[] = [];
  for (let at = 0; at + 2 < tokens.length; at += 4) {
    const [label = "", operator = "", quoted = ""] = tokens.slice(at, at + 3);
    matchers.push({ label, operator, value: quoted.slice(1, -1) });
  }
  return matchers;
}

/** The values that a matcher can mean: those of a regular expression's alternatives, one group deep. */
export function alternatives({ operator, value }: Matcher): string[] {
  if (!operator.endsWith("~")) return [value];
  const group = /^([^()]*)\(([^()]*)\)([^()]*)$/.exec(value);
  if (group === null) return value.split("|");
  const [, before = "", inner = "", after = ""] = group;
  return inner.split("|").map((part) => `${before}${part}${after}`);
}
