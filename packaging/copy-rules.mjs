// node packaging/copy-rules.mjs: takes the rules of packaging/monitoring to where Kubernetes needs them. A chart can read only what is
// inside it, so the Helm chart has copies; the kustomization of production has them as one PrometheusRule. A test holds both equal.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const packaging = fileURLToPath(new URL(".", import.meta.url));

/** What the copies must be: paths below packaging/, and texts. */
export function ruleCopies() {
  const source = join(packaging, "monitoring/rules");
  const files = readdirSync(source)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(source, name), "utf8") }));
  const objects = files.map(({ name, text }) =>
    [
      "apiVersion: monitoring.coreos.com/v1",
      "kind: PrometheusRule",
      "metadata:",
      `  name: meshd-${name.replace(".yml", "")}`,
      "  labels: { app.kubernetes.io/name: meshd, app.kubernetes.io/part-of: x0tta6bl4 }",
      "spec:",
      text.trimEnd().replaceAll(/^(?=.)/gm, "  "),
      "",
    ].join("\n"),
  );
  return {
    ...Object.fromEntries(files.map(({ name, text }) => [`helm/meshd/rules/${name}`, text])),
    "kustomize/overlays/production/prometheusrule.yaml": `# Written by packaging/copy-rules.mjs.\n${objects.join("---\n")}`,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  rmSync(join(packaging, "helm/meshd/rules"), { recursive: true, force: true });
  mkdirSync(join(packaging, "helm/meshd/rules"));
  for (const [file, text] of Object.entries(ruleCopies()))
    writeFileSync(join(packaging, file), text);
}
