// meshctl bugreport: one file that somebody else can look at.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import {
  concatBytes,
  errorMessage,
  MeshError,
  tarEnd,
  tarHeader,
  tarPadding,
  utf8Bytes,
} from "../../foundation/index.ts";
import { isJson, jsonText } from "../answer.ts";
import { gather, type ReportFile } from "../bugreport/gather.ts";
import type { RegisterCommand } from "../cli.ts";
import { defaultConfigFile } from "../offline.ts";
import { plainText } from "../table.ts";
import { build } from "../version.ts";

interface BugreportOptions {
  readonly output?: string;
  readonly config: string;
}

/** Adds `bugreport`. */
export const bugreportCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("bugreport")
    .description("collect what helps to find a fault in one file, anonymised and without secrets")
    .option("--output <file>", "the .tar.gz to write (default: meshd-bugreport-TIME.tar.gz here)")
    .option(
      "--config <file>",
      "the configuration to look at when no daemon answers",
      defaultConfigFile,
    );
  command.action(async ({ output, config }: BugreportOptions) => {
    const time = new Date(cli.screen.nowMs()).toISOString().replace(/[-:]|\.\d+/g, "");
    const file = resolve(output ?? `meshd-bugreport-${time}.tar.gz`);
    const files = await gather(cli, command, {
      config: resolve(config),
      version: build.version,
    });
    save(file, tarball(files, cli.screen.nowMs()));
    if (isJson(command))
      cli.out(jsonText({ schemaVersion: 1, file, files: files.map(({ name }) => name) }));
    else
      cli.out(
        `Wrote ${plainText(file, 4_096)} with ${files.map(({ name }) => name).join(", ")}.\n` +
          "Names and addresses in it are pseudonyms. Look through it before you pass it on.\n",
      );
  });
};

function tarball(files: readonly ReportFile[], nowMs: number): Uint8Array {
  const mtime = Math.floor(nowMs / 1_000);
  const parts = files.flatMap(({ name, text }) => {
    const bytes = utf8Bytes(text);
    const header = { name: `meshd-bugreport/${name}`, size: bytes.length, mode: 0o600, mtime };
    return [tarHeader(header), bytes, tarPadding(bytes.length)];
  });
  return gzipSync(concatBytes(...parts, tarEnd()));
}

function save(file: string, bytes: Uint8Array): void {
  try {
    writeFileSync(file, bytes, { flag: "wx", mode: 0o600 });
  } catch (cause) {
    throw new MeshError(
      "cli/cannot-write",
      `Cannot write '${file}': ${errorMessage(cause)}. Name a file that does not exist yet with --output.`,
      { file },
      { cause },
    );
  }
}
