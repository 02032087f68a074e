// meshctl backup create | verify | restore: the whole state of a node in one encrypted file.

import { existsSync, linkSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import {
  type Backup,
  backupKey,
  backupSchema,
  newBackupHeader,
  parseBackupHeader,
  restoredSchema,
} from "../../control/index.ts";
import { errorMessage, isMeshError, MeshError, toHex } from "../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../answer.ts";
import type { Cli, RegisterCommand } from "../cli.ts";
import { bytesText, timeText } from "../format.ts";
import { defaultConfigFile, offline } from "../offline.ts";
import { readPassphrase } from "../passphrase.ts";
import { cell, plainText, renderFields } from "../table.ts";

interface PassphraseOption {
  readonly passphraseFile?: string;
}

const passphraseOption = [
  "--passphrase-file <file>",
  "a file whose first line is the passphrase (default: ask on the terminal)",
] as const;

/** Adds `backup` with its verbs. */
export const backupCommand: RegisterCommand = (parent, cli) => {
  const backup = parent.command("backup").description("save this node's state and bring it back");
  registerCreate(backup, cli);
  registerVerify(backup, cli);
  registerRestore(backup, cli);
};

interface CreateOptions extends PassphraseOption {
  readonly encrypt?: true;
  readonly output: string;
}

function registerCreate(backup: Command, cli: Cli): void {
  const command = backup
    .command("create")
    .description("save the running daemon's keys and state in one encrypted file")
    .option("--encrypt", "required: a backup holds the node's keys, so there is none in clear")
    .requiredOption("--output <file>", "the file to write; it must not exist")
    .option(...passphraseOption);
  command.action(async ({ encrypt, output, passphraseFile }: CreateOptions) => {
    if (encrypt !== true) {
      command.error(
        "error: a backup without the node's keys would bring no node back, and keys are never written in clear: add --encrypt",
      );
    }
    const file = resolve(output);
    if (existsSync(file)) throw exists(file);
    const passphrase = await readPassphrase(cli, passphraseFile, true);
    const bytes = await create(cli, command, file, passphrase);
    if (isJson(command)) cli.out(jsonText({ schemaVersion: 1, file, bytes }));
    else
      cli.out(
        `Saved in ${plainText(file, 4096)} (${bytesText(bytes)}). Without its passphrase it is worth nothing: keep both, apart.\n` +
          "Check it with: meshctl backup verify FILE\n",
      );
  });
}

/** Under another name until it is whole; only this user may read it. */
async function create(
  cli: Cli,
  command: Command,
  file: string,
  passphrase: string,
): Promise<number> {
  const header = newBackupHeader();
  const key = await backupKey(passphrase, parseBackupHeader(header));
  const request = { header: toHex(header), key: toHex(key) };
  const partial = `${file}.partial`;
  const output = await open(partial, "wx", 0o600).catch((cause: unknown) => {
    throw isTaken(cause) ? exists(partial) : cannotWrite(partial, cause);
  });
  try {
    await pipeline(
      clientOf(cli, command).backup(request),
      output.createWriteStream({ flush: true }),
    );
    linkSync(partial, file);
    return statSync(file).size;
  } catch (cause) {
    if (isMeshError(cause)) throw cause;
    throw isTaken(cause) ? exists(file) : cannotWrite(file, cause);
  } finally {
    key.fill(0);
    rmSync(partial, { force: true });
  }
}

const isTaken = (cause: unknown): boolean => (cause as NodeJS.ErrnoException).code === "EEXIST";

function exists(file: string): MeshError {
  return new MeshError(
    "cli/file-exists",
    `'${file}' exists already and is not overwritten. Choose another name, or remove it.`,
    { file },
  );
}

function cannotWrite(file: string, cause: unknown): MeshError {
  return new MeshError(
    "cli/cannot-write",
    `Cannot write '${file}': ${errorMessage(cause)}. Choose a place with free space that this user may write.`,
    { file },
    { cause },
  );
}

function registerVerify(backup: Command, cli: Cli): void {
  const command = backup
    .command("verify")
    .description("open a backup and check everything in it; writes nothing, needs no daemon")
    .argument("<file>", "the backup")
    .option(...passphraseOption);
  command.action(async (file: string, { passphraseFile }: PassphraseOption) => {
    const passphrase = await readPassphrase(cli, passphraseFile, false);
    const found = await offline(
      { verb: "backup-verify", file: resolve(file), passphrase },
      backupSchema,
    );
    cli.out(isJson(command) ? jsonText(found) : `The backup is whole.\n${drawBackup(found, cli)}`);
  });
}

interface RestoreOptions extends PassphraseOption {
  readonly config: string;
  readonly replace?: true;
}

function registerRestore(backup: Command, cli: Cli): void {
  const command = backup
    .command("restore")
    .description("bring a backup back into the state directory of a stopped daemon")
    .argument("<file>", "the backup")
    .option(
      "--config <file>",
      "the configuration that names the state directory",
      defaultConfigFile,
    )
    .option("--replace", "move a state that is there aside")
    .option(...passphraseOption);
  command.action(async (file: string, { config, replace, passphraseFile }: RestoreOptions) => {
    const passphrase = await readPassphrase(cli, passphraseFile, false);
    const request = {
      verb: "backup-restore" as const,
      file: resolve(file),
      config: resolve(config),
      passphrase,
      replace: replace === true,
    };
    const restored = await offline(request, restoredSchema);
    if (isJson(command)) cli.out(jsonText(restored));
    else {
      const aside =
        restored.replaced === null
          ? ""
          : `The state before is in ${plainText(restored.replaced, 4096)}.\n`;
      cli.out(
        `Restored into ${plainText(restored.stateDir, 4096)}.\n${drawBackup(restored, cli)}${aside}`,
      );
    }
    cli.err(
      "warning: two nodes must never run with one identity: the mesh takes that for an attack and shuts both out.\n" +
        "Make sure that the node this backup was made of does not run any more, then start meshd here.\n",
    );
  });
}

function drawBackup(backup: Omit<Backup, "schemaVersion">, { screen }: Cli): string {
  const { createdAt, version, schema, nodeId, name, trustDomain, isIssuer, bytes } = backup;
  return renderFields(
    [
      ["node", cell(name === null ? "in no mesh" : `${name} of ${trustDomain ?? ""}`)],
      ["node id", cell(nodeId)],
      ["issuer", cell(isIssuer ? "yes: it holds the keys of the trust domain" : "no")],
      ["made at", cell(timeText(createdAt))],
      ["made by", cell(`meshd ${version}, state schema ${schema}`)],
      ["holds", cell(bytesText(bytes))],
    ],
    screen.colours,
  );
}
