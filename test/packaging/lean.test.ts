// What packaging/lean.mjs changes on the way into the bundle still says the same.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { lean } = (await import(join(root, "packaging/lean.mjs"))) as { lean: Plugin[] };
const prefixes = "node_modules/@libp2p/kad-dht/dist/src/routing-table/generated-prefix-list.js";

/** Bundles `source` as the daemon is bundled; the file and its length. */
async function bundled(t: test.TestContext, source: string) {
  const directory = mkdtempSync(join(tmpdir(), "x0-lean-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const outfile = join(directory, "bundle.mjs");
  await build({
    stdin: { contents: source, resolveDir: root },
    ...{ bundle: true, platform: "node", format: "esm", outfile, plugins: lean },
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  return { file: outfile, bytes: statSync(outfile).size };
}

void test("the packed prefixes of the DHT are its own, all 65,536", async (t) => {
  const { file, bytes } = await bundled(t, `export { default as at } from "./${prefixes}";`);
  const { at } = (await import(pathToFileURL(file).href)) as { at: (prefix: number) => number };
  const original = (await import(pathToFileURL(join(root, prefixes)).href)) as {
    default: number[];
  };
  assert.equal(original.default.length, 65_536);
  assert.deepEqual(
    original.default.map((_, prefix) => at(prefix)),
    original.default,
  );
  assert.ok(bytes < 300_000, `four characters each, and not ${bytes} bytes`);
});

void test("of Node's modules the used names are taken, and https only when it is used", async (t) => {
  const { file } = await bundled(
    t,
    `import { Agent } from "node:https"; import { join } from "node:path"; import fs from "node:fs";
     const loaded = () => process.moduleLoadList.includes("NativeModule https");
     const before = loaded();
     const agent = new Agent().constructor.name;
     fs.writeSync(1, JSON.stringify([join("a", "b"), before, agent, loaded()]));`,
  );
  const said: unknown = JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8" }));
  assert.deepEqual(said, [join("a", "b"), false, "Agent", true]);
});
