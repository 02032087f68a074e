// The effective configuration as a file that the daemon would read, with the origin of each value as a comment.
// Lists and mappings stand in YAML's flow form, which is JSON: one line a key.

import type { EffectiveConfig } from "../control/index.ts";
import { plainText } from "./table.ts";

type Key = EffectiveConfig["keys"][number];

/** YAML; a value that waits for a restart says so. A key without a value is left out, as in a file. */
export function configYaml({ file, keys, restartPending }: EffectiveConfig): string {
  const head = `# ${file === null ? "no file" : plainText(file, 4_096)}\n`;
  const lines: string[] = [];
  let open: readonly string[] = [];
  for (const key of keys.filter(({ value }) => value !== null)) {
    const path = key.key.split(".");
    const sections = path.slice(0, -1);
    for (const [depth, name] of sections.entries())
      if (sections.slice(0, depth + 1).join(".") !== open.slice(0, depth + 1).join("."))
        lines.push(`${"  ".repeat(depth)}${name}:`);
    open = sections;
    lines.push("  ".repeat(sections.length) + line(key, path.at(-1) ?? "", restartPending));
  }
  return lines.length === 0
    ? `${head}# The file sets nothing. See the defaults with --effective.\n`
    : head + lines.map((text) => `${text}\n`).join("");
}

function line(
  { key, value, origin }: Key,
  name: string,
  restartPending: readonly string[],
): string {
  const pending = restartPending.includes(key)
    ? "; the file has another value by now, restart to use it"
    : "";
  return `${name}: ${scalar(value)} # ${origin}${pending}`;
}

/** Without quotes only what cannot be taken for anything but this text. */
function scalar(value: Key["value"]): string {
  const isPlain = typeof value === "string" && /^[A-Za-z/][A-Za-z0-9/._-]*$/.test(value);
  return isPlain && !/^(true|false|null|yes|no|on|off)$/i.test(value)
    ? value
    : JSON.stringify(value);
}
