// Completion for zsh: a function for each command, built on _arguments.

import {
  allCommands,
  type CommandNode,
  commonOptions,
  type OptionNode,
  type Value,
} from "../command-tree.ts";
import { shellWord } from "./quote.ts";

/** The script for a program. */
export function zshCompletion(program: CommandNode): string {
  const name = program.path.join(" ");
  const functions = allCommands(program).map((command) => functionOf(command, program));
  return `#compdef ${name}
# zsh completion for ${name}; written by "${name} completion zsh".

${functions.join("\n")}
# Autoloaded, this file is the function's body; sourced, it registers the function.
if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function functionOf(command: CommandNode, program: CommandNode): string {
  const options =
    command === program ? program.options : [...command.options, ...commonOptions(program)];
  const specs = options.flatMap(optionSpecs);
  return command.commands.length === 0
    ? leafFunction(command, specs)
    : parentFunction(command, specs);
}

function leafFunction(command: CommandNode, specs: readonly string[]): string {
  const values = command.arguments.map(({ value }) => shellWord(`:${valueSpec(value)}`));
  return `${functionName(command)}() {
  _arguments -s \\
    ${[...specs, ...values].join(" \\\n    ")}
}
`;
}

function parentFunction(command: CommandNode, specs: readonly string[]): string {
  const name = functionName(command);
  const verbs = command.commands.map(({ path, description }) =>
    shellWord(`${path.at(-1) ?? ""}:${description.replaceAll(":", "\\:")}`),
  );
  return `${name}() {
  local curcontext=$curcontext state line ret=1
  local -A opt_args
  _arguments -C -s \\
    ${specs.join(" \\\n    ")} \\
    '1: :->verb' '*:: :->rest' && ret=0
  case $state in
    verb)
      local -a verbs=(
        ${verbs.join("\n        ")}
      )
      _describe -t commands command verbs && ret=0
      ;;
    rest)
      (( $+functions[${name}_$line[1]] )) && ${name}_$line[1] && ret=0
      ;;
  esac
  return ret
}
`;
}

function functionName({ path }: CommandNode): string {
  return `_${path.join("_")}`;
}

function optionSpecs({ names, description, value }: OptionNode): string[] {
  const text = description.replaceAll(/[[\]\\]/g, String.raw`\$&`);
  return names.map((name) => {
    const exclusive = names.length > 1 ? `(${names.join(" ")})` : "";
    if (value === undefined) return shellWord(`${exclusive}${name}[${text}]`);
    const assign = name.startsWith("--") ? "=" : "+";
    return shellWord(`${exclusive}${name}${assign}[${text}]:${valueSpec(value)}`);
  });
}

function valueSpec({ name, choices, isFile }: Value): string {
  const action = isFile ? "_files" : choices.length > 0 ? `(${choices.join(" ")})` : " ";
  return `${name}:${action}`;
}
