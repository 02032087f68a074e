// npm run build:wasm: compiles wasm/ with AssemblyScript into src/adapters/wasm/module.ts and prints its size and SHA-256.
//
// The result is kept under version control: tests, tsx and the bundle need no compiler, and a change of a kernel shows as a change of the
// digest. A test compiles again and compares.
//
// No paths, dates or names enter the output, so the same sources give the same bytes on every machine. `-O3` without shrinking:
// the kernels are small, and inlining is what makes them fast. The stub runtime only reserves static memory; nothing allocates.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";

const root = new URL("..", import.meta.url);

/** Bytes that the whole module may have. */
export const WASM_BYTES_MAX = 120 * 1024;

/**
 * Compiles `wasm/<entry>` and gives `{ binary, text, sha256 }`. With `source`, the entry is that text instead of a file (tests
 * reach functions the module does not export that way).
 */
export async function buildWasm({ entry = "index.ts", source } = {}) {
  const outputs = new Map();
  const { error, stderr } = await asc.main(
    // biome-ignore format: one option a line would hide them
    [entry, "-o", "out.wasm", "-t", "out.wat", "-O3", "--enable", "simd", "--runtime", "stub", "--noAssert", "--maximumMemory", "4096"],
    {
      readFile(name) {
        if (name === entry && source !== undefined) return source;
        const file = new URL(`wasm/${name}`, root);
        return existsSync(file) ? readFileSync(file, "utf8") : null;
      },
      writeFile(name, contents) {
        outputs.set(name, contents);
      },
      listFiles: () => [],
    },
  );
  const messages = stderr.toString();
  if (error !== null || messages !== "") {
    throw new Error(`Cannot compile wasm/${entry}: ${error?.message ?? "warnings"}\n${messages}`);
  }
  const binary = outputs.get("out.wasm");
  const sha256 = createHash("sha256").update(binary).digest("hex");
  return { binary, text: outputs.get("out.wat"), sha256 };
}

/** The text of module.ts for a binary. */
export function moduleSource({ binary, sha256 }) {
  return `// The kernels of wasm/ as bytes in base64, and their SHA-256. Written by "npm run build:wasm"; do not edit.

export const kernelsSha256 = "${sha256}";

export const kernelsBase64 =
  "${Buffer.from(binary).toString("base64")}";
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const built = await buildWasm();
  const { length } = built.binary;
  if (length > WASM_BYTES_MAX) {
    console.error(`The kernels have ${length} bytes, more than ${WASM_BYTES_MAX}.`);
    process.exit(1);
  }
  const file = new URL("src/adapters/wasm/module.ts", root);
  writeFileSync(file, moduleSource(built));
  console.log(`${fileURLToPath(file)}  ${length} bytes  sha256 ${built.sha256}`);
}
