// What an executable needs of Debian, from its own ELF tables: the libraries that it names and the symbol versions that it
// asks of them. readelf reads those of any processor, so no foreign packages are needed to build a foreign package.

import { execFileSync } from "node:child_process";

const MACHINES = { "Advanced Micro Devices X86-64": "amd64", AArch64: "arm64" };

/**
 * Libraries by the package that has them. `newest` are the symbol versions that stand for `version` in that package's own
 * symbols file; a binary that asks for newer ones needs a look there, and a change here. The C library's versions are those of
 * its package.
 */
const PACKAGES = [
  {
    name: "libc6",
    libraries: /^(libc|libm|libdl|libpthread|ld-linux-[a-z0-9-]+)\.so\.\d$/,
    tag: "GLIBC",
  },
  {
    name: "libstdc++6",
    libraries: /^libstdc\+\+\.so\.6$/,
    version: "10.2",
    newest: { GLIBCXX: "3.4.21", CXXABI: "1.3.11" },
  },
  { name: "libgcc-s1", libraries: /^libgcc_s\.so\.1$/, version: "4.2", newest: { GCC: "4.2.0" } },
  {
    name: "libatomic1",
    libraries: /^libatomic\.so\.1$/,
    version: "4.8",
    newest: { LIBATOMIC: "1.0" },
  },
];

/** The executable's architecture as Debian names it. */
export function architecture(executable) {
  const machine = /Machine:\s+(.+)/.exec(readelf("-h", executable))?.[1]?.trim();
  return MACHINES[machine] ?? machine ?? "unknown";
}

/** The packages that an executable depends on, in the form of Debian's Depends field. */
export function libraryDependencies(executable) {
  const needed = [...readelf("-d", executable).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(
    ([, name]) => name,
  );
  const asked = symbolVersions(executable);
  const found = new Map();
  for (const library of needed) {
    const entry = PACKAGES.find(({ libraries }) => libraries.test(library));
    if (entry === undefined)
      throw new Error(
        `No package is known for ${library}. Add it to packaging/deb/dependencies.mjs.`,
      );
    found.set(entry.name, `${entry.name} (>= ${minimum(entry, asked)})`);
  }
  return [...found.values()].sort();
}

function minimum({ name, tag, version, newest }, asked) {
  if (tag !== undefined) return asked.get(tag);
  for (const [prefix, known] of Object.entries(newest)) {
    const wanted = asked.get(prefix);
    if (wanted !== undefined && compare(wanted, known) > 0)
      throw new Error(
        `${prefix}_${wanted} is newer than what packaging/deb/dependencies.mjs knows of ${name}. Look it up in the package's symbols file.`,
      );
  }
  return version;
}

/** The newest version asked for by each prefix, such as GLIBC. */
function symbolVersions(executable) {
  const needs = readelf("-V", executable).split(/^Version needs section/m)[1] ?? "";
  const newest = new Map();
  for (const [, prefix, version] of needs.matchAll(/Name: ([A-Z]+)_([\d.]+)/g))
    if (compare(version, newest.get(prefix) ?? "0") > 0) newest.set(prefix, version);
  return newest;
}

function compare(a, b) {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function readelf(option, file) {
  return execFileSync("readelf", ["--wide", option, file], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, LC_ALL: "C" },
  });
}
