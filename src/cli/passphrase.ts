// A passphrase from a file, or from the terminal without showing it. Never from an argument or the environment: both
// can be read by others.

import { openSync, readFileSync, statSync } from "node:fs";
import { ReadStream } from "node:tty";
import { operationsLimits } from "../control/index.ts";
import { errorMessage, MeshError } from "../foundation/index.ts";
import type { Cli } from "./cli.ts";

const { passphraseCharsMin, passphraseCharsMax } = operationsLimits;

/**
 * @param twice ask again and compare: for a passphrase that is given for the first time
 * @throws MeshError `cli/no-passphrase`, `cli/bad-passphrase`, `cli/interrupted`
 */
export async function readPassphrase(
  cli: Cli,
  file: string | undefined,
  twice: boolean,
): Promise<string> {
  if (file !== undefined) return checked(fileText(cli, file), `The passphrase in '${file}'`);
  const first = checked(await ask(cli, "Passphrase: "), "The passphrase");
  if (twice && (await ask(cli, "The same again: ")) !== first)
    throw new MeshError("cli/bad-passphrase", "The two passphrases differ. Run it again.");
  return first;
}

function checked(passphrase: string, what: string): string {
  if (passphrase.length >= passphraseCharsMin && passphrase.length <= passphraseCharsMax)
    return passphrase;
  throw new MeshError(
    "cli/bad-passphrase",
    `${what} must have ${passphraseCharsMin} to ${passphraseCharsMax} characters. Five random words are good.`,
  );
}

/** The first line. Read by name at once: a special file such as /dev/fd/3 works too. */
function fileText(cli: Cli, file: string): string {
  try {
    const { mode } = statSync(file);
    if ((mode & 0o077) !== 0)
      cli.err(`warning: other users may read '${file}': chmod 600 on it.\n`);
    return readFileSync(file, "utf8").split(/\r?\n/, 1)[0] ?? "";
  } catch (cause) {
    throw new MeshError(
      "cli/no-passphrase",
      `Cannot read the passphrase: ${errorMessage(cause)}. Name a readable file with --passphrase-file.`,
      { file },
      { cause },
    );
  }
}

/** From the terminal itself, so that pipes stay free. */
async function ask(cli: Cli, prompt: string): Promise<string> {
  const terminal = openTerminal();
  cli.err(prompt);
  terminal.setRawMode(true);
  try {
    return await typedLine(terminal);
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
    cli.err("\n");
  }
}

function openTerminal(): ReadStream {
  try {
    return new ReadStream(openSync("/dev/tty", "r"));
  } catch (cause) {
    throw new MeshError(
      "cli/no-passphrase",
      "There is no terminal to ask for the passphrase. Name a file that holds it with --passphrase-file.",
      {},
      { cause },
    );
  }
}

const ENTER = new Set(["\r", "\n", "\u0004"]);
const ERASE = new Set(["\u007f", "\b"]);

function typedLine(terminal: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    terminal.setEncoding("utf8").on("data", (text: string) => {
      for (const character of text) {
        if (ENTER.has(character)) return resolve(typed.join(""));
        if (character === "\u0003")
          return reject(new MeshError("cli/interrupted", "Interrupted. Nothing was done."));
        if (ERASE.has(character)) typed = typed.slice(0, -1);
        else if (typed.length <= passphraseCharsMax) typed.push(character);
      }
    });
    terminal.on("error", reject);
    terminal.on("end", () => resolve(typed.join("")));
  });
}
