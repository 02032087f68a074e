// The man pages as roff, with the macros of man(7): meshctl(1) from the commander definitions, meshd(8) from the daemon's
// options, meshd.yml(5) from the table of configuration keys. Pure functions: the same input gives the same bytes.

/** @typedef {{ version: string, date: string }} Edition the version of the package and its date as YYYY-MM-DD */

/** meshctl(1) of the program's described commands. */
export function meshctlPage(program, edition) {
  return page("meshctl", 1, "control a mesh node", edition, [
    section("SYNOPSIS", `.B meshctl\n${roff(program.usage)}`),
    section(
      "DESCRIPTION",
      paragraph(program.description),
      paragraph(
        "It speaks to the daemon over its control socket, so it must run on the daemon's host, as root or as a member of the group meshd.",
      ),
    ),
    section("OPTIONS", paragraph("These may follow any command:"), ...program.options.map(option)),
    section("COMMANDS", ...leaves(program).map(command)),
    section(
      "EXIT STATUS",
      item("0", "done"),
      item("1", "failure"),
      item("2", "usage: the command line was not understood"),
      item("3", "the daemon cannot be reached"),
      item("4", "the daemon answers and is degraded"),
    ),
    section(
      "ENVIRONMENT",
      item("MESHD_SOCKET", "the control socket, where --socket is not given"),
      item("NO_COLOR", "when set, nothing is coloured"),
    ),
    section("FILES", item("/run/meshd/control.sock", "the control socket")),
    section(
      "EXAMPLES",
      paragraph("On the first host of a mesh:"),
      example("meshctl init --trust-domain mesh.example.org --name first\nmeshctl token create"),
      paragraph("On the next one, with the token that was printed:"),
      example("meshctl join - --name second < token\nmeshctl status"),
    ),
    section("SEE ALSO", references("meshd(8)", "meshd.yml(5)")),
  ]);
}

/** meshd(8) of the daemon's options. */
export function meshdPage(options, edition) {
  return page("meshd", 8, "mesh node daemon with post-quantum security", edition, [
    section("SYNOPSIS", ".B meshd\n[options]"),
    section(
      "DESCRIPTION",
      paragraph(
        "The hosts that run meshd form a mesh in which every peer is authenticated by a hybrid post-quantum handshake. They watch each other's health, hold SPIFFE identities that renew themselves, and train models together.",
      ),
      paragraph(
        "A daemon that has no identity yet waits for meshctl init or meshctl join. As a service it is run by systemd: the unit is meshd.service.",
      ),
    ),
    section(
      "OPTIONS",
      ...Object.entries(options).map(([name, { short, value, description, default: preset }]) =>
        option({
          names: [...(short === undefined ? [] : [`-${short}`]), `--${name}`],
          value: value === undefined ? undefined : { name: value, choices: [] },
          description,
          defaultText: preset,
        }),
      ),
    ),
    section(
      "SIGNALS",
      item("SIGTERM, SIGINT", "leave the mesh and stop"),
      item(
        "SIGHUP",
        "read the configuration again; what cannot change while it runs is named in the log",
      ),
    ),
    section(
      "EXIT STATUS",
      item("0", "stopped as asked"),
      item("1", "failure"),
      item("2", "usage: command line or configuration"),
    ),
    section(
      "FILES",
      item("/etc/meshd/meshd.yml", "the configuration"),
      item("/var/lib/meshd", "keys and state; whoever reads it can take the node's place"),
      item("/run/meshd/control.sock", "the control socket, for root and the group meshd"),
    ),
    section("SEE ALSO", references("meshctl(1)", "meshd.yml(5)", "systemctl(1)")),
  ]);
}

/** meshd.yml(5) of the keys' table and the file as it is shipped. */
export function configPage(keys, shipped, edition) {
  return page("meshd.yml", 5, "configuration of a mesh node", edition, [
    section(
      "DESCRIPTION",
      paragraph(
        "A YAML file. A key that is left out has its default value, and an unknown key is refused. Check a change before it is used:",
      ),
      example("meshd --check-config /etc/meshd/meshd.yml"),
    ),
    section(
      "KEYS",
      paragraph(
        "[] stands for any entry of a list. A key marked reload is applied by systemctl reload meshd (SIGHUP); all others need a restart.",
      ),
      ...Object.entries(keys).map(([path, { rule, hint, reload }]) =>
        item(path, `Must be ${rule}${reload ? " (reload)" : ""}: ${hint}.`),
      ),
    ),
    section(
      "THE FILE AS SHIPPED",
      paragraph("With every default value:"),
      example(shipped.trimEnd()),
    ),
    section("SEE ALSO", references("meshd(8)", "meshctl(1)")),
  ]);
}

function page(name, number, summary, { version, date }, sections) {
  const title = [quoted(name.toUpperCase()), number, date, quoted(`x0tta6bl4 ${version}`)].join(
    " ",
  );
  return `.\\" Written by "npm run build:docs".
.TH ${title}
.SH NAME
${roff(name)} \\- ${roff(summary)}
${sections.join("")}`;
}

function section(title, ...parts) {
  const text = parts
    .join("")
    .replace(/^\.PP\n/, "")
    .trimEnd();
  return `.SH ${quoted(title)}\n${text}\n`;
}

function leaves(node) {
  return node.commands.length === 0 ? [node] : node.commands.flatMap(leaves);
}

function command({ path, usage, description, arguments: values, options }) {
  return [
    `.SS ${quoted(`${path.join(" ")} ${usage}`)}\n`,
    `${sentence(description)}\n`,
    ...values
      .filter((argument) => argument.description !== "")
      .map((argument) =>
        item(`<${argument.value.name}>`, withChoices(argument.description, argument.value)),
      ),
    ...options.filter(({ names }) => !names.includes("--help")).map(option),
  ].join("");
}

function option({ names, value, description, defaultText }) {
  const tag = names.map((name) => `\\fB${roff(name)}\\fR`).join(", ");
  const placeholder = value === undefined ? "" : ` \\fI${roff(value.name)}\\fR`;
  const preset = defaultText === undefined ? "" : ` (default: ${defaultText})`;
  return `.TP\n${tag}${placeholder}\n${sentence(withChoices(description, value) + preset)}\n`;
}

function withChoices(description, value) {
  const choices = value?.choices ?? [];
  return choices.length === 0 ? description : `${description}: ${choices.join(", ")}`;
}

function item(tag, text) {
  return `.TP\n\\fB${roff(tag)}\\fR\n${sentence(text)}\n`;
}

function paragraph(text) {
  return `.PP\n${filled(text)}\n`;
}

function example(text) {
  return `.PP\n.EX\n${text.split("\n").map(roff).join("\n")}\n.EE\n`;
}

function references(...pages) {
  return pages
    .map((text, index) => {
      const [, name, number] = /^(.*)\((\d)\)$/.exec(text);
      return `.BR ${roff(name)} (${number})${index < pages.length - 1 ? " ," : ""}\n`;
    })
    .join("");
}

/** One sentence as the pages show it: a capital first and a full stop. */
function sentence(text) {
  const first = /^[a-z]+\b(?![.(])/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return filled(/[.!?]$/.test(first) ? first : `${first}.`);
}

/** Running text in lines of at most 80 characters. */
function filled(text) {
  const lines = [];
  for (const word of text.split(/\s+/).map(roff)) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= 80) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join("\n");
}

/** A macro's argument. */
function quoted(text) {
  return `"${roff(String(text)).replaceAll('"', "\\(dq")}"`;
}

/** Text without anything that roff would take as its own; a hyphen is one that can be copied. */
function roff(text) {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/^([.'])/, "\\&$1");
}
