// What keeps the bundle's memory small, as esbuild plugins: each takes out something of Node.js or of a package that a
// daemon never uses but would hold for its whole life. The numbers are resident memory of an idle daemon, in MB.

import { builtinModules } from "node:module";

const builtins = new Set(builtinModules);

/**
 * Node's own modules are taken with require. An import runs every getter of the module, and those of node:http load
 * the whole fetch client (undici). 5 MB, as long as nothing else asks for it.
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
    onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require("node:${path}");`,
    }));
  },
};

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

export const lean = [requireBuiltins, withoutUnusedMetrics];
