// Certificates of the classical web for tests of TLS endpoints, made by openssl(1) where the host has it.

import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

/** Why such tests are skipped; false when they are not. */
export const withoutOpenssl =
  spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";

/** PEM files of a self-signed certificate for these names, which is its own authority. */
export function webCertificate(
  directory: string,
  name: string,
  names = "DNS:localhost",
): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`, "-days", "2"],
      ...["-keyout", key, "-out", certificate],
    ],
    { stdio: "ignore" },
  );
  return { certificate, key };
}
