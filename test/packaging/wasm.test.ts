// The kernels under version control are what the sources under wasm/ compile to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kernelsSha256 as learning } from "../../src/adapters/wasm/learning/module.ts";
import { kernelsSha256 as crypto } from "../../src/adapters/wasm/module.ts";

interface Built {
  readonly binary: Uint8Array;
  readonly sha256: string;
}
interface Build {
  readonly modules: Readonly<
    Record<"crypto" | "learning", { entry: string; file: string; bytesMax: number }>
  >;
  buildWasm(options: { entry: string }): Promise<Built>;
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

const shipped = { crypto, learning };

for (const name of ["crypto", "learning"] as const) {
  test(`the sources of the ${name} kernels give the module that is shipped, byte for byte`, async (t) => {
    const build = await load();
    if (build === undefined) {
      t.skip("AssemblyScript is not installed");
      return;
    }
    const { entry, file, bytesMax } = build.modules[name];
    const built = await build.buildWasm({ entry });
    assert.equal(built.sha256, shipped[name], 'run "npm run build:wasm"');
    assert.ok(built.binary.length <= bytesMax);
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    assert.equal(source, build.moduleSource(built));
  });
}
