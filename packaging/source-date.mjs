// The one date that packages carry: SOURCE_DATE_EPOCH where it is set (reproducible-builds.org), else that of the commit.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Seconds since 1970. */
export function sourceDateEpoch(env = process.env) {
  const text =
    env.SOURCE_DATE_EPOCH ??
    execFileSync("git", ["log", "-1", "--format=%ct"], {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      encoding: "utf8",
    }).trim();
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new Error(
    `SOURCE_DATE_EPOCH must be seconds since 1970: current value is "${text}". Set it to the date of the source.`,
  );
}
