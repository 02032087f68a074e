// What Prometheus's and Alertmanager's own tools say of the bundle.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { converged, enrol, scratch, startDaemon } from "../../integration/node/harness.ts";
import { alerts, missing, monitoring, testFiles } from "./bundle.ts";

const noPromtool = missing("promtool", "prometheus");
const noAmtool = missing("amtool", "prometheus-alertmanager");

function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; input?: string } = {},
) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: monitoring,
    encoding: "utf8",
    timeout: 180_000,
    ...options,
  });
  return { status, stdout, output: stdout + stderr };
}

function succeeds(program: string, ...args: string[]): string {
  const { status, output } = run(program, args);
  assert.equal(status, 0, `${program} ${args.join(" ")}\n${output}`);
  return output;
}

describe("promtool", { skip: noPromtool }, () => {
  test("check config accepts prometheus.yml with its rules and targets", () => {
    assert.match(succeeds("promtool", "check", "config", "prometheus.yml"), /2 rule files found/);
  });

  test("check rules accepts the rules, without a duplicate", () => {
    for (const file of ["rules/recording.yml", "rules/alerts.yml"])
      assert.match(
        succeeds("promtool", "check", "rules", "--lint=all", "--lint-fatal", file),
        /SUCCESS/,
      );
  });

  for (const file of testFiles)
    test(`test rules passes ${file}`, () => {
      succeeds("promtool", "test", "rules", file);
    });

  test("test rules fails for an alert that never fires, and for one that always does", (t) => {
    const copy = scratch(t);
    for (const part of ["rules", "tests"])
      cpSync(join(monitoring, part), join(copy, part), { recursive: true });
    const rules = readFileSync(join(copy, "rules/alerts.yml"), "utf8");
    const threshold = 'meshd_crypto_engine_info{engine="noble"} == 1';
    assert.ok(rules.includes(threshold));
    for (const wrong of ["> 1", ">= 0"]) {
      const changed = rules.replace(threshold, threshold.replace("== 1", wrong));
      writeFileSync(join(copy, "rules/alerts.yml"), changed);
      const { status, output } = run("promtool", ["test", "rules", "tests/crypto.yml"], {
        cwd: copy,
      });
      assert.notEqual(status, 0);
      assert.match(output, /MeshdSlowEngine/);
    }
  });

  test("check metrics has nothing to say about the page of a daemon in a mesh", async (t) => {
    const a = await startDaemon(t);
    const b = await startDaemon(t);
    await enrol({ a, b });
    await converged({ a, b });
    const { text } = await a.get("/metrics");
    const checked = run("promtool", ["check", "metrics"], { input: text });
    assert.deepEqual([checked.status, checked.output], [0, ""]);
    const { output } = run("promtool", ["check", "metrics"], {
      input: `${text}\nmeshd_x_total 1\n`,
    });
    assert.match(output, /no help text/);
  });
});

describe("amtool", { skip: noAmtool }, () => {
  test("check-config accepts alertmanager.yml", () => {
    assert.match(succeeds("amtool", "check-config", "alertmanager.yml"), /SUCCESS/);
  });

  test("routes by severity, and loses nothing that has none", () => {
    const routes = ["config", "routes", "test", "--config.file=alertmanager.yml"];
    const receiver = (...labels: string[]): string =>
      run("amtool", [...routes, ...labels]).stdout.trim();
    assert.equal(receiver("alertname=Other"), "mail");
    for (const { alert, labels } of alerts) {
      const severity = labels?.["severity"] ?? "";
      assert.equal(
        receiver(`alertname=${alert}`, `severity=${severity}`, "job=meshd"),
        severity === "critical" ? "on-call" : "chat",
      );
    }
  });

  test("no secret stands in alertmanager.yml", () => {
    const text = readFileSync(join(monitoring, "alertmanager.yml"), "utf8");
    assert.doesNotMatch(
      text,
      /^\s*(?:api_url|routing_key|service_key|auth_password|password|url|token):/m,
    );
    assert.equal(text.match(/_file: \/etc\/alertmanager\/secrets\//g)?.length, 3);
  });
});
