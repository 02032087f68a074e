// Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256 as a pure state machine: three messages, then two ciphers.
//
//   A  -> e, e1
//   B  <- e, ee, ekem1, s, es
//   C  -> s, se
//
// libp2p/specs #727 on top of Noise rev. 34 with the hfs extension. `ekem1` is: encrypt the KEM ciphertext,
// and only then mix its secret.

import { ML_KEM_768, type Kem, type KemKeyPair } from "../crypto/index.ts";
import { concatBytes, isMeshError, MeshError } from "../foundation/index.ts";
import type { Random } from "../ports/index.ts";
import type { CipherState } from "./cipher-state.ts";
import type { HandshakeReason } from "./codes.ts";
import { type NoiseCrypto, TAG_BYTES, X25519_BYTES, type X25519KeyPair } from "./noise-crypto.ts";
import { SymmetricState } from "./symmetric-state.ts";

/** 44 ASCII bytes; hashed into the first state. */
export const NOISE_PROTOCOL_NAME = "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256";

const { encapsulationKeyBytes, ciphertextBytes } = ML_KEM_768;
const SEALED_STATIC_BYTES = X25519_BYTES + TAG_BYTES;
const SEALED_CIPHERTEXT_BYTES = ciphertextBytes + TAG_BYTES;

/** Bytes of each message in front of the sealed payload. */
export const MESSAGE_FIXED_BYTES = {
  a: X25519_BYTES + encapsulationKeyBytes,
  b: X25519_BYTES + SEALED_CIPHERTEXT_BYTES + SEALED_STATIC_BYTES,
  c: SEALED_STATIC_BYTES,
} as const;

/** Largest payload that still fits a frame of 65535 bytes, whatever the message. */
export const PAYLOAD_BYTES_LIMIT = 65535 - MESSAGE_FIXED_BYTES.b - TAG_BYTES;

export type HandshakeRole = "initiator" | "responder";

/** What a payload can be bound to: the hash under which it is sealed, and the Noise key of its sender. */
export interface PayloadBinding {
  /** h_B or h_C: the handshake hash right before the payload, 32 bytes. */
  readonly handshakeHash: Uint8Array;
  /** The sender's X25519 static public key. */
  readonly staticPublicKey: Uint8Array;
}

/** A received payload with what it has to be bound to. */
export interface ReceivedPayload extends PayloadBinding {
  readonly payload: Uint8Array;
}

/** Both directions of the finished connection. */
export interface SessionKeys {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** Channel binding, 32 bytes. */
  readonly handshakeHash: Uint8Array;
}

export interface MachineDeps {
  readonly noise: NoiseCrypto;
  readonly kem: Kem;
  readonly random: Random;
}

export interface MachineOptions {
  readonly role: HandshakeRole;
  readonly prologue: Uint8Array;
  /** The static pair stays the caller's: it is not wiped. */
  readonly staticKeyPair: X25519KeyPair;
  /** Largest payload to accept; at most {@link PAYLOAD_BYTES_LIMIT}. */
  readonly payloadBytesMax: number;
  /** For published vectors only; fresh from `random` otherwise. */
  readonly fixed?: {
    readonly ephemeralPrivateKey?: Uint8Array;
    readonly kemKeyPair?: KemKeyPair;
    readonly encapsulationMessage?: Uint8Array;
  };
}

type Step = "write-a" | "read-a" | "write-b" | "read-b" | "write-c" | "read-c" | "split" | "over";

function failure(code: HandshakeReason, message: string): MeshError<HandshakeReason> {
  return new MeshError(code, message);
}

/**
 * One side of one handshake. Methods run in the order of the pattern; anything else throws
 * `handshake/wrong-state`. After any error all secrets are wiped and the machine refuses every call.
 */
export class HandshakeMachine {
  readonly #deps: MachineDeps;
  readonly #options: MachineOptions;
  readonly #symmetric: SymmetricState;
  #step: Step;
  #ephemeral: X25519KeyPair | undefined;
  #kemKeyPair: KemKeyPair | undefined;
  #remoteEphemeral = new Uint8Array(0);
  #remoteStatic = new Uint8Array(0);
  #encapsulationKey = new Uint8Array(0);

  constructor(deps: MachineDeps, options: MachineOptions) {
    if (options.payloadBytesMax > PAYLOAD_BYTES_LIMIT) {
      throw new RangeError(
        `Payload limit must be at most ${PAYLOAD_BYTES_LIMIT} bytes: current value is ${options.payloadBytesMax}`,
      );
    }
    this.#deps = deps;
    this.#options = options;
    this.#symmetric = new SymmetricState(deps.noise, NOISE_PROTOCOL_NAME, options.prologue);
    this.#step = options.role === "initiator" ? "write-a" : "read-a";
  }

  /** Initiator: message A. */
  writeA(): Uint8Array {
    return this.#run("write-a", "read-b", () => {
      this.#ephemeral = this.#makeEphemeral();
      this.#symmetric.mixHash(this.#ephemeral.publicKey); // e
      this.#kemKeyPair = this.#options.fixed?.kemKeyPair ?? this.#generateKemKeyPair();
      const e1 = this.#symmetric.encryptAndHash(this.#kemKeyPair.encapsulationKey); // e1
      this.#symmetric.encryptAndHash(new Uint8Array(0)); // the empty payload changes h
      return concatBytes(this.#ephemeral.publicKey, e1);
    });
  }

  /**
   * Responder: takes message A.
   * @throws MeshError `handshake/bad-length`
   */
  readA(message: Uint8Array): void {
    this.#run("read-a", "write-b", () => {
      checkLength("A", message, MESSAGE_FIXED_BYTES.a, MESSAGE_FIXED_BYTES.a);
      this.#remoteEphemeral = new Uint8Array(message.subarray(0, X25519_BYTES));
      this.#symmetric.mixHash(this.#remoteEphemeral); // e
      const e1 = message.subarray(X25519_BYTES);
      this.#encapsulationKey = new Uint8Array(this.#symmetric.decryptAndHash(e1)); // e1
      this.#symmetric.decryptAndHash(new Uint8Array(0));
    });
  }

  /**
   * Responder: message B. This is where one unauthenticated frame costs real work: limit before.
   * @throws MeshError `handshake/low-order-point`, `handshake/bad-kem-key`, `handshake/bad-length` (own payload)
   */
  writeB(payloadOf: (binding: PayloadBinding) => Uint8Array): Uint8Array {
    return this.#run("write-b", "read-c", () => {
      const { staticKeyPair } = this.#options;
      this.#ephemeral = this.#makeEphemeral();
      this.#symmetric.mixHash(this.#ephemeral.publicKey); // e
      this.#mixSharedKey(this.#ephemeral, this.#remoteEphemeral); // ee
      const { ciphertext, sharedSecret } = this.#encapsulate();
      const sealedCiphertext = this.#symmetric.encryptAndHash(ciphertext); // ekem1
      this.#mixSecret(sharedSecret);
      const sealedStatic = this.#symmetric.encryptAndHash(staticKeyPair.publicKey); // s
      this.#mixSharedKey(staticKeyPair, this.#remoteEphemeral); // es
      const payload = this.#sealPayload(payloadOf);
      return concatBytes(this.#ephemeral.publicKey, sealedCiphertext, sealedStatic, payload);
    });
  }

  /**
   * Initiator: takes message B. The payload is not authenticated yet: verify it before {@link writeC}.
   * @throws MeshError `handshake/bad-length`, `handshake/low-order-point`, `handshake/bad-tag`
   */
  readB(message: Uint8Array): ReceivedPayload {
    return this.#run("read-b", "write-c", () => {
      const fixed = MESSAGE_FIXED_BYTES.b;
      checkLength(
        "B",
        message,
        fixed + TAG_BYTES,
        fixed + TAG_BYTES + this.#options.payloadBytesMax,
      );
      const ephemeral = this.#own(this.#ephemeral);
      const kemKeyPair = this.#own(this.#kemKeyPair);
      this.#remoteEphemeral = new Uint8Array(message.subarray(0, X25519_BYTES));
      this.#symmetric.mixHash(this.#remoteEphemeral); // e
      this.#mixSharedKey(ephemeral, this.#remoteEphemeral); // ee
      const staticAt = X25519_BYTES + SEALED_CIPHERTEXT_BYTES;
      const ciphertext = this.#symmetric.decryptAndHash(message.subarray(X25519_BYTES, staticAt)); // ekem1
      this.#mixSecret(kemKeyPair.decapsulate(ciphertext));
      kemKeyPair.destroy();
      this.#remoteStatic = new Uint8Array(
        this.#symmetric.decryptAndHash(message.subarray(staticAt, fixed)),
      ); // s
      this.#mixSharedKey(ephemeral, this.#remoteStatic); // es
      return this.#openPayload(message.subarray(fixed));
    });
  }

  /**
   * Initiator: message C. `s` goes under the key of B's payload with the next nonce: no key was mixed between.
   * @throws MeshError `handshake/low-order-point`, `handshake/bad-length` (own payload)
   */
  writeC(payloadOf: (binding: PayloadBinding) => Uint8Array): Uint8Array {
    return this.#run("write-c", "split", () => {
      const { staticKeyPair } = this.#options;
      const sealedStatic = this.#symmetric.encryptAndHash(staticKeyPair.publicKey); // s
      this.#mixSharedKey(staticKeyPair, this.#remoteEphemeral); // se
      return concatBytes(sealedStatic, this.#sealPayload(payloadOf));
    });
  }

  /**
   * Responder: takes message C. Verify the payload before {@link split}.
   * @throws MeshError `handshake/bad-length`, `handshake/low-order-point`, `handshake/bad-tag`
   */
  readC(message: Uint8Array): ReceivedPayload {
    return this.#run("read-c", "split", () => {
      const fixed = MESSAGE_FIXED_BYTES.c;
      checkLength(
        "C",
        message,
        fixed + TAG_BYTES,
        fixed + TAG_BYTES + this.#options.payloadBytesMax,
      );
      this.#remoteStatic = new Uint8Array(
        this.#symmetric.decryptAndHash(message.subarray(0, fixed)),
      ); // s
      this.#mixSharedKey(this.#own(this.#ephemeral), this.#remoteStatic); // se
      return this.#openPayload(message.subarray(fixed));
    });
  }

  /** The session: cs1 carries initiator to responder, cs2 the other way. */
  split(): SessionKeys {
    return this.#run("split", "over", () => {
      const handshakeHash = this.#symmetric.handshakeHash;
      const [toResponder, toInitiator] = this.#symmetric.split();
      this.#wipe();
      return this.#options.role === "initiator"
        ? { send: toResponder, receive: toInitiator, handshakeHash }
        : { send: toInitiator, receive: toResponder, handshakeHash };
    });
  }

  /** Wipes all secrets; idempotent. Every later call throws `handshake/wrong-state`. */
  destroy(): void {
    this.#step = "over";
    this.#wipe();
  }

  #run<T>(from: Step, to: Step, action: () => T): T {
    if (this.#step !== from) {
      const at = this.#step;
      this.destroy();
      throw failure("handshake/wrong-state", `Cannot ${from} in a handshake that is at '${at}'.`);
    }
    try {
      const result = action();
      this.#step = to;
      return result;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  #makeEphemeral(): X25519KeyPair {
    const { noise, random } = this.#deps;
    const secret = new Uint8Array(
      this.#options.fixed?.ephemeralPrivateKey ?? random.bytes(X25519_BYTES),
    );
    const pair = noise.x25519KeyPair(secret);
    secret.fill(0);
    return pair;
  }

  #generateKemKeyPair(): KemKeyPair {
    const seed = this.#deps.random.bytes(ML_KEM_768.seedBytes);
    const pair = this.#deps.kem.generate(seed);
    seed.fill(0);
    return pair;
  }

  #encapsulate(): { readonly ciphertext: Uint8Array; readonly sharedSecret: Uint8Array } {
    const message = this.#options.fixed?.encapsulationMessage;
    try {
      return message === undefined
        ? this.#deps.kem.encapsulate(this.#encapsulationKey)
        : this.#deps.kem.encapsulate(this.#encapsulationKey, message);
    } catch (error) {
      if (isMeshError(error, "crypto/bad-key")) {
        throw failure(
          "handshake/bad-kem-key",
          "Cannot use the initiator's ML-KEM key: a coefficient is too large.",
        );
      }
      throw error;
    }
  }

  #mixSharedKey(own: X25519KeyPair, remotePublicKey: Uint8Array): void {
    const shared = this.#deps.noise.x25519(own.privateKey, remotePublicKey);
    if (shared === undefined || isAllZero(shared)) {
      throw failure(
        "handshake/low-order-point",
        "Cannot agree on a key with an X25519 point of low order.",
      );
    }
    this.#mixSecret(shared);
  }

  #mixSecret(secret: Uint8Array): void {
    this.#symmetric.mixKey(secret);
    secret.fill(0);
  }

  #sealPayload(payloadOf: (binding: PayloadBinding) => Uint8Array): Uint8Array {
    const payload = payloadOf({
      handshakeHash: this.#symmetric.handshakeHash,
      staticPublicKey: this.#options.staticKeyPair.publicKey,
    });
    checkLength("payload", payload, 0, this.#options.payloadBytesMax);
    return this.#symmetric.encryptAndHash(payload);
  }

  #openPayload(sealed: Uint8Array): ReceivedPayload {
    const handshakeHash = this.#symmetric.handshakeHash;
    const payload = this.#symmetric.decryptAndHash(sealed);
    return { payload, handshakeHash, staticPublicKey: this.#remoteStatic };
  }

  /** A value that the step before has set. */
  #own<T>(value: T | undefined): T {
    if (value === undefined)
      throw failure("handshake/wrong-state", "A step of the handshake is missing.");
    return value;
  }

  #wipe(): void {
    this.#ephemeral?.privateKey.fill(0);
    this.#kemKeyPair?.destroy();
    this.#symmetric.destroy();
  }
}

function checkLength(what: string, bytes: Uint8Array, min: number, max: number): void {
  if (bytes.length >= min && bytes.length <= max) return;
  throw failure(
    "handshake/bad-length",
    `Handshake message ${what} must have ${min} to ${max} bytes: current length is ${bytes.length}`,
  );
}

/** In constant time: the value is a secret. */
function isAllZero(bytes: Uint8Array): boolean {
  let bits = 0;
  for (const byte of bytes) bits |= byte;
  return bits === 0;
}
