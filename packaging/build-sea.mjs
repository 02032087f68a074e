// npm run build:sea -- [--arch x64|arm64] [--out DIR]: makes dist/sea/<arch>/meshd, which is meshctl when it is started under that name.
// Either architecture is built on either. Beside it come what it contains (meshd.cdx.json, CycloneDX) and the licences of that.

import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { commit } from "./bundle.mjs";
import { bundledPackages, licences, sbom } from "./sbom.mjs";
import { buildExecutable } from "./sea.mjs";

const dist = fileURLToPath(new URL("../dist/sea", import.meta.url));
const { values } = parseArgs({
  options: { arch: { type: "string", default: process.arch }, out: { type: "string" } },
});
const { arch, out = join(dist, arch) } = values;
const file = join(out, "meshd");

const metafile = await buildExecutable({ entry: "src/cli/executable.ts", arch, file });
const packages = bundledPackages(metafile);
const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
const bill = sbom({ packages, arch, sha256, commit: commit() });
writeFileSync(`${file}.cdx.json`, `${JSON.stringify(bill, null, 2)}\n`);
writeFileSync(`${file}.licences.txt`, licences(packages));
console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB  sha256 ${sha256}`);
