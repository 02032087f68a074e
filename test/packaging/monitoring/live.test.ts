// The bundle at work: a real Prometheus scrapes the five daemons of a local mesh, one is killed, the alert fires and reaches
// Alertmanager, which tells the cause and keeps back the symptoms; and Prometheus answers every panel of every dashboard.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { daemonRuntime } from "../../../src/cli/daemon-program.ts";
import { LocalMesh } from "../../../src/cli/commands/dev/local-mesh.ts";
import { scratch, Stack, until } from "../../integration/node/harness.ts";
import {
  dashboards,
  missing,
  monitoring,
  queryOf,
  repository,
  type RuleFile,
  yamlOf,
} from "./bundle.ts";
import { type Prometheus, startAlertmanager, startPrometheus } from "./servers.ts";

const NODES = 5;
const DEADLINE_MS = 90_000;

/**
 * Panels whose query has nothing to show in a healthy mesh without a renewal, a refusal or a task: only what happened is shown there.
 * What may be empty is named, so that a query which is always empty is noticed.
 */
const mayBeEmpty = new Set([
  "Refused, by reason",
  "Failed, by reason",
  "Share that fails",
  "Prepared keys: found in memory",
  "Requests to issuers, by answer",
  "Alerts that fire",
  "Conditions of meshctl status",
  "Updates refused, by reason",
  "Values folded together",
  "Age of other trust domains' bundles",
]);

const skip =
  missing("prometheus", "prometheus") ||
  missing("prometheus-alertmanager", "prometheus-alertmanager");

interface Scraped {
  readonly scrape_configs: { readonly job_name: string; file_sd_configs?: { files: string[] }[] }[];
  readonly global: Record<string, string>;
  readonly alerting: { alertmanagers: { static_configs: { targets: string[] }[] }[] };
}

/** The shipped prometheus.yml in a hurry: the same job, rules and target files, every second. */
function inAHurry(alertmanager: string): string {
  const config = yamlOf("prometheus.yml") as Scraped;
  Object.assign(config.global, {
    scrape_interval: "1s",
    scrape_timeout: "1s",
    evaluation_interval: "1s",
  });
  config.alerting.alertmanagers = [{ static_configs: [{ targets: [alertmanager] }] }];
  return stringify({
    ...config,
    scrape_configs: config.scrape_configs.filter(({ job_name: name }) => name === "meshd"),
  });
}

/** The shipped alerts with `for` in seconds for minutes, and in minutes for hours. */
function alertsInAHurry(): string {
  const rules = yamlOf("rules/alerts.yml") as RuleFile;
  return stringify({
    groups: rules.groups.map(({ name, rules: list }) => ({
      name,
      rules: list.map((rule) => ({
        ...rule,
        ...(rule.for !== undefined && {
          for: rule.for.replace(/m$/, "s").replace(/h$/, "m"),
        }),
      })),
    })),
  });
}

/** The shipped routes with receivers that send nothing. */
function quietAlertmanager(): string {
  const config = yamlOf("alertmanager.yml") as { receivers: { name: string }[] };
  return stringify({ ...config, receivers: config.receivers.map(({ name }) => ({ name })) });
}

interface Told {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
}

describe("a Prometheus that scrapes five daemons every second", { skip }, () => {
  const stack = new Stack();
  let mesh: LocalMesh;
  let prometheus: Prometheus;
  let alertmanager = "";
  const instances: string[] = [];

  before(async () => {
    const directory = scratch(stack);
    const bundle = join(directory, "bundle");
    const build = ["packaging/build.mjs", "--quiet", "--outdir", bundle];
    execFileSync(process.execPath, build, { cwd: repository });
    mesh = LocalMesh.spawn({
      directory: join(directory, "mesh"),
      nodes: NODES,
      byzantine: 0,
      csv: undefined,
      daemon: {
        file: process.execPath,
        argv0: process.execPath,
        args: [...daemonRuntime.flags, join(bundle, "meshd.mjs")],
      },
    });
    stack.after(() => mesh.stop());
    const { signal } = new AbortController();
    await mesh.answering(signal);
    for (const node of mesh.nodes) instances.push(node.status?.node.metricsAddress ?? "");

    const served = join(directory, "prometheus");
    mkdirSync(join(served, "targets"), { recursive: true });
    cpSync(join(monitoring, "rules"), join(served, "rules"), { recursive: true });
    writeFileSync(join(served, "rules/alerts.yml"), alertsInAHurry());
    writeFileSync(join(served, "targets/mesh.yml"), stringify([{ targets: instances }]));
    alertmanager = await startAlertmanager(stack, quietAlertmanager());
    prometheus = await startPrometheus(stack, served, inAHurry(alertmanager));
    await eventually("all daemons to be scraped before they join", async () => {
      const up = await prometheus.query('sum(meshd_node_state{state="unenrolled"})');
      return up[0]?.value[1] === String(NODES);
    });
    await mesh.enrol(() => undefined);
    await mesh.converged(DEADLINE_MS, signal, () => undefined);
    await mesh.nodes[0]?.client.flStart({ model: "softmax", rounds: 5, aggregator: "median" });
  });
  after(() => stack.unwind());

  test("sees every node in the mesh, and no alert of a node that is away or of a budget that no history speaks of", async () => {
    await eventually("five nodes that see four others each", async () => {
      const seen = await prometheus.query("instance:meshd_mesh_peers_present:sum");
      return seen.filter(({ value }) => value[1] === String(NODES - 1)).length === NODES;
    });
    const firing = (await prometheus.alerts()).filter(({ state }) => state === "firing");
    const names = firing.map(({ labels }) => labels["alertname"]);
    for (const alert of [
      "MeshdDown",
      "MeshdIsolated",
      "MeshdPartitioned",
      "MeshdPeersDead",
      "MeshdSloAvailabilityBurnFast",
    ])
      assert.ok(!names.includes(alert), `${alert} fires in a healthy mesh`);
  });

  test("answers the query of every panel, and with data", async () => {
    await eventually("the training to end", async () => {
      const rounds = await prometheus.query("min(meshd_learning_round)");
      return rounds[0]?.value[1] === "5";
    });
    const asked = dashboards.flatMap(({ file, panels, annotations }) => [
      ...panels.flatMap(({ title, targets = [] }) =>
        targets.map((target) => ({ title, where: `${file}: ${title}`, query: queryOf(target) })),
      ),
      ...annotations.list.map((target) => ({
        title: "Alerts that fire",
        where: `${file}: annotation`,
        query: queryOf(target),
      })),
    ]);
    assert.ok(asked.length > 80, `${asked.length} queries`);
    for (const { title, where, query } of asked) {
      await eventually(`an answer with data for ${where}: ${query}`, async () => {
        const result = await prometheus.query(query);
        return result.length > 0 || mayBeEmpty.has(title);
      });
    }
  });

  test("every rule is evaluated without an error", async () => {
    const { data } = await prometheus.get<{
      groups: { rules: { name: string; health: string; lastError?: string }[] }[];
    }>("rules");
    const rules = data.groups.flatMap(({ rules: list }) => list);
    assert.ok(rules.length > 100);
    assert.deepEqual(
      rules.filter(({ health }) => health !== "ok"),
      [],
    );
  });

  test("a node that is killed fires MeshdDown with its address, the others report it dead, and only the cause is told", async () => {
    const victim = mesh.nodes[2];
    const instance = instances[2] ?? "";
    assert.ok(victim !== undefined && instance !== "");
    process.kill(victim.pid, "SIGKILL");
    const down = await eventually("MeshdDown to fire", async () =>
      (await prometheus.alerts()).find(
        ({ state, labels }) => state === "firing" && labels["alertname"] === "MeshdDown",
      ),
    );
    assert.deepEqual(down.labels, {
      alertname: "MeshdDown",
      severity: "critical",
      job: "meshd",
      instance,
    });
    assert.equal(down.annotations["summary"], `meshd on ${instance} does not answer.`);
    await eventually("MeshdPeersDead to fire", async () =>
      (await prometheus.alerts()).find(
        ({ state, labels }) => state === "firing" && labels["alertname"] === "MeshdPeersDead",
      ),
    );
    const told = async (alertname: string): Promise<Told | undefined> => {
      const response = await fetch(`http://${alertmanager}/api/v2/alerts`);
      const all = (await response.json()) as Told[];
      return all.find(({ labels }) => labels["alertname"] === alertname);
    };
    await eventually("Alertmanager to tell the cause", async () => {
      const cause = await told("MeshdDown");
      return cause?.status.state === "active";
    });
    await eventually("Alertmanager to keep back the symptom", async () => {
      const symptom = await told("MeshdPeersDead");
      return symptom?.status.state === "suppressed" && symptom.status.inhibitedBy.length > 0;
    });
  });
});

function eventually<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> {
  return until(what, probe, DEADLINE_MS);
}
