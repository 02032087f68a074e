// What an executable contains, for people who look for known faults in it or have to keep to licences: a CycloneDX 1.6 document, and the licence
// texts. The packages are those whose code esbuild has really put in; what is known of them stands in the lock file.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeRuntime } from "./node-runtime.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const own = readJson("package.json");
const lock = readJson("package-lock.json").packages;

/** Versions of process.versions that are of an interface or of Node.js itself, and not of something with faults of its own. */
const notParts = new Set(["node", "modules", "napi"]);

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

/**
 * The packages that have code in the bundles, each once a version and sorted: `{ folder, name, version, license, integrity }`, in which `folder`
 * is one where it lies.
 */
export function bundledPackages({ outputs }) {
  const packages = new Map();
  for (const [file, { bytesInOutput }] of Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs),
  )) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
    if (folder === undefined || bytesInOutput === 0) continue;
    const { version, license, integrity } = lock[folder] ?? {};
    if (license === undefined || integrity === undefined) {
      throw new Error(
        `The lock file has no licence or digest of ${folder}: npm install --package-lock-only writes them.`,
      );
    }
    const name = folder.replace(/^.*node_modules\//, "");
    packages.set(`${name}@${version}`, { folder, name, version, license, integrity });
  }
  return [...packages.values()].sort((a, b) => (purl(a) < purl(b) ? -1 : 1));
}

/** The CycloneDX document. The same executable gives the same document, so it has no date. */
export function sbom({ packages, arch, sha256, commit }) {
  const components = [...packages.map(packageComponent), nodeComponent(arch)];
  const application = {
    "bom-ref": purl(own),
    type: "application",
    name: "meshd",
    version: own.version,
    description: own.description,
    hashes: [{ alg: "SHA-256", content: sha256 }],
    licenses: licenseOf(own.license),
    purl: purl(own),
    properties: [
      { name: "meshd:commit", value: commit },
      { name: "meshd:architecture", value: arch },
    ],
  };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuid(sha256)}`,
    version: 1,
    metadata: { component: application },
    components,
    dependencies: [
      { ref: application["bom-ref"], dependsOn: components.map((part) => part["bom-ref"]) },
    ],
  };
}

function packageComponent(part) {
  return {
    "bom-ref": purl(part),
    type: "library",
    name: part.name,
    version: part.version,
    hashes: hashesOf(part),
    licenses: licenseOf(part.license),
    purl: purl(part),
  };
}

/** Node.js, and what is compiled into it: that is where OpenSSL and SQLite come from. */
function nodeComponent(arch) {
  const name = `node-linux-${arch}`;
  const { version, integrity } = lock[`node_modules/${name}`];
  const print = ["-p", "JSON.stringify(process.versions)"];
  const versions = JSON.parse(execFileSync(nodeRuntime(process.arch), print, { encoding: "utf8" }));
  const parts = Object.entries(versions).filter(
    ([part, text]) => !notParts.has(part) && text !== "",
  );
  return {
    "bom-ref": purl({ name, version }),
    type: "platform",
    name: "node",
    version,
    hashes: hashesOf({ integrity }),
    licenses: licenseOf("MIT"),
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    purl: purl({ name, version }),
    components: parts.map(([part, text]) => ({
      "bom-ref": `node:${part}`,
      type: "library",
      name: part,
      version: text,
      purl: `pkg:generic/${part}@${encodeURIComponent(text)}`,
    })),
  };
}

function purl({ name, version }) {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** npm's digest is of the archive in the registry. */
function hashesOf({ integrity }) {
  const digest = Buffer.from(integrity.replace("sha512-", ""), "base64");
  return [{ alg: "SHA-512", content: digest.toString("hex") }];
}

function licenseOf(license) {
  return /[ ()]/.test(license) ? [{ expression: license }] : [{ license: { id: license } }];
}

/** A UUID (RFC 9562, version 8: made of whatever one has) out of a digest. */
function uuid(sha256) {
  const variant = ((Number.parseInt(sha256[16], 16) & 3) | 8).toString(16);
  const [a, b, c, d, e] = [
    sha256.slice(0, 8),
    sha256.slice(8, 12),
    sha256.slice(13, 16),
    sha256.slice(17, 20),
    sha256.slice(20, 32),
  ];
  return `${a}-${b}-8${c}-${variant}${d}-${e}`;
}

/** The licence texts of everything in the executable, which have to be passed on with it. */
export function licences(packages) {
  const runtime = join(nodeRuntime(process.arch), "../../LICENSE");
  const texts = [
    `${own.name} ${own.version}\n\n${text("LICENSE")}`,
    `Node.js ${lock[`node_modules/node-linux-${process.arch}`].version}\n\n${readFileSync(runtime, "utf8").trim()}`,
    ...packages.map((part) => `${part.name} ${part.version}\n\n${licenceText(part)}`),
  ];
  return `${texts.join(`\n\n${"=".repeat(80)}\n\n`)}\n`;
}

/** Some packages name a licence and bring no text. Where it is the Apache licence, that is our own, which comes first. */
function licenceText({ folder, license }) {
  const file = readdirSync(join(root, folder))
    .sort()
    .find((entry) => /^licen[cs]e/i.test(entry));
  return file === undefined ? `Licence: ${license}` : text(join(folder, file));
}

function text(file) {
  return readFileSync(join(root, file), "utf8").trim();
}
