// Where the code of a worker thread is: a TypeScript file when the daemon runs from its sources, a bundle beside the daemon's bundle, or an
// asset of the single executable, which has no files.

import { getAsset, isSea } from "node:sea";
import { Worker, type WorkerOptions } from "node:worker_threads";

/** A file, or the module's text itself. */
export type WorkerCode =
  | { readonly kind: "file"; readonly url: URL }
  | { readonly kind: "text"; readonly text: string };

/**
 * Starts a thread. `entry` is the URL of its source relative to `import.meta.url` of the caller: bundling keeps the name and changes the
 * place and the extension.
 */
export function startWorker(entry: URL, options: WorkerOptions): Worker {
  const code = workerCode(entry, import.meta.url, isSea() ? assetText : undefined);
  return code.kind === "file"
    ? new Worker(code.url, options)
    : new Worker(code.text, { ...options, eval: true });
}

/** `here` is the URL of the running module; `asset` gives an executable's asset, and is absent elsewhere. */
export function workerCode(entry: URL, here: string, asset?: (name: string) => string): WorkerCode {
  const bundled = new URL(entry.href.replace(/\.ts$/, ".mjs"));
  if (asset !== undefined) {
    return { kind: "text", text: asset(bundled.pathname.replace(/^.*\//, "")) };
  }
  return { kind: "file", url: here.endsWith(".ts") ? entry : bundled };
}

function assetText(name: string): string {
  return getAsset(name, "utf8");
}
