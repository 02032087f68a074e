// No metric, label or label value that rules, dashboards, tests or documents name can be wrong, and nothing is left out.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import {
  alerts,
  dashboards,
  declarations,
  monitoring,
  queryOf,
  recordings,
  repository,
  ruleTests,
  seriesNames,
} from "./bundle.ts";
import { alternatives, type Matcher, namesOf, type Selector } from "./promql.ts";

/** Made by Prometheus itself. */
const ofPrometheus = new Map([
  ["up", []],
  ["ALERTS", ["alertname", "alertstate", "severity"]],
]);
/** On every series that was scraped. */
const ofTarget = ["job", "instance"];

const recordingOf = new Map(recordings.map((rule) => [rule.record ?? "", rule.expr]));

/** Labels with their closed values; `null` where the values are open. */
function labelsOf(name: string): ReadonlyMap<string, readonly string[] | null> {
  const open = (labels: readonly string[]) => labels.map((label) => [label, null] as const);
  const declared = seriesNames.get(name);
  if (declared !== undefined) {
    const own = Object.entries(declared.labels ?? {});
    const bucket = name.endsWith("_bucket") ? ["le"] : [];
    return new Map([...own, ...open([...bucket, ...ofTarget])]);
  }
  const recorded = recordingOf.get(name);
  if (recorded !== undefined)
    return new Map(namesOf(recorded).selectors.flatMap(({ name: base }) => [...labelsOf(base)]));
  const given = ofPrometheus.get(name);
  assert.ok(given !== undefined, `no such metric: ${name}`);
  return new Map(open([...given, ...ofTarget]));
}

const everyLabel = new Set([
  ...declarations.flatMap(({ labels }) => Object.keys(labels ?? {})),
  ...[...ofPrometheus.values()].flat(),
  ...ofTarget,
  "le",
]);

function problemsOf(expression: string): string[] {
  const { selectors, grouping } = namesOf(expression);
  assert.ok(selectors.length > 0, `names no metric: ${expression}`);
  return [
    ...selectors.flatMap(selectorProblems),
    ...grouping.filter((label) => !everyLabel.has(label)).map((label) => `no label ${label}`),
  ];
}

function selectorProblems({ name, matchers }: Selector): string[] {
  if (!seriesNames.has(name) && !recordingOf.has(name) && !ofPrometheus.has(name))
    return [`no metric ${name}`];
  const labels = labelsOf(name);
  return matchers.flatMap((matcher) => {
    const values = labels.get(matcher.label);
    if (values === undefined) return [`${name} has no label ${matcher.label}`];
    return values === null ? [] : valueProblems(name, matcher, values);
  });
}

function valueProblems(name: string, matcher: Matcher, values: readonly string[]): string[] {
  return alternatives(matcher)
    .filter((wanted) => {
      const pattern = new RegExp(`^(?:${wanted})$`);
      return !values.some((value) => value === wanted || pattern.test(value));
    })
    .map((wanted) => `${name} never has ${matcher.label} ${wanted}`);
}

describe("the reader of PromQL", () => {
  test("finds metrics, matchers and grouping, and no functions, keywords or durations", () => {
    const { selectors, grouping } = namesOf(
      'sum without (a, b) (rate(x_total{c="1{",d!~"2|3"}[5m])) / on (e) group_left () y:z > bool 1e3 and histogram_quantile(0.9, q) offset 1h',
    );
    assert.deepEqual(
      selectors.map(({ name }) => name),
      ["x_total", "y:z", "q"],
    );
    assert.deepEqual(selectors[0]?.matchers, [
      { label: "c", operator: "=", value: "1{" },
      { label: "d", operator: "!~", value: "2|3" },
    ]);
    assert.deepEqual(grouping, ["a", "b", "e"]);
  });

  test("a wrong metric, label, value, alternative or grouping is a problem", () => {
    assert.deepEqual(problemsOf('sum by (job) (meshd_mesh_peers{state="alive"})'), []);
    for (const wrong of [
      "meshd_mesh_peer",
      "meshd_handshake_duration_seconds",
      "meshd_mesh_probes_total_count",
      'meshd_mesh_peers{status="alive"}',
      'meshd_mesh_peers{state="living"}',
      'meshd_mesh_peers{state=~"alive|living"}',
      'meshd_mesh_beacons_rejected_total{code=~"mesh/(duplicate|missing)"}',
      "sum by (state_of) (meshd_mesh_peers)",
      'instance:meshd_mesh_peers_present:sum{engine="wasm"}',
    ])
      assert.equal(problemsOf(wrong).length, 1, wrong);
  });
});

describe("every name in", () => {
  test("the rules is declared", () => {
    for (const { expr } of [...recordings, ...alerts]) assert.deepEqual(problemsOf(expr), [], expr);
  });

  test("the rules' tests is declared", () => {
    for (const { name, input_series: series } of ruleTests)
      for (const { series: selector } of series)
        assert.deepEqual(problemsOf(selector), [], `${name}: ${selector}`);
  });

  test("the dashboards is declared", () => {
    for (const { file, panels, annotations } of dashboards)
      for (const target of [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list])
        assert.deepEqual(problemsOf(queryOf(target)), [], `${file}: ${target.expr}`);
  });

  test("the documents, annotations and comments is declared", () => {
    const files = [
      ...globSync("{README.md,CHANGELOG.md,docs/**/*.md}", { cwd: repository }),
      ...globSync("packaging/monitoring/**/*.{yml,mjs}", { cwd: repository }),
    ];
    const unknown = files.flatMap((file) => {
      const text = readFileSync(join(repository, file), "utf8");
      const names =
        text.match(/(?:\b(?:instance|job):)?\b(?:meshd|slo)_[a-z0-9_]+(?::\w+)?/g) ?? [];
      return names
        .filter((name) => name.startsWith("meshd_") || name.includes(":"))
        .filter((name) => !seriesNames.has(name) && !recordingOf.has(name))
        .filter((name) => !declarations.some((declared) => declared.name === name))
        .map((name) => `${file}: ${name}`);
    });
    assert.deepEqual(unknown, []);
  });
});

describe("the recording rules", () => {
  test("are named level:metric:operations, and each is used", () => {
    const used = new Set(
      [
        ...recordings.map(({ expr }) => expr),
        ...alerts.map(({ expr }) => expr),
        ...dashboards.flatMap(({ panels }) =>
          panels.flatMap(({ targets = [] }) => targets.map(queryOf)),
        ),
      ].flatMap((expr) => namesOf(expr).selectors.map(({ name }) => name)),
    );
    for (const name of recordingOf.keys()) {
      assert.match(name, /^(instance|job):[a-z0-9_]+:[a-z0-9_]+$/);
      assert.ok(used.has(name), `${name} is used nowhere`);
    }
  });
});

describe("every alert", () => {
  test("has a name of its own, a severity, a summary, a description and its runbook's address", () => {
    const names = alerts.map(({ alert }) => alert);
    assert.deepEqual(names, [...new Set(names)]);
    assert.ok(names.length >= 30);
    for (const { alert, labels, annotations = {} } of alerts) {
      assert.match(alert, /^Meshd(?:[A-Z][a-z]+)+$/);
      assert.deepEqual(Object.keys(labels ?? {}), ["severity"]);
      assert.match(labels?.["severity"] ?? "", /^(?:warning|critical)$/);
      assert.deepEqual(Object.keys(annotations), ["summary", "description", "runbook_url"]);
      const { summary = "", description = "", runbook_url: url = "" } = annotations;
      assert.ok(summary.length > 10 && summary.length <= 120, summary);
      assert.ok(description.length > 40 && description.length <= 400, description);
      assert.ok(url.startsWith("https://") && url.endsWith(`/${alert}.md`), url);
    }
  });

  test("has a test that sees it fire and one that sees it quiet", () => {
    const fires = new Set<string>();
    const quiet = new Set<string>();
    for (const { alert_rule_test: rules = [], promql_expr_test: expressions = [] } of ruleTests) {
      for (const { alertname, exp_alerts: expected } of rules)
        if (expected.length === 0) quiet.add(alertname);
      for (const { exp_samples: samples } of expressions)
        for (const { labels } of samples) fires.add(labelIn(labels, "alertname") ?? "");
    }
    const names = alerts.map(({ alert }) => alert).sort();
    assert.deepEqual([...fires].sort(), names);
    assert.deepEqual([...quiet].sort(), names);
  });

  test("uses in its texts only labels that it has when it fires", () => {
    for (const { alert, annotations = {} } of alerts) {
      const firing = ruleTests
        .flatMap(({ promql_expr_test: expressions = [] }) => expressions)
        .flatMap(({ exp_samples: samples }) => samples)
        .find(({ labels }) => labelIn(labels, "alertname") === alert);
      for (const [, label = ""] of Object.values(annotations)
        .join(" ")
        .matchAll(/\$labels\.(\w+)/g))
        assert.ok(labelIn(firing?.labels ?? "", label) !== undefined, `${alert} has no ${label}`);
    }
  });

  test("has a runbook with every section, and every runbook an alert", () => {
    const runbooks = globSync("docs/runbooks/Meshd*.md", { cwd: repository });
    assert.deepEqual(
      runbooks.map((file) => basename(file, ".md")).sort(),
      alerts.map(({ alert }) => alert).sort(),
    );
    for (const file of runbooks) {
      const text = readFileSync(join(repository, file), "utf8");
      assert.ok(text.startsWith(`# ${basename(file, ".md")}\n`), file);
      assert.deepEqual(
        [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title),
        ["Meaning", "Look", "Likely causes", "What to do", "Escalate"],
        file,
      );
    }
  });
});

function labelIn(selector: string, label: string): string | undefined {
  return namesOf(selector).selectors[0]?.matchers.find((matcher) => matcher.label === label)?.value;
}

describe("the dashboards", () => {
  test("are what build-dashboards.mjs makes of their description", async () => {
    const builder = (await import(join(monitoring, "build-dashboards.mjs"))) as {
      rendered(): Map<string, string>;
    };
    const made = builder.rendered();
    assert.deepEqual(
      [...made.keys()].sort(),
      dashboards.map(({ file }) => file),
    );
    for (const [file, text] of made)
      assert.equal(
        readFileSync(join(monitoring, "grafana/dashboards", file), "utf8"),
        text,
        "run node packaging/monitoring/build-dashboards.mjs",
      );
  });

  test("show every metric, itself or through a recording rule", () => {
    const shown = new Set<string>();
    const show = (expression: string): void => {
      for (const { name } of namesOf(expression).selectors) {
        shown.add(seriesNames.get(name)?.name ?? name);
        const recorded = recordingOf.get(name);
        if (recorded !== undefined) show(recorded);
      }
    };
    for (const { panels } of dashboards)
      for (const { targets = [] } of panels) for (const target of targets) show(queryOf(target));
    assert.deepEqual(
      declarations.map(({ name }) => name).filter((name) => !shown.has(name)),
      [],
    );
  });

  test("are five with unique ids, and each panel has a title, a unit, a description and its queries", () => {
    assert.deepEqual(
      dashboards.map(({ file }) => file),
      ["crypto.json", "identity.json", "learning.json", "mesh.json", "system-health.json"],
    );
    assert.equal(new Set(dashboards.map(({ uid }) => uid)).size, 5);
    for (const { file, panels, templating } of dashboards) {
      assert.deepEqual(
        templating.list.map(({ name }) => name),
        ["datasource", "instance"],
      );
      assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, file);
      for (const panel of panels.filter(({ type }) => type !== "row")) {
        const where = `${file}: ${panel.title}`;
        assert.ok(panel.title.length > 1 && (panel.description ?? "").length > 15, where);
        assert.ok((panel.fieldConfig?.defaults.unit ?? "") !== "", where);
        const targets = panel.targets ?? [];
        assert.ok(targets.length > 0, where);
        assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, where);
        for (const { uid } of [panel, ...targets].map(
          ({ datasource }) => datasource ?? { uid: "" },
        ))
          assert.equal(uid, "${datasource}", where);
      }
    }
  });

  test("have no panels that overlap or leave the grid", () => {
    for (const { file, panels } of dashboards) {
      const cells = new Set<string>();
      for (const { gridPos, title } of panels) {
        const { x, y, w, h } = gridPos;
        assert.ok(x >= 0 && x + w <= 24, `${file}: ${title}`);
        for (let row = y; row < y + h; row++)
          for (let column = x; column < x + w; column++) {
            const cell = `${column},${row}`;
            assert.ok(!cells.has(cell), `${file}: ${title} overlaps at ${cell}`);
            cells.add(cell);
          }
      }
    }
  });

  test("name only alerts that exist", () => {
    const names = new Set(alerts.map(({ alert }) => alert));
    for (const { file } of dashboards) {
      const text = readFileSync(join(monitoring, "grafana/dashboards", file), "utf8");
      for (const [name] of text.matchAll(/\bMeshd[A-Z][A-Za-z]+/g))
        assert.ok(names.has(name), `${file}: ${name}`);
    }
  });
});
