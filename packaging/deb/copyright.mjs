// The package's copyright file in Debian's machine-readable form (DEP-5), from the list of what is in the executable and
// the licence files of those packages. "Files" are paths in the source tree after npm ci.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The file's text. `components` are those of the CycloneDX document; where their packages lie is in the lock file. `nodeLicence`
 * is the text that comes with Node.js, for all that is compiled into it.
 */
export function copyrightFile({ root, components, nodeLicence }) {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const packages = components
    .filter(({ type }) => type === "library")
    .map((component) => packageOf(root, foldersOf(component, lock)));
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: x0tta6bl4\n",
    paragraph({
      files: ["*"],
      copyright: ["x0tta6bl4 contributors"],
      name: "Apache-2.0",
      text: apache,
    }),
    paragraph({
      files: ["node_modules/node-linux-*/*"],
      copyright: ["Node.js contributors, and of what is compiled into it those named below"],
      name: "MIT and others",
      text: withoutApache(nodeLicence),
    }),
    ...groups(packages).map(paragraph),
  ].join("\n");
}

const apache =
  "On Debian systems, the full text of the Apache License, version 2.0, is in /usr/share/common-licenses/Apache-2.0.";

/** The licence's own words. */
const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** A package may lie in several folders. */
function foldersOf({ name, version }, lock) {
  const folders = Object.keys(lock).filter(
    (path) => path.replace(/^.*node_modules\//, "") === name && lock[path].version === version,
  );
  if (folders.length === 0)
    throw new Error(`The lock file has no ${name} ${version}. Build the executable again.`);
  return folders;
}

function packageOf(root, folders) {
  const [folder] = folders;
  const { license, author } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const texts = licenceTexts(join(root, folder));
  const lines = texts
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trim().replace(/^[*#\s]+/, ""));
  const holders = lines.filter(
    (line) => /^(portions )?copyright\b.*(\d{4}|\(c\)|©)/i.test(line) && !line.includes("[yyyy]"),
  );
  const writer = typeof author === "string" ? author : author?.name;
  return {
    files: folders.map((path) => `${path}/*`),
    name: license.replaceAll(" OR ", " or ").replaceAll(" AND ", " and "),
    copyright: [
      ...new Set(
        holders.length > 0
          ? holders
          : [writer ?? `the authors of ${folder.replace(/^.*node_modules\//, "")}`],
      ),
    ].sort(),
    text: texts.length > 0 ? texts.join("\n\n") : textByName(folder, license),
  };
}

/** The licence files of a package; the text of the Apache License is where Debian keeps it. */
function licenceTexts(folder) {
  return readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort()
    .map((name) => withoutApache(readFileSync(join(folder, name), "utf8").trim()));
}

/** Packages that name the MIT licence in their manifest and README and come without its text. */
const mitByName = ["err-code"];

/** Some packages name their licence without its text. Apache-2.0, alone or as a choice, stands by its name. */
function textByName(folder, license) {
  if (license === "MIT" && mitByName.includes(folder.replace(/^.*node_modules\//, ""))) return mit;
  if (!license.split(" OR ").includes("Apache-2.0"))
    throw new Error(
      `${folder} has no licence text for ${license}. Find it and decide how to pass it on.`,
    );
  return apache;
}

function withoutApache(text) {
  return text.replaceAll(
    /Apache License\s+Version 2\.0, January 2004[\s\S]*?(END OF TERMS AND CONDITIONS|$(?![\s\S]))/g,
    apache,
  );
}

/** Packages with the same licence text, in one paragraph. */
function groups(packages) {
  const byText = new Map();
  for (const { files, ...rest } of packages) {
    const key = JSON.stringify(rest);
    byText.set(key, { ...rest, files: [...(byText.get(key)?.files ?? []), ...files] });
  }
  return [...byText.values()];
}

function paragraph({ files, copyright, name, text }) {
  return `Files: ${files.join("\n ")}\nCopyright: ${copyright.join("\n ")}\nLicense: ${name}\n${indented(text)}`;
}

/** The form of long fields: one space before each line, a dot for an empty one. */
function indented(text) {
  return text
    .split(/\r?\n/)
    .map((line) => (line.trim() === "" ? " .\n" : ` ${line.trimEnd()}\n`))
    .join("");
}

/** Where the licence of a Node.js lies, from its executable. */
export function nodeLicenceFile(executable) {
  return join(dirname(dirname(executable)), "LICENSE");
}
