// npm run build:deb -- [--arch amd64|arm64] [--executable FILE] [--version 0.1.0-1] [--level 0-9] [--out DIR]: makes
// dist/deb/x0tta6bl4_<version>_<arch>.deb from what npm run build:sea has made. Uses no network. The same commit gives the same bytes.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { buildDocs } from "../build-docs.mjs";
import { nodeRuntime } from "../node-runtime.mjs";
import { sourceDateEpoch } from "../source-date.mjs";
import { copyrightFile, nodeLicenceFile } from "./copyright.mjs";
import { architecture, libraryDependencies } from "./dependencies.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = join(root, "packaging/deb");
const NODE_ARCH = { amd64: "x64", arm64: "arm64" };
/** What the installation needs beside the files: directories, the dpkg database, the first state. */
const SPARE_KIB = 8 * 1024;

const { version: upstream } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const { values } = parseArgs({
  options: {
    arch: { type: "string", default: process.arch === "arm64" ? "arm64" : "amd64" },
    executable: { type: "string" },
    version: { type: "string", default: `${upstream}-1` },
    level: { type: "string", default: "6" },
    out: { type: "string", default: join(root, "dist/deb") },
  },
});
const epoch = sourceDateEpoch();
const stage = mkdtempSync(join(tmpdir(), "meshd-deb-"));
try {
  console.log(buildPackage());
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(stage, { recursive: true, force: true });
}

function buildPackage() {
  const executable = checkedExecutable();
  installFiles(executable);
  const files = filesBelow(stage);
  const installedKib = Math.ceil(files.reduce((sum, file) => sum + statSync(file).size, 0) / 1024);
  writeControl(executable, files, installedKib);
  openFolders(stage);
  mkdirSync(values.out, { recursive: true });
  const file = join(values.out, `x0tta6bl4_${values.version}_${values.arch}.deb`);
  execFileSync(
    "dpkg-deb",
    ["--root-owner-group", "-Zxz", `-z${values.level}`, "--build", stage, file],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  return `${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB  sha256 ${sha256(file)}`;
}

function checkedExecutable() {
  const arch = NODE_ARCH[values.arch];
  if (arch === undefined)
    throw new Error(`--arch must be amd64 or arm64: current value is '${values.arch}'.`);
  const executable = resolve(values.executable ?? join(root, "dist/sea", arch, "meshd"));
  for (const file of [executable, `${executable}.cdx.json`]) {
    if (!existsSync(file))
      throw new Error(`There is no ${file}. Build it with: npm run build:sea -- --arch ${arch}`);
  }
  const found = architecture(executable);
  if (found !== values.arch)
    throw new Error(`${executable} is for ${found}, not for ${values.arch}. Build it again.`);
  return executable;
}

function installFiles(executable) {
  copy(executable, "usr/bin/meshd", 0o755);
  symlinkSync("meshd", join(stage, "usr/bin/meshctl"));
  copy("packaging/meshd.yml", "etc/meshd/meshd.yml");
  for (const unit of ["meshd.service", "meshd-wait-online.service"])
    copy(`systemd/${unit}`, `usr/lib/systemd/system/${unit}`);
  copy("systemd/meshd.sysusers.conf", "usr/lib/sysusers.d/meshd.conf");
  copy("systemd/meshd.tmpfiles.conf", "usr/lib/tmpfiles.d/meshd.conf");
  installDocs(executable);
}

function installDocs(executable) {
  const docs = buildDocs(epoch);
  for (const [path, text] of Object.entries(docs)) {
    const page = /^man\/(.*\.(\d))$/.exec(path);
    if (page !== null) writeGzip(`usr/share/man/man${page[2]}/${page[1]}.gz`, text);
  }
  write("usr/share/bash-completion/completions/meshctl", docs["completions/bash/meshctl"]);
  write("usr/share/zsh/vendor-completions/_meshctl", docs["completions/zsh/_meshctl"]);
  write("usr/share/fish/vendor_completions.d/meshctl.fish", docs["completions/fish/meshctl.fish"]);
  const doc = "usr/share/doc/x0tta6bl4";
  const bill = readFileSync(`${executable}.cdx.json`, "utf8");
  const nodeLicence = readFileSync(nodeLicenceFile(nodeRuntime(process.arch)), "utf8");
  write(
    `${doc}/copyright`,
    copyrightFile({ root, components: JSON.parse(bill).components, nodeLicence }),
  );
  writeGzip(`${doc}/meshd.cdx.json.gz`, bill);
  writeGzip(`${doc}/changelog.gz`, readFileSync(join(root, "CHANGELOG.md")));
  writeGzip(`${doc}/changelog.Debian.gz`, debianChangelog());
  copy(
    "systemd/meshd.service.d/workload-attestation.conf",
    `${doc}/examples/workload-attestation.conf`,
  );
  copy("packaging/deb/lintian-overrides", "usr/share/lintian/overrides/x0tta6bl4");
}

function debianChangelog() {
  const date = new Date(epoch * 1_000).toUTCString().replace("GMT", "+0000");
  return `x0tta6bl4 (${values.version}) unstable; urgency=medium

  * What changed stands in changelog.gz, beside this file.

 -- ${/^Maintainer: (.*)$/m.exec(template("control", {}))[1]}  ${date}
`;
}

function writeControl(executable, files, installedKib) {
  const users = "systemd | systemd-standalone-sysusers | passwd";
  write(
    "DEBIAN/control",
    template("control", {
      VERSION: values.version,
      ARCHITECTURE: values.arch,
      INSTALLED_KIB: installedKib,
      DEPENDS: [...libraryDependencies(executable), users].join(", "),
    }),
  );
  write("DEBIAN/conffiles", "/etc/meshd/meshd.yml\n");
  const sums = files
    .map((file) => [relative(stage, file), file])
    .filter(([path]) => !path.startsWith("etc/"));
  write("DEBIAN/md5sums", sums.map(([path, file]) => `${digest("md5", file)}  ${path}\n`).join(""));
  for (const script of ["preinst", "postinst", "prerm", "postrm"])
    write(`DEBIAN/${script}`, template(script, { NEEDED_KIB: installedKib + SPARE_KIB }), 0o755);
}

/** A file of this folder with its @NAMES@ filled in. */
function template(name, fields) {
  return Object.entries(fields).reduce(
    (text, [field, value]) => text.replaceAll(`@${field}@`, String(value)),
    readFileSync(join(here, name), "utf8"),
  );
}

function copy(from, to, mode = 0o644) {
  mkdirSync(dirname(join(stage, to)), { recursive: true });
  copyFileSync(resolve(root, from), join(stage, to));
  chmodSync(join(stage, to), mode);
}

function write(path, content, mode = 0o644) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  writeFileSync(join(stage, path), content);
  chmodSync(join(stage, path), mode);
}

function writeGzip(path, content) {
  write(path, gzipSync(content, { level: 9 }));
}

/** Regular files, sorted: not the symbolic links, which have no content. */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Directories that do not depend on the builder's umask. Times need no care: dpkg-deb sets what is newer than the epoch to it. */
function openFolders(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) openFolders(join(folder, entry.name));
  chmodSync(folder, 0o755);
}

function sha256(file) {
  return digest("sha256", file);
}

function digest(algorithm, file) {
  return createHash(algorithm).update(readFileSync(file)).digest("hex");
}
