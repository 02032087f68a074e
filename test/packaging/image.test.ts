// The image: what its Dockerfile promises, and, where it was built (packaging/docker/build-without-registry.sh), the image itself,
// run as an orchestrator runs it: read-only, without capabilities, under its own user.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import packageFile from "../../package.json" with { type: "json" };
import { daemonRuntime } from "../../src/cli/daemon-program.ts";
import { parseConfig } from "../../src/config/index.ts";
import { until } from "../integration/node/harness.ts";
import { helmTestScript, missing, packaging } from "./manifests.ts";

const COMPRESSED_BYTES_MAX = 80_000_000;
const engine = "podman";
const image = "localhost/meshd:test";
const dockerfile = readFileSync(join(packaging, "docker/Dockerfile"), "utf8");

test("the Dockerfile pins its images, and ends in one that runs nothing as root", () => {
  for (const [, name] of dockerfile.matchAll(/^ARG (?:NODE|BASE)_IMAGE=(.*)$/gm))
    assert.match(name ?? "", /^[a-z]+:[a-z0-9.-]*\d{2,}[a-z0-9.-]*$/);
  const last = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
  assert.doesNotMatch(last, /^RUN /m);
  assert.match(last, /^USER 10001:10001$/m);
  assert.match(
    last,
    new RegExp(`^ARG VERSION=${packageFile.version.replaceAll(".", "\\.")}$`, "m"),
  );
  assert.match(dockerfile, /"meshctl", "status", "--check", "live"/);
});

test("the image gives the allocator the settings of every other daemon", () => {
  for (const [name, value] of Object.entries(daemonRuntime.environment))
    assert.match(dockerfile, new RegExp(`\\b${name}=${value}\\b`));
});

test("the configuration in the image is one that meshd accepts", () => {
  const config = parseConfig(
    readFileSync(join(packaging, "docker/meshd.yml"), "utf8"),
    "meshd.yml",
  );
  assert.equal(config.stateDir, "/var/lib/meshd");
  assert.equal(config.control.socket, "/run/meshd/control.sock");
});

const storage = fileURLToPath(new URL("../../node_modules/.cache/image/", import.meta.url));
// Limits within those of any machine: a container without the right to raise its own would not start.
const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];

/** Runs podman, and gives what it left. Its complaints of a missing systemd are no errors: health checks are run by hand here. */
function podman(...args: readonly string[]): { status: number | null; out: string; err: string } {
  const global = ["--root", join(storage, "storage"), "--runroot", join(storage, "run")];
  const runtime = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"];
  const { status, stdout, stderr } = spawnSync(engine, [...global, ...runtime, ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });
  return { status, out: stdout, err: stderr };
}

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "running containers needs root here";
  for (const tool of [engine, "runc"])
    if (spawnSync(tool, ["--version"]).error !== undefined) return `${tool} is not installed`;
  if (podman("image", "exists", image).status !== 0)
    return "no image: run packaging/docker/build-without-registry.sh";
  const run = podman("run", "--rm", "--network", "none", ...limits, image, "--version");
  return run.status === 0
    ? false
    : `containers do not run here: ${run.err.trim().split("\n").at(-1) ?? ""}`;
}

const hardened = [
  ...[
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop",
    "all",
    "--security-opt",
    "no-new-privileges",
  ],
  ...limits,
];

/** A daemon in a container that is gone with the test. */
function start(t: TestContext, ...args: readonly string[]): string {
  const name = `meshd-test-${process.pid}`;
  t.after(() => podman("rm", "--force", "--volumes", "--time", "5", name));
  const run = podman(
    ...["run", "--detach", "--name", name, "--network", "none", ...hardened],
    ...["--tmpfs", "/run/meshd:mode=0750,U", ...args, image],
  );
  assert.equal(run.status, 0, run.err);
  return name;
}

describe("the image that was built", { skip: whyNot() }, () => {
  test(`is under ${COMPRESSED_BYTES_MAX / 1e6} MB compressed`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "image-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "image.tar");
    const saved = podman("push", "--quiet", image, `oci-archive:${file}`);
    assert.equal(saved.status, 0, saved.err);
    const { size } = statSync(file);
    t.diagnostic(`${(size / 1e6).toFixed(1)} MB`);
    assert.ok(size < COMPRESSED_BYTES_MAX, `${size} bytes`);
  });

  test("says what it is: labels, user, ports, volume, health check", () => {
    const [inspected] = JSON.parse(podman("image", "inspect", image).out) as [
      {
        Config: Record<string, unknown>;
        Healthcheck: { Test: string[] };
        Labels: Record<string, string>;
      },
    ];
    const { Config: config, Labels: labels } = inspected;
    assert.equal(labels["org.opencontainers.image.version"], packageFile.version);
    assert.equal(config["User"], "10001:10001");
    assert.equal(config["StopSignal"], "SIGTERM");
    assert.deepEqual(Object.keys(config["ExposedPorts"] as object), ["4001/tcp", "9464/tcp"]);
    assert.deepEqual(Object.keys(config["Volumes"] as object), ["/var/lib/meshd"]);
    assert.deepEqual(inspected.Healthcheck.Test, ["CMD", "meshctl", "status", "--check", "live"]);
    const version = podman(
      "run",
      "--rm",
      "--network",
      "none",
      ...limits,
      "--entrypoint",
      "meshctl",
      image,
      "--version",
    );
    assert.ok(
      version.out.includes(labels["org.opencontainers.image.revision"] ?? "?"),
      version.out,
    );
  });

  test("works read-only, without capabilities and as its user: healthy, founds a mesh, leaves at SIGTERM", async (t) => {
    const name = start(t);
    const meshctl = (...args: string[]) => podman("exec", name, "meshctl", ...args);
    await until("the daemon to answer", () =>
      Promise.resolve(meshctl("status", "--check", "live").status === 0),
    );
    assert.equal(podman("healthcheck", "run", name).status, 0);
    assert.equal(meshctl("status", "--check", "ready").out, "not ready: node/unenrolled\n");
    assert.equal(podman("exec", name, "meshd-enrol", "found", "mesh.example.org", "a").status, 0);
    assert.equal(meshctl("status", "--check", "ready").out, "ready\n");
    const { out } = podman(
      "exec",
      name,
      "sh",
      "-c",
      "touch /x; id -u; grep CapEff /proc/self/status; stat -c %a /var/lib/meshd",
    );
    assert.deepEqual(out.split("\n"), ["10001", "CapEff:\t0000000000000000", "700", ""]);
    assert.equal(podman("stop", "--time", "10", name).status, 0);
    assert.equal(podman("inspect", "--format", "{{.State.ExitCode}}", name).out, "0\n");
  });

  test("passes the chart's `helm test` in a mesh, and fails it before", {
    skip: missing("helm"),
  }, async (t) => {
    const name = start(t);
    const meshctl = (...args: string[]) => podman("exec", name, "meshctl", ...args);
    await until("the daemon to answer", () =>
      Promise.resolve(meshctl("status", "--check", "live").status === 0),
    );
    const check = () =>
      podman("exec", "--env", "HOST=127.0.0.1", name, "/bin/bash", "-euc", helmTestScript());
    const before = check();
    assert.equal(before.status, 1);
    assert.match(before.err, /the issuer is not ready/);
    meshctl("init", "--trust-domain", "mesh.example.org", "--name", "a");
    const after = check();
    assert.equal(after.status, 0, after.err);
    assert.match(after.out, /the issuer's mesh port is open/);
  });

  test("ends with a clear message when it may not write its state", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "state-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const run = podman(
      ...["run", "--rm", "--network", "none", ...hardened, "--tmpfs", "/run/meshd:mode=0750,U"],
      ...["--volume", `${folder}:/var/lib/meshd`, image],
    );
    assert.equal(run.status, 1);
    assert.match(run.err, /meshd: .*\/var\/lib\/meshd.*\[[a-z]+\/[a-z-]+\]/);
  });
});
