// npm run build:wasm: compiles wasm/ with AssemblyScript, prints size and SHA-256 of each module, and writes them as TypeScript.
//
// There are two modules, because keys and what peers send must never be in one memory: the crypto kernels (src/adapters/wasm/module.ts),
// and those of learning (src/adapters/wasm/learning/module.ts), whose memory is shared with threads and made by the host.
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

/** What is built: the entry under wasm/, where it goes, the bytes it may have, and what its memory is. */
export const modules = {
  crypto: {
    entry: "index.ts",
    file: "src/adapters/wasm/module.ts",
    bytesMax: 120 * 1024,
    memory: ["--maximumMemory", "4096"],
  },
  learning: {
    entry: "learning/index.ts",
    file: "src/adapters/wasm/learning/module.ts",
    bytesMax: 24 * 1024,
    memory: [
      "--enable",
      "threads",
      "--importMemory",
      "--sharedMemory",
      "--noExportMemory",
      "--maximumMemory",
      "65536",
    ],
  },
};

/**
 * Compiles `wasm/<entry>` and gives `{ binary, text, sha256 }`. With `source`, the entry is that text instead of a file (tests
 * reach functions the module does not export that way).
 */
export async function buildWasm({ entry = modules.crypto.entry, source } = {}) {
  const { memory } = entry === modules.learning.entry ? modules.learning : modules.crypto;
  const outputs = new Map();
  const { error, stderr } = await asc.main(
    // biome-ignore format: one option a line would hide them
    [entry, "-o", "out.wasm", "-t", "out.wat", "-O3", "--enable", "simd", "--runtime", "stub", "--noAssert", ...memory],
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

/** The TypeScript file for a binary. */
export function moduleSource({ binary, sha256 }) {
  return `// The kernels of wasm/ as bytes in base64, and their SHA-256. Written by "npm run build:wasm"; do not edit.

export const kernelsSha256 = "${sha256}";

export const kernelsBase64 =
  "${Buffer.from(binary).toString("base64")}";
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const { entry, file, bytesMax } of Object.values(modules)) {
    const built = await buildWasm({ entry });
    const { length } = built.binary;
    if (length > bytesMax) {
      console.error(`The kernels of wasm/${entry} have ${length} bytes, more than ${bytesMax}.`);
      process.exit(1);
    }
    const path = fileURLToPath(new URL(file, root));
    writeFileSync(path, moduleSource(built));
    console.log(`${path}  ${length} bytes  sha256 ${built.sha256}`);
  }
}
