// The kernels under version control are what the sources under wasm/ compile to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kernelsSha256 } from "../../src/adapters/wasm/module.ts";

interface Built {
  readonly binary: Uint8Array;
  readonly sha256: string;
}
interface Build {
  readonly WASM_BYTES_MAX: number;
  buildWasm(): Promise<Built>;
  moduleSource(built: Built): string;
}

async function load(): Promise<Build | undefined> {
  try {
    return (await import(new URL("../../packaging/build-wasm.mjs", import.meta.url).href)) as Build;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

test("the sources of the kernels give the module that is shipped, byte for byte", async (t) => {
  const build = await load();
  if (build === undefined) {
    t.skip("AssemblyScript is not installed");
    return;
  }
  const built = await build.buildWasm();
  assert.equal(built.sha256, kernelsSha256, 'run "npm run build:wasm"');
  assert.ok(built.binary.length <= build.WASM_BYTES_MAX);
  const file = new URL("../../src/adapters/wasm/module.ts", import.meta.url);
  assert.equal(readFileSync(file, "utf8"), build.moduleSource(built));
});
