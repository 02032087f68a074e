// Certificates of the classical web for tests, made by openssl(1): authorities, and hosts' certificates under them.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why such tests are skipped; false when they are not. */
export const withoutOpenssl =
  spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is not installed";

/** PEM files that belong together. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

type KeyKind = "rsa" | "rsa1024" | "p256" | "p384" | "secp256k1";
const newKey: Readonly<Record<KeyKind, readonly string[]>> = {
  rsa: ["-newkey", "rsa:2048"],
  rsa1024: ["-newkey", "rsa:1024"],
  p256: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  p384: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
  secp256k1: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
};

const AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
const HOST = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"];

/** A directory of its own in which certificates are made. */
export class Workshop {
  readonly directory = mkdtempSync(join(tmpdir(), "certificates-"));
  #made = 0;

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  write(name: string, text: string): string {
    const file = join(this.directory, name);
    writeFileSync(file, text);
    return file;
  }

  /** A certificate; without an issuer it is self-signed. */
  make(
    subject: string,
    options: {
      readonly kind?: KeyKind;
      readonly issuer?: Pair;
      readonly extensions?: readonly string[];
      readonly hash?: string;
      readonly days?: number;
    } = {},
  ): Pair {
    const { kind = "p256", issuer, extensions = [], hash = "sha256", days = 2 } = options;
    const base = join(this.directory, String(++this.#made));
    const pair = { certificate: `${base}.crt`, key: `${base}.key` };
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", ...newKey[kind], "-nodes", "-subj", subject, `-${hash}`],
        ...["-days", String(days), "-keyout", pair.key, "-out", pair.certificate],
        ...extensions.flatMap((text) => ["-addext", text]),
        ...(issuer === undefined ? [] : ["-CA", issuer.certificate, "-CAkey", issuer.key]),
      ],
      { stdio: "ignore" },
    );
    return pair;
  }

  authority(subject: string, options: Parameters<Workshop["make"]>[1] = {}): Pair {
    return this.make(subject, { extensions: AUTHORITY, ...options });
  }

  host(subject: string, issuer: Pair, options: Parameters<Workshop["make"]>[1] = {}): Pair {
    return this.make(subject, { extensions: HOST, ...options, issuer });
  }
}

export function derOf({ certificate }: Pair): Uint8Array {
  const pem = readFileSync(certificate, "utf8");
  return new Uint8Array(Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ""), "base64"));
}
