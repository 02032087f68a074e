// Noise's classical primitives from @chainsafe/libp2p-noise: OpenSSL's where they are faster, its wasm else.

import { defaultCrypto } from "@chainsafe/libp2p-noise/crypto";
import { type NoiseCrypto, TAG_BYTES } from "../../handshake/index.ts";

/** A plain array over the same bytes: a Buffer's `slice` would not copy. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The primitives as the handshake room wants them: plain arrays, refusals as undefined. */
export const libp2pNoiseCrypto: NoiseCrypto = {
  sha256: (data) => plain(defaultCrypto.hashSHA256(data)),

  hkdf: (chainingKey, input) => {
    const [first, second] = defaultCrypto.getHKDF(chainingKey, input);
    return [first, second];
  },

  x25519KeyPair: (privateKey) => {
    const { publicKey } = defaultCrypto.generateX25519KeyPairFromSeed(privateKey);
    return { publicKey: new Uint8Array(publicKey), privateKey: new Uint8Array(privateKey) };
  },

  x25519: (privateKey, publicKey) => {
    try {
      return plain(defaultCrypto.generateX25519SharedKey(privateKey, publicKey));
    } catch {
      return undefined; // OpenSSL refuses what would give an all-zero secret
    }
  },

  seal: (key, nonce, ad, plaintext) =>
    plain(defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key).subarray()),

  open: (key, nonce, ad, ciphertext) => {
    if (ciphertext.length < TAG_BYTES) return undefined;
    try {
      return plain(defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key).subarray());
    } catch {
      return undefined; // the only failure for keys and nonces of fixed length: the tag
    }
  },
};
