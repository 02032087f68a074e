// node packaging/kubernetes-schemas.mjs DEFINITIONS CRDS OUT: JSON schemas of the Kubernetes kinds that our manifests use, in the form
// kubeconform reads, <kind>-<group>-<version>.json. The schemas of Kubernetes are in DEFINITIONS, a folder of the Python package
// kubernetes-validate, and refer to one file of all definitions; each gets those it needs, so that it stands alone. CRDS is a
// folder of the Prometheus operator's resource definitions, whose objects are closed here as the API server closes them.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const [definitions, crds, out] = process.argv.slice(2);
if (out === undefined) {
  console.error("Usage: node packaging/kubernetes-schemas.mjs DEFINITIONS CRDS OUT");
  process.exit(2);
}
const kinds = [
  "clusterrole-rbac-v1",
  "clusterrolebinding-rbac-v1",
  "configmap-v1",
  "daemonset-apps-v1",
  "namespace-v1",
  "networkpolicy-networking-v1",
  "pod-v1",
  "poddisruptionbudget-policy-v1",
  "resourcequota-v1",
  "secret-v1",
  "service-v1",
  "serviceaccount-v1",
  "statefulset-apps-v1",
];
const customKinds = ["prometheusrules", "servicemonitors"];

const read = (file) => readFileSync(file, "utf8");
mkdirSync(out, { recursive: true });

const all = JSON.parse(read(join(definitions, "_definitions.json"))).$defs;
for (const kind of kinds) {
  const text = read(join(definitions, `${kind}.json`));
  const needed = new Map();
  const collect = (json) => {
    for (const [, name] of json
      .matchAll(/_definitions\.json#\/\$defs\/([^"]+)"|"#\/\$defs\/([^"]+)"/g)
      .map(([whole, far, near]) => [whole, far ?? near])) {
      if (needed.has(name)) continue;
      needed.set(name, all[name]);
      collect(JSON.stringify(all[name]));
    }
  };
  collect(text);
  const schema = { ...JSON.parse(text), $defs: Object.fromEntries(needed) };
  const alone = JSON.stringify(schema).replaceAll(/"[^"]*_definitions\.json#/g, '"#');
  writeFileSync(join(out, `${kind}.json`), alone);
}

for (const name of customKinds) {
  const { spec } = parse(read(join(crds, `monitoring.coreos.com_${name}.yaml`)));
  const version = spec.versions.find(({ storage }) => storage);
  const schema = closed(version.schema.openAPIV3Schema);
  // What every object has, and a resource definition leaves out.
  schema.properties.metadata = { type: "object" };
  const file = `${spec.names.kind.toLowerCase()}-monitoring-${version.name}.json`;
  writeFileSync(join(out, file), JSON.stringify(schema));
}

/** Refuses unknown fields wherever the fields are listed. Kubernetes' own "integer or string" becomes what JSON Schema calls it. */
function closed(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(closed);
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  if (copy["x-kubernetes-int-or-string"]) {
    const { type, anyOf, ...rest } = copy;
    return { ...rest, type: ["integer", "string"] };
  }
  const isOpen =
    copy.additionalProperties !== undefined || copy["x-kubernetes-preserve-unknown-fields"];
  if (copy.type === "object" && copy.properties !== undefined && !isOpen)
    copy.additionalProperties = false;
  return copy;
}
