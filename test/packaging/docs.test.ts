// Man pages and completions say what the programs know: all of it, in a form that man and the shells take.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Cli, processCli } from "../../src/cli/cli.ts";
import { allCommands, describeCommand } from "../../src/cli/command-tree.ts";
import { daemonOptions } from "../../src/cli/daemon-options.ts";
import { meshctlProgram } from "../../src/cli/program.ts";
import { buildCommand, runProgram } from "../../src/cli/run-program.ts";
import { configKeys } from "../../src/config/index.ts";
import { has } from "./support/deb.ts";

const { buildDocs } = (await import(
  new URL("../../packaging/build-docs.mjs", import.meta.url).href
)) as { buildDocs: (epoch: number) => Record<string, string> };

const epoch = 1_750_000_000;
const docs = buildDocs(epoch);
const program = describeCommand(buildCommand(meshctlProgram, processCli()));
const directory = mkdtempSync(join(tmpdir(), "meshctl-docs-"));

function without(tool: string): string | false {
  return has(tool) ? false : `${tool} is not installed`;
}
function textOf(path: string): string {
  const text = docs[path];
  assert.ok(text !== undefined, path);
  return text;
}
/** Roff with its escapes of hyphens taken back. */
function plain(path: string): string {
  return textOf(path).replaceAll("\\-", "-").replaceAll("\\fB", "").replaceAll("\\fR", "");
}

before(() => {
  for (const [path, text] of Object.entries(docs)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
});
after(() => rmSync(directory, { recursive: true }));

test("the same date gives the same bytes, another date changes nothing but the date", () => {
  assert.deepEqual(buildDocs(epoch), docs);
  const later = buildDocs(epoch + 86_400);
  for (const [path, text] of Object.entries(docs))
    assert.equal(later[path]?.replaceAll("2025-06-16", "2025-06-15"), text);
});

describe("man pages", () => {
  test("meshctl(1) has every command with every option and every word it takes", () => {
    const page = plain("man/meshctl.1");
    for (const command of allCommands(program)) {
      if (command.commands.length > 0) continue;
      const heading = `.SS "${command.path.join(" ")} ${command.usage}"`;
      const start = page.indexOf(heading);
      assert.ok(start >= 0, heading);
      const end = page.slice(start + 3).search(/^\.S[SH] /m);
      const section = page.slice(start, start + 3 + end);
      for (const { names, value } of command.options) {
        if (names.includes("--help")) continue;
        for (const word of [...names, ...(value?.choices ?? [])])
          assert.ok(section.includes(word), `${heading}: ${word}`);
      }
    }
    for (const { names } of program.options)
      assert.ok(
        names.every((name) => page.includes(name)),
        names.join(),
      );
  });

  test("meshd(8) has every option of the daemon, meshd.yml(5) every key", () => {
    for (const name of Object.keys(daemonOptions))
      assert.ok(plain("man/meshd.8").includes(`--${name}`), name);
    for (const key of Object.keys(configKeys))
      assert.ok(plain("man/meshd.yml.5").includes(`.TP\n${key}\n`), key);
  });

  test("the daemon's usage names every option", () => {
    const { stdout } = spawnSync(process.execPath, ["src/cli/meshd.ts", "--help"], {
      encoding: "utf8",
    });
    for (const name of Object.keys(daemonOptions))
      if (name !== "help") assert.ok(stdout.includes(`--${name}`), name);
  });

  const pages = Object.keys(docs).filter((path) => path.startsWith("man/"));
  test("man formats them without a warning", { skip: without("man") }, () => {
    for (const path of pages) {
      const result = spawnSync(
        "man",
        ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", join(directory, path)],
        { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8", MANROFFSEQ: "" } },
      );
      assert.deepEqual([result.status, result.stderr], [0, ""], path);
    }
  });

  test("mandoc finds nothing to complain about", { skip: without("mandoc") }, () => {
    for (const path of pages) {
      const result = spawnSync("mandoc", ["-Tlint", join(directory, path)], { encoding: "utf8" });
      assert.equal(result.stdout + result.stderr, "", path);
    }
  });
});

/** What bash offers after these words, the last one being completed. */
function bashOffers(...words: readonly string[]): string[] {
  const script = `
    source ${join(directory, "completions/bash/meshctl")}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _meshctl
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["--norc", "-c", script, "bash", "meshctl", ...words], {
    encoding: "utf8",
    cwd: directory,
  });
  return output.split("\n").filter((line) => line !== "");
}

/** What fish offers at the end of a line. */
function fishOffers(line: string): string[] {
  const script = `source ${join(directory, "completions/fish/meshctl.fish")}; complete -C ${JSON.stringify(line)}`;
  const output = execFileSync("fish", ["--no-config", "-c", script], {
    encoding: "utf8",
    cwd: directory,
    env: { ...process.env, HOME: directory, TERM: "dumb" },
  });
  return output.split("\n").flatMap((offer) => offer.split("\t")[0] || []);
}

/** The arguments of meshctl after typing a line, with tabs, into an interactive zsh. */
function zshTyped(line: string): string {
  writeFileSync(
    join(directory, ".zshrc"),
    `PS1=; fpath=(${join(directory, "completions/zsh")} $fpath)
     autoload -Uz compinit && compinit -u -D
     meshctl() { print -r -- "GOT<$*>" }\n`,
  );
  // The typed text ends at a return; what was typed is echoed too, but without the brackets.
  const script = `
    zmodload zsh/zpty
    zpty -b shell zsh -d -i
    zpty -w shell "$TYPED"
    repeat 400 { zpty -r -m shell output '*GOT<*>*' && break }
    print -r -- "$output"
    zpty -d shell`;
  const output = execFileSync("zsh", ["-f", "-c", script], {
    encoding: "utf8",
    cwd: directory,
    timeout: 60_000,
    env: { ...process.env, ZDOTDIR: directory, TERM: "dumb", TYPED: line },
  });
  return /GOT<([^>]*)>/.exec(output)?.[1] ?? output;
}

describe("completions", () => {
  test("all three name every command and every option", () => {
    for (const shell of ["bash/meshctl", "zsh/_meshctl", "fish/meshctl.fish"]) {
      const script = textOf(`completions/${shell}`);
      for (const { path, options } of allCommands(program)) {
        assert.match(script, new RegExp(`\\b${path.at(-1) ?? ""}\\b`));
        for (const { names } of options)
          for (const name of names) {
            const [dashes = "", word = ""] = name.split(/(?<=^-+)(?=\w)/);
            const asFish = `-${dashes === "--" ? "l" : "s"} ${word} `;
            assert.ok(script.includes(shell.startsWith("fish") ? asFish : name), name);
          }
      }
    }
  });

  test("meshctl completion prints the very script that is installed, and refuses other shells", async () => {
    const run = async (...args: readonly string[]): Promise<[number, string]> => {
      let out = "";
      const cli: Cli = { ...processCli(), out: (text) => (out += text), err: () => undefined };
      return [await runProgram(meshctlProgram, ["completion", ...args], cli), out];
    };
    assert.deepEqual(await run("bash"), [0, docs["completions/bash/meshctl"]]);
    assert.deepEqual(await run("zsh"), [0, docs["completions/zsh/_meshctl"]]);
    assert.deepEqual(await run("fish"), [0, docs["completions/fish/meshctl.fish"]]);
    assert.equal((await run("tcsh"))[0], 2);
    assert.equal((await run())[0], 2);
  });

  test("bash completes verbs, options, the values of options and files", {
    skip: without("bash"),
  }, () => {
    assert.deepEqual(bashOffers("fl", "st"), ["start", "status", "stop"]);
    assert.deepEqual(bashOffers("tok"), ["token"]);
    assert.deepEqual(bashOffers("--socket", "/x", "--json", "tok"), ["token"]);
    assert.deepEqual(bashOffers("completion", ""), ["bash", "zsh", "fish"]);
    assert.deepEqual(bashOffers("fl", "start", "--agg"), ["--aggregator"]);
    assert.deepEqual(bashOffers("fl", "start", "--aggregator", "m"), [
      "mean",
      "median",
      "multi-krum",
    ]);
    assert.deepEqual(bashOffers("fl", "start", "--aggregator", "=", "tri"), ["trimmed-mean"]);
    assert.deepEqual(bashOffers("fl", "start", "--aggregator", "=").length, 15);
    assert.deepEqual(bashOffers("fl", "start", "--name", ""), [], "no guess at a name");
    assert.deepEqual(bashOffers("--socket", "ma"), ["man"]);
    assert.deepEqual(bashOffers("config", "check", "comp"), ["completions"]);
    assert.ok(bashOffers("peers", "").includes("--json"), "nothing but options can follow");
    assert.ok(!bashOffers("").includes("--json"), "verbs come first");
    const words = program.commands.map(({ path }) => path.at(-1) ?? "");
    assert.deepEqual(bashOffers(""), words);
  });

  test("fish completes verbs, options and the values of options", { skip: without("fish") }, () => {
    assert.deepEqual(fishOffers("meshctl fl st").sort(), ["start", "status", "stop"]);
    assert.deepEqual(fishOffers("meshctl --socket /x --json tok"), ["token"]);
    assert.deepEqual(fishOffers("meshctl fl start --agg"), ["--aggregator"]);
    assert.deepEqual(fishOffers("meshctl fl start --aggregator tri"), ["trimmed-mean"]);
    assert.deepEqual(fishOffers("meshctl completion z"), ["zsh"]);
    assert.deepEqual(fishOffers("meshctl config check com"), ["completions/"]);
    assert.deepEqual(fishOffers("meshctl peers tok"), []);
  });

  test("zsh completes verbs, options and the values of options", { skip: without("zsh") }, () => {
    assert.equal(zshTyped("meshctl fl sto\t"), "fl stop");
    assert.equal(zshTyped("meshctl --socket /x tok\t"), "--socket /x token");
    assert.equal(zshTyped("meshctl fl start --agg\ttri\t"), "fl start --aggregator=trimmed-mean");
    assert.equal(zshTyped("meshctl config check comp\t"), "config check completions");
  });
});
