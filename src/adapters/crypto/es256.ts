// ECDSA on P-256, and verification on P-384, by OpenSSL: the identity room's port for workloads' certificates and JWT-SVIDs.

import { createECDH, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";
import {
  coordinatesOf,
  type Es256,
  isP256PublicKey,
  isP384PublicKey,
} from "../../identity/index.ts";

const CURVE = "prime256v1";
const HASH = "sha256";
/** `r || s`, as in JWS. */
const dsaEncoding = "ieee-p1363";

export const nativeEs256: Es256 = {
  signer(secret) {
    const publicKey = publicKeyOf(secret);
    if (publicKey === undefined) return undefined;
    const key = privateKeyOf(secret, publicKey);
    return {
      publicKey,
      sign: (message) => new Uint8Array(sign(HASH, message, { key, dsaEncoding })),
    };
  },
  verify(publicKey, message, signature) {
    const isP384 = isP384PublicKey(publicKey);
    if (!isP384 && !isP256PublicKey(publicKey)) return false;
    try {
      const crv = isP384 ? "P-384" : "P-256";
      const key = createPublicKey({ key: { ...jwkOf(publicKey), crv }, format: "jwk" });
      return verify(isP384 ? "sha384" : HASH, message, { key, dsaEncoding }, signature);
    } catch {
      return false; // no point of the curve
    }
  },
};

/** PKCS#8 of a secret that {@link nativeEs256} has made a signer of. */
export function p256Pkcs8(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return new Uint8Array(privateKeyOf(secret, publicKey).export({ type: "pkcs8", format: "der" }));
}

function publicKeyOf(secret: Uint8Array): Uint8Array | undefined {
  const ecdh = createECDH(CURVE);
  try {
    ecdh.setPrivateKey(secret);
  } catch {
    return undefined; // zero, or not below the order
  }
  return new Uint8Array(ecdh.getPublicKey());
}

function privateKeyOf(secret: Uint8Array, publicKey: Uint8Array): KeyObject {
  return createPrivateKey({ key: { ...jwkOf(publicKey), d: text(secret) }, format: "jwk" });
}

function jwkOf(publicKey: Uint8Array): { kty: string; crv: string; x: string; y: string } {
  const { x, y } = coordinatesOf(publicKey);
  return { kty: "EC", crv: "P-256", x: text(x), y: text(y) };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
