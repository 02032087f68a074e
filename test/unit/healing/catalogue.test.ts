// One catalogue, five readers: status, /ready, the metric, the alerts and docs/healing.md say the same of every condition.

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { type SymptomCode, symptomCodes, symptoms } from "../../../src/healing/index.ts";
import { meterNode } from "../../../src/node/metrics.ts";

const root = new URL("../../../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
}
const { groups } = parse(textOf("packaging/monitoring/rules/alerts.yml")) as {
  groups: { rules: Rule[] }[];
};
const alerts = new Map(groups.flatMap(({ rules }) => rules).map((rule) => [rule.alert, rule.expr]));

/** Alerts of a severity, for conditions that no other alert picks by their code. */
const generic = new Map([
  ["MeshdHealthError", "error"],
  ["MeshdHealthWarning", "warning"],
  ["MeshdHealthNotice", "info"],
]);
/** Their own alerts read the very gauges that these conditions are made of. */
const sameFact: ReadonlySet<SymptomCode> = new Set([
  ...(["node/unenrolled", "node/starting", "mesh/quarantined"] as const),
]);

/** The codes that an expression picks of meshd_health_issue. */
function codesOf(expression: string): SymptomCode[] {
  return [...expression.matchAll(/meshd_health_issue\{code=(~?)"([^"]+)"/g)].flatMap(
    ([, isPattern, text = ""]) =>
      symptomCodes.filter((code) =>
        isPattern === "~" ? new RegExp(`^(?:${text})$`).test(code) : code === text,
      ),
  );
}

/** The table of docs/healing.md. */
function table(): string {
  const rows = symptomCodes.map((code) => {
    const { title, severity, dependsOn, timeToVisibleMs, alert } = symptoms[code];
    const explained = dependsOn.map((one) => `\`${one}\``).join(", ");
    return `| \`${code}\` | ${title} | ${severity} | ${explained} | ${timeToVisibleMs / 1_000} s | [${alert}](runbooks/${alert}.md) |`;
  });
  return [
    "| code | what it is | severity | may be explained by | told after | runbook |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

describe("the catalogue", () => {
  test("names only conditions that exist, in texts that fit a line", () => {
    for (const code of symptomCodes) {
      const { title, dependsOn, timeToVisibleMs } = symptoms[code];
      assert.match(code, /^[a-z]+\/[a-z-]+$/);
      assert.ok(title.length >= 8 && title.length <= 48, title);
      assert.ok(timeToVisibleMs >= 0 && timeToVisibleMs <= 60_000);
      for (const other of dependsOn) assert.ok(Object.hasOwn(symptoms, other), other);
      assert.ok(!dependsOn.includes(code), code);
    }
  });

  test("gives status and /ready their severities: no part of the node has one of its own", () => {
    for (const file of globSync("src/node/**/*.ts", { cwd: root }))
      assert.doesNotMatch(textOf(file), /severity: "(info|warning|error)"/, file);
    assert.match(textOf("src/node/health.ts"), /severity: symptoms\[code\]\.severity/);
  });

  test("gives the metric one series for each code, with its severity", () => {
    const series: string[] = [];
    const meter = {
      count: () => undefined,
      observe: () => undefined,
      set: (name: string, value: number, labels: Readonly<Record<string, string>> = {}) => {
        if (name === "meshd_health_issue")
          series.push(`${labels["code"]} ${labels["severity"]} ${value}`);
      },
    };
    meterNode(meter, { state: "running", health: [{ code: "mesh/isolated" }], stateDir: "/" });
    assert.deepEqual(
      series,
      symptomCodes.map(
        (code) => `${code} ${symptoms[code].severity} ${code === "mesh/isolated" ? 1 : 0}`,
      ),
    );
  });

  test("gives every condition an alert, with its runbook; what one picks by code names it back", () => {
    for (const code of symptomCodes) {
      const { alert } = symptoms[code];
      assert.ok(alerts.has(alert), `${code}: ${alert}`);
      assert.ok(existsSync(new URL(`docs/runbooks/${alert}.md`, root)), alert);
    }
    for (const [alert, expression] of alerts) {
      // The unenrolled node is told of by its state; codes there only say when another alert does.
      if (alert === "MeshdUnenrolled" || generic.has(alert)) continue;
      for (const code of codesOf(expression)) assert.equal(symptoms[code].alert, alert, code);
    }
  });

  test("has every condition told by its code: by its own alert, or else by the one of its severity", () => {
    const own = [...alerts].flatMap(([alert, expression]) =>
      generic.has(alert) || alert === "MeshdUnenrolled" ? [] : codesOf(expression),
    );
    assert.deepEqual([...new Set(own)], own, "two alerts for one condition");
    for (const [alert, severity] of generic) {
      const wanted = symptomCodes.filter(
        (code) =>
          symptoms[code].severity === severity && !own.includes(code) && !sameFact.has(code),
      );
      assert.deepEqual(codesOf(alerts.get(alert) ?? ""), wanted, alert);
    }
  });

  test("is the table of docs/healing.md", () => {
    const [, written] =
      /<!-- conditions -->\n([^]*?)<!-- \/conditions -->/.exec(textOf("docs/healing.md")) ?? [];
    assert.equal(written, `${table()}\n`, `docs/healing.md must have:\n${table()}`);
  });
});
