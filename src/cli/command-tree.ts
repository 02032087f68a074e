// A command line as data: what man pages and completions are made from.

import type { Argument, Command, Option } from "commander";

/** What stands after an option, or as an argument. */
export interface Value {
  /** As the help calls it. */
  readonly name: string;
  /** The only words allowed; empty when any text may stand here. */
  readonly choices: readonly string[];
  /** A shell should offer the names of files. */
  readonly isFile: boolean;
}

/** An option of a command. */
export interface OptionNode {
  /** Such as `-h` and `--help`. */
  readonly names: readonly string[];
  readonly description: string;
  /** As the help shows it; undefined where there is none. */
  readonly defaultText: string | undefined;
  readonly value: Value | undefined;
}

/** A positional argument of a command. */
export interface ArgumentNode {
  readonly description: string;
  readonly value: Value;
}

/** A command with all that is below it. */
export interface CommandNode {
  /** The words that lead to it, the program's name first. */
  readonly path: readonly string[];
  readonly description: string;
  /** What follows its path, such as `[options] <file>`. */
  readonly usage: string;
  readonly arguments: readonly ArgumentNode[];
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
}

/** Describes a command and everything below it, without what is hidden and without commander's own `help` verbs. */
export function describeCommand(command: Command, parents: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  const path = [...parents, command.name()];
  return {
    path,
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map(describeArgument),
    options: help.visibleOptions(command).map(describeOption),
    commands: help
      .visibleCommands(command)
      .filter((child) => command.commands.includes(child))
      .map((child) => describeCommand(child, path)),
  };
}

/** The command and all below it, from the top. */
export function allCommands(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allCommands)];
}

/** The program's options that every command takes: not those that end the run. */
export function commonOptions(program: CommandNode): OptionNode[] {
  return program.options.filter(({ names }) =>
    names.every((name) => !["--help", "--version"].includes(name)),
  );
}

function describeOption(option: Option): OptionNode {
  const { short, long, description, argChoices, defaultValueDescription } = option;
  const name = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  return {
    names: [short, long].filter((text) => text !== undefined),
    description,
    defaultText: defaultValueDescription ?? presetText(option.defaultValue),
    value: name === undefined ? undefined : describeValue(name, argChoices),
  };
}

function presetText(preset: unknown): string | undefined {
  return typeof preset === "string" || preset === undefined ? preset : JSON.stringify(preset);
}

function describeArgument(argument: Argument): ArgumentNode {
  return {
    description: argument.description,
    value: describeValue(argument.name(), argument.argChoices),
  };
}

const fileNames = ["file", "path", "directory"];

function describeValue(name: string, choices: readonly string[] = []): Value {
  return { name, choices, isFile: fileNames.includes(name) };
}
