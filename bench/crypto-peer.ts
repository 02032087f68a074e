// The peer of the wasm engine: liboqs compiled to WebAssembly (@openforge-sh/liboqs, MIT), measured in the same run.
// It signs without context and prepares no keys.

import { createMLDSA65, createMLKEM768 } from "@openforge-sh/liboqs";

/** Operations of the peer by the names that ours have. */
export async function peerOperations(
  message: Uint8Array,
): Promise<Readonly<Record<string, () => unknown>>> {
  const [signature, kem] = await Promise.all([createMLDSA65(), createMLKEM768()]);
  const signer = signature.generateKeyPair();
  const signed = signature.sign(message, signer.secretKey);
  const pair = kem.generateKeyPair();
  const { ciphertext } = kem.encapsulate(pair.publicKey);
  return {
    "ml-dsa-65/keygen": () => signature.generateKeyPair(),
    "ml-dsa-65/sign": () => signature.sign(message, signer.secretKey),
    "ml-dsa-65/verify": () => {
      if (!signature.verify(message, signed, signer.publicKey))
        throw new Error("a valid signature was refused");
    },
    "ml-kem-768/keygen": () => kem.generateKeyPair(),
    "ml-kem-768/encaps": () => kem.encapsulate(pair.publicKey),
    "ml-kem-768/decaps": () => kem.decapsulate(ciphertext, pair.secretKey),
  };
}
