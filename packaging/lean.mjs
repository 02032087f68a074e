// What keeps the bundle's memory small, as esbuild plugins: each takes out something of Node.js or of a package that a
// daemon never uses but would hold for its whole life. The numbers are resident memory of an idle daemon, in MB.

import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { pathToFileURL } from "node:url";

const builtins = new Set(builtinModules);

/**
 * Node's own modules are taken with require. An import runs every getter of the module, and those of node:http load
 * the whole fetch client (undici). 5 MB, as long as nothing else asks for it.
 * Each is one ES module here, of which the bundle keeps the names that are used. The bundler's own wrapper for what is required
 * defines a getter for every name of the module in every file that imports it: 8,000 functions. 2 MB.
 */
const requireBuiltins = {
  name: "require-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z:_/0-9]+$/ }, ({ path, kind, namespace }) => {
      const name = path.replace(/^node:/, "");
      if (namespace === "builtin" || kind === "require-call") return undefined;
      return path.startsWith("node:") || builtins.has(name)
        ? { path: name, namespace: "builtin", sideEffects: false }
        : undefined;
    });
    onLoad({ filter: /.*/, namespace: "builtin" }, async ({ path }) => {
      const names = Object.keys(await import(`node:${path}`));
      return { contents: (rarelyUsed.has(path) ? lazily : eagerly)(path, names.filter(isName)) };
    });
  },
};

/** What only some configurations need, with TLS below it: loaded at the first use of anything in it. */
const rarelyUsed = new Set(["http2", "https"]);

const isName = (name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== "default";

/** What is marked pure and not used is left out. */
function eagerly(path, names) {
  return `const builtin = require("node:${path}");
const get = (name) => builtin[name];
${names.map((name) => `const _${name} = /* @__PURE__ */ get("${name}");`).join("\n")}
export { ${names.map((name) => `_${name} as ${name}`).join(", ")} };
export default builtin;`;
}

function lazily(path, names) {
  return `let builtin;
const load = () => (builtin ??= require("node:${path}"));
for (const name of ${JSON.stringify(names)})
  Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });`;
}

/**
 * Parts of prom-client that nothing here calls: pushing metrics and gathering them from a cluster, which load node's
 * TLS, zlib and cluster, and the default metrics, for which telemetry has its own.
 */
const withoutUnusedMetrics = {
  name: "without-unused-metrics",
  setup({ onLoad }) {
    onLoad({ filter: /\/prom-client\/lib\/(pushgateway|cluster|defaultMetrics)\.js$/ }, () => ({
      contents:
        'module.exports = function () { throw new Error("This part of prom-client is left out of the bundle."); };',
    }));
  },
};

/**
 * The DHT's table of 65,536 numbers that lead to a given prefix, for its refresh every five minutes. As an array it lies here
 * as source text, as what V8 copies arrays from, and as itself. 1 MB.
 */
const packedPrefixes = {
  name: "packed-prefixes",
  setup({ onLoad }) {
    onLoad(
      { filter: /\/kad-dht\/dist\/src\/routing-table\/generated-prefix-list\.js$/ },
      async ({ path }) => {
        const { default: prefixes } = await import(pathToFileURL(path).href);
        const bytes = Buffer.alloc(3 * prefixes.length);
        for (const [at, prefix] of prefixes.entries()) bytes.writeUIntLE(prefix, 3 * at, 3);
        return {
          contents: `const text = () => "${bytes.toString("base64")}";
export default (at) => Buffer.from(text().slice(4 * at, 4 * at + 4), "base64").readUIntLE(0, 3);`,
        };
      },
    );
    onLoad({ filter: /\/kad-dht\/dist\/src\/routing-table\/refresh\.js$/ }, async ({ path }) => {
      const parts = (await readFile(path, "utf8")).split("GENERATED_PREFIXES[targetPrefix]");
      if (parts.length !== 2) throw new Error(`${path} does not look the prefix up as it did.`);
      return { contents: parts.join("GENERATED_PREFIXES(targetPrefix)") };
    });
  },
};

export const lean = [requireBuiltins, withoutUnusedMetrics, packedPrefixes];
