// The stack on one host: a valid compose file whose parts fit together. The images it names cannot be had here, so the files that it
// gives them are checked by their own checkers where these are, and against each other.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { parseConfig } from "../../src/config/index.ts";
import { missing, output, packaging } from "./manifests.ts";

const docker = join(packaging, "docker");
const read = (file: string): string => readFileSync(join(docker, file), "utf8");
const yaml = (file: string): unknown => parse(read(file), { merge: true });

/** A service of compose.yml, as far as tests look at it. What one does not have is missing, whatever the type says. */
interface Service {
  readonly image: string;
  readonly hostname: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly network_mode: string;
  readonly restart: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly string[] };
  readonly depends_on: Readonly<Record<string, { readonly condition: string }>>;
}
interface Prometheus {
  readonly global: unknown;
  readonly alerting: {
    readonly alertmanagers: readonly [{ readonly static_configs: readonly [Targets] }];
  };
  readonly scrape_configs: readonly [
    {
      readonly job_name: string;
      readonly static_configs: readonly [Targets];
      readonly sample_limit: number;
    },
  ];
}
interface Endpoint {
  readonly endpoint: string;
}
interface Targets {
  readonly targets: readonly [string];
}

const { services } = yaml("compose.yml") as { services: Readonly<Record<string, Service>> };
const service = (name: string): Service => {
  const found = services[name];
  assert.ok(found !== undefined, name);
  return found;
};
const nodes = Object.keys(services).filter((name) => /^node\d$/.test(name));
const promtool = "promtool";
const hasPromtool = spawnSync(promtool, ["--version"]).error === undefined;

describe("compose.yml", () => {
  test("is what docker compose takes", { skip: missing("compose-check") }, () => {
    const resolved = parse(output("compose-check", ["docker/compose.yml"])) as { services: object };
    assert.deepEqual(Object.keys(resolved.services).sort(), Object.keys(services).sort());
  });

  test("mounts only files that are there, and reads them only", () => {
    for (const [name, { volumes = [] }] of Object.entries(services)) {
      for (const volume of volumes) {
        if (!volume.startsWith(".")) continue;
        const [file = "", , mode] = volume.split(":");
        assert.ok(existsSync(resolve(docker, file)), `${name}: ${file}`);
        assert.equal(mode, "ro", `${name}: ${volume}`);
      }
    }
  });

  test("pins every image, publishes on loopback alone, and drops every capability", () => {
    for (const [name, { image, cap_drop, ports = [] }] of Object.entries(services)) {
      assert.match(image, /:v?\d+\.\d+\.\d+$/, name);
      assert.deepEqual(cap_drop, ["ALL"], name);
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/);
    }
  });

  test("runs three nodes read-only, each with its own state, and a configuration that meshd accepts", () => {
    assert.equal(nodes.length, 3);
    const volumes = nodes.flatMap((name) => service(name).volumes ?? []);
    const named = volumes.filter((volume) => !volume.startsWith("."));
    assert.equal(new Set(named).size, 6);
    for (const name of nodes) {
      const { read_only, healthcheck, volumes = [], hostname } = service(name);
      assert.equal(read_only, true);
      assert.equal(hostname, name);
      assert.deepEqual(healthcheck.test, ["CMD", "meshctl", "status", "--check", "live"]);
      const file = volumes[0]?.split(":")[0] ?? "";
      const config = parseConfig(read(file), file);
      assert.equal(config.telemetry.tracing.endpoint, "http://otel-collector:4318/v1/traces");
      assert.deepEqual(config.telemetry.metrics.listen, { host: "0.0.0.0", port: 9464 });
      assert.deepEqual(config.mesh.bootstrap, name === "node1" ? [] : ["/dns4/node1/tcp/4001"]);
    }
  });

  test("lets the nodes in by their sockets once they are healthy, over no network", () => {
    const { depends_on, network_mode, volumes, command, restart } = service("enrol");
    assert.equal(network_mode, "none");
    assert.equal(restart, "no");
    for (const name of nodes) {
      assert.equal(depends_on[name]?.condition, "service_healthy");
      const run = service(name).volumes?.find((volume) => volume.startsWith("run")) ?? "";
      assert.ok(volumes?.includes(`${run.split(":")[0] ?? ""}:/run/${name}`));
      assert.match(command[0] ?? "", new RegExp(`\\b${name}\\b`));
    }
  });

  test("scrapes every node under the job that rules and dashboards know, and reaches what it names", () => {
    const prometheus = yaml("prometheus.yml") as Prometheus;
    const [meshd] = prometheus.scrape_configs;
    assert.equal(meshd.job_name, "meshd");
    assert.deepEqual(
      meshd.static_configs[0].targets,
      nodes.map((name) => `${name}:9464`),
    );
    const plain = parse(
      readFileSync(join(packaging, "monitoring/prometheus.yml"), "utf8"),
    ) as Prometheus;
    assert.deepEqual(prometheus.global, plain.global);
    assert.equal(meshd.sample_limit, plain.scrape_configs[0].sample_limit);
    const [target] = prometheus.alerting.alertmanagers[0].static_configs[0].targets;
    assert.ok((target.split(":")[0] ?? "") in services);
    const collector = yaml("otel-collector.yml") as {
      readonly receivers: { readonly otlp: { readonly protocols: { readonly http: Endpoint } } };
      readonly exporters: { readonly otlp: Endpoint };
    };
    assert.equal(collector.exporters.otlp.endpoint, "jaeger:4317");
    assert.equal(collector.receivers.otlp.protocols.http.endpoint, "0.0.0.0:4318");
  });

  test("has dashboards where their provider looks", () => {
    const provisioning = join(packaging, "monitoring/grafana/provisioning/dashboards/meshd.yml");
    const { providers } = parse(readFileSync(provisioning, "utf8")) as {
      readonly providers: readonly [{ readonly options: { readonly path: string } }];
    };
    const { path } = providers[0].options;
    const targets = service("grafana").volumes?.map((volume) => volume.split(":")[1]);
    assert.ok(targets?.includes(path), path);
    assert.ok("PROMETHEUS_URL" in service("grafana").environment);
  });

  test("has a configuration that Prometheus accepts", {
    skip: !hasPromtool && "promtool is not installed",
  }, (t) => {
    // The rules lie elsewhere in the container.
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const rules = join(packaging, "monitoring/rules");
    const file = join(folder, "prometheus.yml");
    writeFileSync(file, read("prometheus.yml").replace("/etc/prometheus/rules", rules));
    const { status, stdout, stderr } = spawnSync(promtool, ["check", "config", file], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /\d+ rules found/);
  });
});
