// The kernels on arm64: their conformance suite and their transcript under an emulator, with the arm64 Node of the same version.
//
// V8 translates wasm to other instructions there, and a slip of its translation, or an assumption of ours that only x64 keeps, would
// show as another answer. `packaging/arm64-root.sh` prepares what is needed; this file installs nothing and skips without it.
//
// The test files run as bundles, in a folder that is laid out like the repository. The AssemblyScript compiler stays on this side: one emulated
// compilation takes half a minute, and one test here shows that what it emits does not depend on the machine. The accumulated tests run over 100 rounds instead of 10,000.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { kernelsSha256 } from "../../../src/adapters/wasm/module.ts";
import { TRANSCRIPT_DIGEST, transcriptDigest } from "./transcript.ts";

const SUITE = [
  "wasm/ml-dsa",
  "wasm/ml-kem",
  "wasm/ml-kem-arithmetic",
  "wasm/sha256",
  "wasm/learning",
  // These hold all three engines to the vectors and to one another, there by the arm64 build of OpenSSL.
  "crypto/ml-dsa-65",
  "crypto/ml-kem-768",
  "crypto/composite",
];
const DEADLINE_MS = 400_000;

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const prepared = join(repository, "node_modules/.cache/arm64");

function reasonToSkip(): string | false {
  if (process.arch === "arm64") return "this machine is arm64, where the suites run anyway";
  if (process.platform !== "linux") return "arm64 is emulated on Linux alone";
  if (!existsSync(join(prepared, "complete")))
    return "no emulated arm64 in node_modules/.cache/arm64: packaging/arm64-root.sh prepares it";
  return false;
}
const skip = reasonToSkip();
const folder = mkdtempSync(join(tmpdir(), "x0-arm64-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Stands in for packaging/build-wasm.mjs in the copy: this machine's Node compiles, once for each entry. An emulated process starts programs
 * of the machine like any other.
 */
const compilerStub = `
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
const program = \`
  const [compiler, options] = process.argv.slice(1);
  const { buildWasm } = await import(compiler);
  const { binary, ...rest } = await buildWasm(JSON.parse(options));
  process.stdout.write(JSON.stringify({ ...rest, binary: Buffer.from(binary).toString("base64") }));
\`;
export async function buildWasm(options = {}) {
  const { compiler, node } = JSON.parse(readFileSync(new URL("compiler.json", import.meta.url), "utf8"));
  const wanted = JSON.stringify(options);
  const file = new URL(createHash("sha256").update(wanted).digest("hex") + ".json", import.meta.url);
  if (!existsSync(file)) {
    const args = ["--input-type=module", "-e", program, compiler, wanted];
    writeFileSync(file, execFileSync(node, args, { encoding: "utf8", maxBuffer: 1 << 26 }));
  }
  const { binary, ...rest } = JSON.parse(readFileSync(file, "utf8"));
  return { ...rest, binary: new Uint8Array(Buffer.from(binary, "base64")) };
}
`;

/** Bundles the suite and the transcript into `folder`/repository, with the vectors beside it. */
async function bundle(): Promise<string> {
  const copy = join(folder, "repository");
  const place = "test/vectors";
  await build({
    absWorkingDir: repository,
    entryPoints: [
      ...SUITE.map((name) => `${place}/${name}.test.ts`),
      `${place}/wasm/transcript.ts`,
    ],
    outdir: join(copy, place),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node26",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  mkdirSync(join(copy, "packaging"));
  writeFileSync(join(copy, "packaging/build-wasm.mjs"), compilerStub);
  const compiler = new URL("../../../packaging/build-wasm.mjs", import.meta.url).href;
  const programs = JSON.stringify({ compiler, node: process.execPath });
  writeFileSync(join(copy, "packaging/compiler.json"), programs);
  symlinkSync(join(repository, "../shared"), join(folder, "shared"));
  return join(copy, place);
}
const suite = skip === false ? await bundle() : folder;

/** Runs the arm64 Node in the bundles' folder; gives what it printed. Fails with that if the program fails. */
async function runOnArm64(...args: readonly string[]): Promise<string> {
  const emulator = join(prepared, "qemu-aarch64-static");
  const node = ["-L", join(prepared, "root"), join(prepared, "node")];
  // With the first, a test runner's child reports in a form for its parent alone.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  const options = { cwd: suite, env, timeout: DEADLINE_MS, maxBuffer: 1 << 26 };
  return new Promise((resolve, reject) => {
    execFile(emulator, [...node, ...args], options, (cause, stdout, stderr) => {
      if (cause === null) resolve(stdout.trim());
      else reject(new Error(`the emulated program failed:\n${stdout}\n${stderr}`, { cause }));
    });
  });
}

test("the emulated Node is arm64 and of this Node's version", { skip }, async () => {
  assert.equal(
    await runOnArm64("-p", "`${process.arch} ${process.version}`"),
    `arm64 ${process.version}`,
  );
});

test("keys, signatures, verdicts and secrets of 50 seeds give the transcript's digest on this machine", async () => {
  assert.equal(await transcriptDigest(), TRANSCRIPT_DIGEST);
});

// V8 has two compilers for wasm, which share no instruction selection; by itself it runs a mixture of both.
for (const [compiler, flag] of [
  ["the baseline compiler", "--liftoff-only"],
  ["the optimizing compiler", "--no-liftoff"],
] as const) {
  test(`the transcript's digest is the same on arm64 by ${compiler}`, { skip }, async () => {
    const program = 'console.log(await (await import("./wasm/transcript.mjs")).transcriptDigest())';
    const emulated = await runOnArm64(flag, "--input-type=module", "-e", program);
    assert.equal(emulated, TRANSCRIPT_DIGEST);
  });
}

test("the kernels compiled on arm64 are the shipped ones, byte for byte", { skip }, async () => {
  const compiler = JSON.stringify(
    new URL("../../../packaging/build-wasm.mjs", import.meta.url).href,
  );
  const program = `console.log((await (await import(${compiler})).buildWasm()).sha256)`;
  assert.equal(await runOnArm64("--input-type=module", "-e", program), kernelsSha256);
});

for (const name of SUITE) {
  test(`the suite ${name} passes on arm64`, { skip }, async (t) => {
    const began = performance.now();
    const report = await runOnArm64(
      "--test",
      "--test-isolation=none",
      "--test-reporter=tap",
      "--test-skip-pattern=/\\b10000\\b/",
      `${name}.test.mjs`,
    );
    const count = (word: string): number =>
      Number(new RegExp(`^# ${word} (\\d+)$`, "m").exec(report)?.[1] ?? Number.NaN);
    assert.equal(count("fail"), 0);
    // Without the published vectors, what needs them is skipped there too: of the composite suite, all.
    const hasVectors = existsSync(join(repository, "../shared/vectors"));
    assert.ok(count("pass") >= (hasVectors ? 2 : 0), report);
    assert.ok(count("pass") + count("skipped") >= 7, report);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    t.diagnostic(`${count("pass")} passed, ${count("skipped")} skipped, ${seconds} s`);
  });
}
