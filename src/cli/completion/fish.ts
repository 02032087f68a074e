// Completion for fish: a list of `complete` lines, each with the command that it belongs to as its condition.

import {
  allCommands,
  type CommandNode,
  commonOptions,
  type OptionNode,
  type Value,
} from "../command-tree.ts";
import { fishWord } from "./quote.ts";

/** The script for a program. */
export function fishCompletion(program: CommandNode): string {
  const name = program.path.join(" ");
  const commands = allCommands(program);
  const common = commonOptions(program);
  const withValue = commands
    .flatMap(({ options }) => options)
    .flatMap((option) => (option.value === undefined ? [] : option.names));
  const lines = [
    ...common.map((option) => `complete -c ${name} ${optionText(option)}`),
    ...commands.flatMap((command) =>
      linesOf(
        command,
        command.options.filter((option) => !common.includes(option)),
      ),
    ),
  ];
  return `# fish completion for ${name}; written by "${name} completion fish".

# Whether the words so far, without options and their values, are exactly (is) or begin with (under) the given ones.
function __${name}_at
    set -l words
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- $word ${[...new Set(withValue)].join(" ")}
            set skip 1
        else if not string match -q -- '-*' $word
            set -a words $word
        end
    end
    set -l wanted $argv[2..]
    set -l count (count $wanted)
    switch $argv[1]
        case is
            test "$words" = "$wanted"
        case under
            test (count $words) -ge $count; and test "$words[1..$count]" = "$wanted"
    end
end

complete -c ${name} -f
${lines.join("\n")}
`;
}

/** A command without verbs may have arguments after it, one with verbs may not. */
function linesOf(command: CommandNode, options: readonly OptionNode[]): string[] {
  const [name = "", ...words] = command.path;
  const how = command.commands.length === 0 ? "under" : "is";
  const at = `complete -c ${name} -n ${fishWord([`__${name}_at`, how, ...words].join(" "))}`;
  return [
    ...command.commands.map(
      ({ path, description }) => `${at} -a ${path.at(-1) ?? ""} -d ${fishWord(description)}`,
    ),
    ...command.arguments.flatMap(({ value }) => {
      const words = valueText(value);
      return words === "" ? [] : [`${at} ${words}`];
    }),
    ...options.map((option) => `${at} ${optionText(option)}`),
  ];
}

function optionText({ names, description, value }: OptionNode): string {
  const flags = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const required = value === undefined ? [] : ["-r", valueText(value)];
  return [...flags, ...required, `-d ${fishWord(description)}`]
    .filter((text) => text !== "")
    .join(" ");
}

function valueText({ choices, isFile }: Value): string {
  if (isFile) return "-F";
  return choices.length > 0 ? `-a ${fishWord(choices.join(" "))}` : "";
}
