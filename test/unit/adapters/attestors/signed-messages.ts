// PKCS#7 as a cloud writes it, for tests: DER, and the BER with indefinite lengths that AWS really sends.

import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";

function header(tag: number, length: number): Buffer {
  if (length < 0x80) return Buffer.from([tag, length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([tag, 0x80 | bytes.length, ...bytes]);
}

export const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([header(tag, content.length), content]);
};
export const endless = (tag: number, ...parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.from([0, 0])]);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));

const SIGNED_DATA = oid("2a864886f70d010702");
const DATA = oid("2a864886f70d010701");
const SHA256 = der(0x30, oid("608648016503040201"), der(0x05));
const RSA = der(0x30, oid("2a864886f70d010101"), der(0x05));

export interface MessageOptions {
  /** AWS's form, or DER. */
  readonly form?: "ber" | "der";
  readonly attributes?: boolean;
  /** What the digest attribute says instead of the content's digest. */
  readonly digest?: Uint8Array;
  readonly digestAlgorithm?: Uint8Array;
  readonly signatureAlgorithm?: Uint8Array;
  readonly contentType?: Uint8Array;
  readonly signers?: number;
}

/** A SignedData message of a content, by the key in a PEM file. */
export function signedMessage(
  content: Uint8Array,
  keyFile: string,
  options: MessageOptions = {},
): Uint8Array {
  const { form = "ber", attributes = true, contentType = DATA, signers = 1 } = options;
  const wrap = form === "ber" ? endless : der;
  const digest = options.digest ?? createHash("sha256").update(content).digest();
  const signed = [
    der(0x30, oid("2a864886f70d010903"), der(0x31, contentType)),
    der(0x30, oid("2a864886f70d010904"), der(0x31, der(0x04, digest))),
  ];
  const toSign = attributes ? der(0x31, ...signed) : content;
  const signature = sign("sha256", toSign, createPrivateKey(readFileSync(keyFile)));
  const signer = der(
    0x30,
    der(0x02, Buffer.from([1])),
    der(0x30, der(0x30), der(0x02, Buffer.from([7]))),
    options.digestAlgorithm ?? SHA256,
    ...(attributes ? [der(0xa0, ...signed)] : []),
    options.signatureAlgorithm ?? RSA,
    der(0x04, signature),
  );
  const octets =
    form === "ber"
      ? endless(0x24, der(0x04, content.subarray(0, 9)), der(0x04, content.subarray(9)))
      : der(0x04, content);
  const body = wrap(
    0x30,
    der(0x02, Buffer.from([1])),
    der(0x31, SHA256),
    wrap(0x30, contentType, wrap(0xa0, octets)),
    der(0x31, ...Array.from({ length: signers }, () => signer)),
  );
  return new Uint8Array(wrap(0x30, SIGNED_DATA, wrap(0xa0, body)));
}
