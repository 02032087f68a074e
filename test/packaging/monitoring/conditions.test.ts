// Each condition has an alert that fires while the condition stands, and is quiet when it does not or has passed: shown by promtool for
// every code of the catalogue.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { type SymptomCode, symptomCodes, symptoms } from "../../../src/healing/index.ts";
import { dashboards, missing, monitoring, queryOf } from "./bundle.ts";

/** The gauge that a condition is told by, where that is another one. */
const gauges: Partial<Record<SymptomCode, string>> = {
  "node/unenrolled": 'meshd_node_state{state="unenrolled"',
  "node/starting": 'meshd_node_state{state="starting"',
  "mesh/quarantined": 'meshd_mesh_peers{state="quarantined"',
};

/** A node for each condition, named after it. */
function seriesOf(code: SymptomCode): string {
  const own = `meshd_health_issue{code="${code}", severity="${symptoms[code].severity}"`;
  return `${gauges[code] ?? own}, job="meshd", instance="${code}"}`;
}

/** One of promtool's tests: each node has these values, and so many of our alerts fire for it after two and a half hours. */
function ruleTest(values: string, firing: 0 | 1): unknown {
  const expr =
    'count by (instance) (ALERTS{alertname=~"Meshd.+", alertstate="firing", instance!=""})';
  const samples = symptomCodes.map((code) => ({ labels: `{instance="${code}"}`, value: 1 }));
  return {
    name: values,
    interval: "5m",
    input_series: symptomCodes.map((code) => ({ series: seriesOf(code), values })),
    promql_expr_test: [{ expr, eval_time: "150m", exp_samples: firing === 1 ? samples : [] }],
  };
}

test("every condition makes one alert fire while it stands, and none when it is gone or was never there", {
  skip: missing("promtool", "prometheus"),
}, (t) => {
  const directory = mkdtempSync(join(tmpdir(), "meshd-rules-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const tests = [ruleTest("0 1x32", 1), ruleTest("0x32", 0), ruleTest("0 1x20 0x12", 0)];
  const rules = ["recording.yml", "alerts.yml"].map((file) => join(monitoring, "rules", file));
  const file = join(directory, "conditions.yml");
  writeFileSync(file, stringify({ rule_files: rules, evaluation_interval: "5m", tests }));
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, stdout + stderr);
});

test("every condition is on a panel", () => {
  const queries = dashboards.flatMap(({ panels }) =>
    panels.flatMap(({ targets = [] }) => targets.map(queryOf)),
  );
  assert.ok(queries.some((query) => /^meshd_health_issue\{[^}]*instance[^}]*\} == 1$/.test(query)));
});
