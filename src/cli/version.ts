// What this build is, as `--version` prints it.

import packageFile from "../../package.json" with { type: "json" };

/** The bundle has its commit written in; the sources do not know theirs. */
export const build = {
  version: packageFile.version,
  commit: process.env["MESHD_COMMIT"] ?? "unknown",
} as const;

export const versionText = `${build.version} (${build.commit})`;
