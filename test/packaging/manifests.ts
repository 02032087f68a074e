// What the tests of compose, Helm and Kustomize share: the tools of packaging/kubernetes-tools.sh, manifests as objects, and the rules
// that every pod of ours keeps, whichever of the two made it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { type Config, parseConfig } from "../../src/config/index.ts";

export const packaging = fileURLToPath(new URL("../../packaging/", import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/tools/", import.meta.url));

/** Why tests of these tools are skipped, or `false` when the tools are here. */
export function missing(...tools: readonly string[]): string | false {
  const here =
    existsSync(join(cache, "complete")) && tools.every((tool) => existsSync(binary(tool)));
  return here ? false : `${tools.join(", ")}: run packaging/kubernetes-tools.sh`;
}

const binary = (tool: string): string => join(cache, "bin", tool);

/** What a finished tool left. */
export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a tool of the cache in packaging/. */
export function run(tool: string, args: readonly string[], input = ""): Ran {
  const { status, stdout, stderr, error } = spawnSync(binary(tool), args, {
    cwd: packaging,
    input,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, out: stdout, err: stderr };
}

/** The output of a tool that must succeed. */
export function output(tool: string, args: readonly string[]): string {
  const { status, out, err } = run(tool, args);
  assert.equal(status, 0, `${tool} ${args.join(" ")}: ${err}`);
  return out;
}

/** The verdict of kubeconform, strict, over manifests. */
export function conform(manifests: string): Ran {
  const location = join(cache, "schemas/{{.ResourceKind}}{{.KindSuffix}}.json");
  return run("kubeconform", ["-strict", "-summary", "-schema-location", location], manifests);
}

/** What `helm install` prints for these arguments. Helm shows it to a cluster only, so a copy of the chart makes an object of it. */
export function notesOf(t: { after(work: () => void): void }, args: readonly string[]): string {
  const copy = mkdtempSync(join(tmpdir(), "chart-"));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(join(packaging, "helm/meshd"), copy, { recursive: true });
  const notes = readFileSync(join(copy, "templates/NOTES.txt"), "utf8");
  writeFileSync(join(copy, "templates/_notes.tpl"), `{{ define "notes" }}${notes}{{ end }}`);
  writeFileSync(
    join(copy, "templates/notes.yaml"),
    'kind: Notes\ntext: {{ include "notes" . | toJson }}\n',
  );
  const show = ["--kube-version", "1.36.0", "--show-only", "templates/notes.yaml"];
  const [object] = objectsOf(
    output("helm", ["template", "x", copy, "--namespace", "mesh", ...show, ...args]),
  );
  assert.ok(object !== undefined);
  return object.text;
}

/** What the pod of `helm test` gives to its bash. */
export function helmTestScript(): string {
  const show = ["--kube-version", "1.36.0", "--show-only", "templates/tests/mesh.yaml"];
  const [pod] = objectsOf(output("helm", ["template", "x", "helm/meshd", ...show]));
  return pod?.spec.containers[0]?.args[0] ?? "";
}

type Texts = Readonly<Record<string, string>>;

interface Probe {
  readonly exec: { readonly command: readonly string[] };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string }[];
  readonly resources: { readonly limits: Texts; readonly requests: Texts };
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
    readonly runAsUser?: number;
  };
  readonly volumeMounts: readonly { readonly name: string }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

interface Pod {
  readonly securityContext: {
    readonly runAsNonRoot: boolean;
    readonly runAsUser: number;
    readonly seccompProfile: { readonly type: string };
  };
  readonly automountServiceAccountToken: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly hostPath: { readonly path: string };
  }[];
  readonly tolerations: unknown;
  readonly affinity: {
    readonly podAntiAffinity: {
      readonly requiredDuringSchedulingIgnoredDuringExecution: readonly {
        readonly topologyKey: string;
      }[];
    };
  };
}

/** An object of Kubernetes, as far as tests look at it. What its kind does not have is missing, whatever the type says. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Texts;
  };
  readonly data?: Texts;
  readonly rules: unknown;
  readonly text: string;
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly metadata: { readonly annotations: Texts }; readonly spec: Pod };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly selector: { readonly matchLabels: Texts } & Texts;
    readonly podSelector: { readonly matchLabels: Texts };
    readonly groups: unknown;
    readonly containers: readonly Container[];
  };
}

export function objectsOf(manifests: string): Manifest[] {
  return parseAllDocuments(manifests)
    .map((document) => document.toJS() as Manifest | null)
    .filter((object) => object !== null);
}

/** The object of a kind whose name ends like this. */
export function find(objects: readonly Manifest[], kind: string, suffix = ""): Manifest {
  const found = objects.find(
    (object) => object.kind === kind && object.metadata.name.endsWith(suffix),
  );
  assert.ok(found !== undefined, `there is a ${kind} …${suffix}`);
  return found;
}

/** Every configuration in ConfigMaps, by its file's name, after meshd has accepted it. */
export function checkedConfigs(objects: readonly Manifest[]): Map<string, Config> {
  const configs = new Map<string, Config>();
  for (const map of objects.filter(({ kind }) => kind === "ConfigMap")) {
    for (const [file, text] of Object.entries(map.data ?? {})) {
      if (file.endsWith(".yml")) configs.set(file, parseConfig(text, file));
    }
  }
  return configs;
}

/** What restricted pods keep (Pod Security Standards), but for the one step that owns a host's directory; and what our daemon needs. */
export function assertPodRules({ metadata: { name }, spec: workload }: Manifest): void {
  const { spec: pod } = workload.template;
  assert.equal(pod.securityContext.runAsNonRoot, true, name);
  assert.equal(pod.securityContext.runAsUser, 10001);
  assert.equal(pod.securityContext.seccompProfile.type, "RuntimeDefault");
  assert.equal(typeof pod.automountServiceAccountToken, "boolean");
  const volumes = [
    ...pod.volumes.map((volume) => volume.name),
    ...(workload.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
  ];
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    const { securityContext, resources, image } = container;
    const owning = container.name === "own-state";
    assert.equal(securityContext.readOnlyRootFilesystem, true, container.name);
    assert.equal(securityContext.allowPrivilegeEscalation, false);
    assert.deepEqual(securityContext.capabilities.drop, ["ALL"]);
    assert.deepEqual(securityContext.capabilities.add, owning ? ["CHOWN", "FOWNER"] : undefined);
    assert.equal(securityContext.runAsUser, owning ? 0 : undefined);
    assert.deepEqual(Object.keys(resources.limits), ["memory"]);
    assert.deepEqual(Object.keys(resources.requests).sort(), ["cpu", "memory"]);
    assert.match(image, /(:[^:@/]+|@sha256:[0-9a-f]{64})$/);
    assert.doesNotMatch(image, /:latest$/);
    for (const mount of container.volumeMounts) assert.ok(volumes.includes(mount.name), mount.name);
  }
  const daemon = pod.containers.find((container) => container.name === "meshd");
  const probe = (kind: string): Probe => ({
    exec: { command: ["meshctl", "status", "--check", kind] },
  });
  assert.deepEqual(daemon?.startupProbe.exec, probe("live").exec);
  assert.deepEqual(daemon.livenessProbe.exec, probe("live").exec);
  assert.deepEqual(daemon.readinessProbe.exec, probe("ready").exec);
}
