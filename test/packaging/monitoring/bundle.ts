// The monitoring bundle as data, the metrics that a daemon declares, and the tools that may be there.

import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { allMetrics } from "../../../src/node/metrics.ts";
import type { MetricDeclaration } from "../../../src/ports/index.ts";
import { telemetryMetrics } from "../../../src/telemetry/index.ts";

export const repository = fileURLToPath(new URL("../../../", import.meta.url));
export const monitoring = join(repository, "packaging/monitoring");

export interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
export interface Alert extends Rule {
  readonly alert: string;
}
export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}
export interface RuleTest {
  readonly name: string;
  readonly input_series: readonly { readonly series: string }[];
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly unknown[];
  }[];
  readonly promql_expr_test?: readonly {
    readonly expr: string;
    readonly exp_samples: readonly { readonly labels: string; readonly value: number }[];
  }[];
}
export interface Target {
  readonly expr: string;
  readonly refId: string;
  readonly legendFormat: string;
  readonly datasource: { readonly uid: string };
}
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly Target[];
}
export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly panels: readonly Panel[];
}

export function yamlOf(file: string): unknown {
  return parse(readFileSync(join(monitoring, file), "utf8"));
}

function rulesOf(file: string): readonly Rule[] {
  return (yamlOf(file) as RuleFile).groups.flatMap(({ rules }) => rules);
}

export const recordings = rulesOf("rules/recording.yml");
export const alerts = rulesOf("rules/alerts.yml").filter(
  (rule): rule is Alert => rule.alert !== undefined,
);

export const testFiles = globSync("tests/*.yml", { cwd: monitoring }).sort();
export const ruleTests = testFiles.flatMap((file) => (yamlOf(file) as { tests: RuleTest[] }).tests);

export const dashboards: readonly Dashboard[] = globSync("grafana/dashboards/*.json", {
  cwd: monitoring,
})
  .sort()
  .map((file) => ({
    ...(JSON.parse(readFileSync(join(monitoring, file), "utf8")) as Omit<Dashboard, "file">),
    file: basename(file),
  }));

/** What Grafana would send to Prometheus with all nodes chosen. */
export function queryOf({ expr }: Pick<Target, "expr">): string {
  return expr
    .replaceAll("$instance", ".*")
    .replaceAll("$__rate_interval", "30s")
    .replaceAll("$__range", "5m");
}

export const declarations: readonly MetricDeclaration[] = [...allMetrics, ...telemetryMetrics];

/** Series names by what declares them; a histogram has three. */
export const seriesNames: ReadonlyMap<string, MetricDeclaration> = new Map(
  declarations.flatMap((declaration) =>
    (declaration.kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""]).map(
      (suffix) => [declaration.name + suffix, declaration] as const,
    ),
  ),
);

/** Why a test of this program is skipped; `false` when it is here. */
export function missing(program: string, debianPackage: string): string | false {
  return spawnSync(program, ["--version"]).error === undefined
    ? false
    : `${program} is not installed: apt-get install ${debianPackage}`;
}
