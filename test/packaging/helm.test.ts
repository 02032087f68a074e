// The chart: what it makes of default values and of everything switched on, and what it refuses.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import packageFile from "../../package.json" with { type: "json" };
import {
  assertPodRules,
  checkedConfigs,
  conform,
  find,
  missing,
  notesOf,
  objectsOf,
  output,
  packaging,
  run,
} from "./manifests.ts";

const chart = "helm/meshd";
const allFlags = fileURLToPath(new URL("all-flags.yml", import.meta.url));
const template = (...args: string[]): string[] => [
  ...["template", "x", chart, "--namespace", "mesh", "--kube-version", "1.36.0"],
  ...args,
];
const set = (...values: string[]): string[] => values.flatMap((value) => ["--set", value]);

describe("the Helm chart", { skip: missing("helm", "kubeconform") }, () => {
  for (const [values, args] of [
    ["default values", []],
    ["everything on", ["--values", allFlags]],
  ] as const) {
    test(`passes lint --strict and makes valid objects, with ${values}`, () => {
      output("helm", ["lint", "--strict", chart, ...args]);
      const manifests = output("helm", template(...args));
      const { status, out } = conform(manifests);
      assert.equal(status, 0, out);
      const objects = objectsOf(manifests);
      for (const kind of ["StatefulSet", "DaemonSet"]) assertPodRules(find(objects, kind));
      for (const { kind, metadata } of objects) {
        assert.equal(metadata.labels["app.kubernetes.io/instance"], "x", kind);
        assert.equal(metadata.labels["app.kubernetes.io/name"], "meshd");
        assert.ok(metadata.labels["helm.sh/chart"]);
        assert.equal(metadata.namespace, kind.startsWith("Cluster") ? undefined : "mesh");
      }
    });
  }

  test("gives each pod a configuration that meshd accepts, and the values' own keys in it", () => {
    const [plain, full] = [[], ["--values", allFlags]].map((args) =>
      checkedConfigs(objectsOf(output("helm", template(...args)))),
    );
    assert.deepEqual([...plain!.keys()], ["x-meshd-issuer-0.yml", "node.yml"]);
    const names = [0, 1, 2].map((ordinal) => `everything-issuer-${ordinal}`);
    assert.deepEqual([...full!.keys()], [...names.map((name) => `${name}.yml`), "node.yml"]);
    const addresses = names.map(
      (name) => `/dns4/${name}.everything-issuer.mesh.svc.cluster.test/tcp/4001`,
    );
    assert.deepEqual(full!.get("node.yml")?.mesh.bootstrap, addresses);
    const second = full!.get("everything-issuer-1.yml")?.mesh;
    assert.deepEqual(second?.announce, [addresses[1]]);
    assert.deepEqual(second.bootstrap, [addresses[0], addresses[2]]);
    for (const config of full!.values()) {
      assert.equal(config.mesh.zone, "test-1");
      assert.equal(config.telemetry.log.level, "debug");
      assert.deepEqual(config.telemetry.metrics.listen, { host: "0.0.0.0", port: 9464 });
      assert.equal(config.control.socket, "/run/meshd/control.sock");
    }
  });

  test("starts each pod of the StatefulSet with the file of its name", () => {
    const { spec } = find(objectsOf(output("helm", template())), "StatefulSet").spec.template;
    assert.deepEqual(spec.containers[0]?.args, ["--config", "/etc/meshd/$(POD_NAME).yml"]);
    assert.equal(spec.containers[0].env[0]?.name, "POD_NAME");
  });

  test("restarts the pods when the configuration changes, and only then", () => {
    const checksum = (...values: string[]): unknown =>
      find(objectsOf(output("helm", template(...set(...values)))), "DaemonSet").spec.template
        .metadata.annotations["checksum/config"];
    assert.equal(checksum(), checksum("node.resources.limits.memory=1Gi"));
    assert.notEqual(checksum(), checksum("config.mesh.zone=other"));
  });

  test("gives rights in the cluster and monitoring objects only when they are asked for", () => {
    const kinds = (...args: string[]): Set<string> =>
      new Set(objectsOf(output("helm", template(...args))).map(({ kind }) => kind));
    const optional = [
      ...["ClusterRole", "ClusterRoleBinding", "ServiceMonitor", "PrometheusRule", "ResourceQuota"],
    ];
    const plain = kinds();
    const full = kinds("--values", allFlags);
    for (const kind of optional) assert.deepEqual([plain.has(kind), full.has(kind)], [false, true]);
    const without = kinds(
      ...set(
        "node.enabled=false",
        "networkPolicy.enabled=false",
        "podDisruptionBudget.enabled=false",
      ),
    );
    for (const kind of ["DaemonSet", "NetworkPolicy", "PodDisruptionBudget"])
      assert.deepEqual([plain.has(kind), without.has(kind)], [true, false]);
  });

  test("reviews tokens and reads pods and nodes with its optional right, and no more", () => {
    const objects = objectsOf(output("helm", template(...set("issuer.rbac.tokenReview=true"))));
    assert.deepEqual(find(objects, "ClusterRole").rules, [
      { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
      { apiGroups: [""], resources: ["pods", "nodes"], verbs: ["get"] },
    ]);
  });

  test("refuses values that it does not know or cannot use", () => {
    for (const values of [
      "trustDomain=Upper",
      "trustdomain=mesh.example.org",
      "image.tag=latest",
      "image.digest=sha256:12",
      "image.pullPolicy=Sometimes",
      "issuer.replicas=0",
      "issuer.storage.size=big",
      "issuer.rbac.tokenReview=maybe",
      "node.state.hostPath=relative",
      "node.maxUnavailable=0",
      "node.resources.limits.memory=lots",
      "config.mesh.listen={/ip4/0.0.0.0/tcp/1}",
      "config.state_dir=/tmp",
      "config.telemetry.metrics.listen=off",
      "networkPolicy.peerCidrs={everywhere}",
      "serviceMonitor.interval=often",
    ]) {
      const { status, err } = run("helm", template(...set(values)));
      assert.equal(status, 1, values);
      assert.match(err, /values don't meet the specifications of the schema/, values);
    }
  });

  test("tells after the install what is to be known of the chosen values, and no more", (t) => {
    const plain = notesOf(t, []);
    assert.match(plain, /founds the trust domain mesh\.example\.org by itself/);
    assert.match(plain, /Every other node needs a join token/);
    assert.doesNotMatch(plain, /WARNING|NOTE:|bootstrap nodes/);
    const full = notesOf(t, ["--values", allFlags]);
    assert.match(full, /WARNING: node\.state\.hostPath is empty/);
    assert.match(full, /k8s_psat, which meshd \S+ does not have/);
    assert.match(full, /everything-issuer-1 and following are bootstrap nodes/);
    assert.doesNotMatch(notesOf(t, set("node.enabled=false")), /DaemonSet/);
  });

  test("has the version of the package, and the rules of packaging/monitoring", () => {
    const file = parse(readFileSync(join(packaging, chart, "Chart.yaml"), "utf8")) as {
      readonly appVersion: string;
    };
    assert.equal(file.appVersion, packageFile.version);
    const objects = objectsOf(output("helm", template("--values", allFlags)));
    const rules = join(packaging, "monitoring/rules");
    for (const name of readdirSync(rules)) {
      const { groups } = parse(readFileSync(join(rules, name), "utf8")) as {
        readonly groups: unknown;
      };
      const object = find(objects, "PrometheusRule", `-${name.replace(".yml", "")}`);
      assert.deepEqual(object.spec.groups, groups);
    }
  });
});

test("kubeconform refuses a field that Kubernetes does not know", {
  skip: missing("kubeconform"),
}, () => {
  const { status, out } = conform(
    "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {port: 1}\n",
  );
  assert.equal(status, 1);
  assert.match(out, /additional properties 'port' not allowed/);
});
