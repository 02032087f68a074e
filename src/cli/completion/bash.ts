// Completion for bash: two tables of words and a function that walks the command line with them.
// It needs nothing of the bash-completion package but its loading by command name.

import { allCommands, type CommandNode, commonOptions, type Value } from "../command-tree.ts";
import { shellWord } from "./quote.ts";

/** The script for a program. */
export function bashCompletion(program: CommandNode): string {
  const name = program.path.join(" ");
  const commands = allCommands(program);
  const words = commands.map((command) => [command.path.join(" "), wordsOf(command, program)]);
  const values = commands.flatMap(valuesOf);
  return `# bash completion for ${name}; written by "${name} completion bash".

# What may follow a command: its verbs, its options, and <file> where a file is meant.
_${name}_words() {
  case $1 in
${table(words)}
  esac
}

# What an option takes: the words allowed, <file>, or <text> for anything else.
_${name}_values() {
  case $1 in
${table(values)}
  esac
}

_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} command=${name} value='' word words i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # --option=value arrives as three words.
    [[ $word == = ]] && continue
    if [[ -n $value ]]; then
      value=''
    elif [[ $word == -* ]]; then
      value=$(_${name}_values "$command $word")
      # The program's own options may follow any verb.
      value=\${value:-$(_${name}_values "${name} $word")}
    elif [[ " $(_${name}_words "$command") " == *" $word "* && -n $(_${name}_words "$command $word") ]]; then
      command+=" $word"
    fi
  done
  [[ $current == = ]] && current=''
  words=\${value:-$(_${name}_words "$command")}
  if [[ " $words " == *' <file> '* && $current != -* ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ $words != '<text>' ]]; then
    # Options are offered to who asks for them, or where nothing else can follow.
    [[ $current != -* && $words == [a-z]* ]] && words=\${words%% -*}
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}

complete -F _${name} ${name}
`;
}

function table(rows: readonly (readonly string[])[]): string {
  return rows
    .map(([key = "", text = ""]) => `    ${shellWord(key)}) echo ${shellWord(text)} ;;`)
    .join("\n");
}

/** The verbs first: the script cuts the options off at the first dash. */
function wordsOf(command: CommandNode, program: CommandNode): string {
  const verbs = command.commands.map(({ path }) => path.at(-1) ?? "");
  const values = command.arguments.flatMap(({ value }) =>
    value.isFile ? ["<file>"] : value.choices,
  );
  const common = command === program ? [] : commonOptions(program);
  const options = [...command.options, ...common].flatMap(({ names }) => names);
  return [...verbs, ...values, ...options].join(" ");
}

function valuesOf({ path, options }: CommandNode): string[][] {
  return options.flatMap(({ names, value }) =>
    value === undefined ? [] : names.map((name) => [[...path, name].join(" "), valueText(value)]),
  );
}

function valueText({ choices, isFile }: Value): string {
  return isFile ? "<file>" : choices.join(" ") || "<text>";
}
