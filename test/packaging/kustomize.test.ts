// The kustomization and its overlays: valid objects, accepted configurations, and the same rules for pods as the chart.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  assertPodRules,
  checkedConfigs,
  conform,
  find,
  missing,
  objectsOf,
  output,
  packaging,
  type Manifest,
} from "./manifests.ts";

const overlays = ["base", "overlays/staging", "overlays/production"];
const build = (overlay: string): string => output("kustomize", ["build", `kustomize/${overlay}`]);

describe("the kustomization", { skip: missing("kustomize", "kubeconform") }, () => {
  for (const overlay of overlays) {
    test(`makes valid objects and accepted configurations: ${overlay}`, () => {
      const manifests = build(overlay);
      const { status, out } = conform(manifests);
      assert.equal(status, 0, out);
      const objects = objectsOf(manifests);
      for (const kind of ["StatefulSet", "DaemonSet"]) assertPodRules(find(objects, kind));
      const replicas = find(objects, "StatefulSet").spec.replicas;
      const configs = checkedConfigs(objects);
      assert.equal(configs.size, replicas + 1);
      for (let ordinal = 0; ordinal < replicas; ordinal++) {
        const address = `/dns4/meshd-issuer-${ordinal}.meshd-issuer/tcp/4001`;
        assert.deepEqual(configs.get(`meshd-issuer-${ordinal}.yml`)?.mesh.announce, [address]);
        assert.ok(configs.get("node.yml")?.mesh.bootstrap.includes(address));
      }
    });
  }

  test("overlays select pods by their own instance, in their own namespace", () => {
    for (const [overlay, namespace] of [
      ["staging", "meshd-staging"],
      ["production", "meshd"],
    ] as const) {
      const objects = objectsOf(build(`overlays/${overlay}`));
      for (const { kind, metadata } of objects) {
        if (kind !== "Namespace") assert.equal(metadata.namespace, namespace, kind);
      }
      const selectors = [
        find(objects, "NetworkPolicy").spec.podSelector.matchLabels,
        find(objects, "PodDisruptionBudget").spec.selector.matchLabels,
        find(objects, "DaemonSet").spec.selector.matchLabels,
        find(objects, "Service", "-metrics").spec.selector,
      ];
      for (const selector of selectors)
        assert.equal(selector["app.kubernetes.io/instance"], overlay);
    }
  });

  test("staging founds another mesh than production, and its nodes keep their keys elsewhere", () => {
    const [staging, production] = ["staging", "production"].map((overlay) => {
      const objects = objectsOf(build(`overlays/${overlay}`));
      const volumes = find(objects, "DaemonSet").spec.template.spec.volumes;
      return {
        trustDomain: domainOf(objects),
        path: volumes.find(({ name }) => name === "state")?.hostPath.path,
      };
    });
    assert.equal(staging!.trustDomain, "staging.mesh.example.org");
    assert.equal(production!.trustDomain, "mesh.example.org");
    assert.notEqual(staging!.path, production!.path);
  });

  test("production spreads its issuers over hosts and runs on every host", () => {
    const objects = objectsOf(build("overlays/production"));
    const issuer = find(objects, "StatefulSet").spec.template.spec;
    const [rule] = issuer.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    assert.equal(rule?.topologyKey, "kubernetes.io/hostname");
    const node = find(objects, "DaemonSet").spec.template.spec;
    assert.deepEqual(node.tolerations, [{ operator: "Exists" }]);
  });
});

function domainOf(objects: readonly Manifest[]): string | undefined {
  return objects.map(({ data }) => data?.["TRUST_DOMAIN"]).find((domain) => domain !== undefined);
}

test("the copies of the monitoring rules are equal to packaging/monitoring/rules", async () => {
  const script = new URL("../../packaging/copy-rules.mjs", import.meta.url).href;
  const { ruleCopies } = (await import(script)) as { ruleCopies: () => Record<string, string> };
  for (const [file, text] of Object.entries(ruleCopies())) {
    assert.equal(
      readFileSync(join(packaging, file), "utf8"),
      text,
      `${file}: run node packaging/copy-rules.mjs`,
    );
  }
});
