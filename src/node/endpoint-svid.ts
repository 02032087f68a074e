// The certificate of this trust domain's own bundle endpoint under the profile https_spiffe: an X.509-SVID of P-256 that this issuer
// makes for itself, with a new key each time, renewed at half of its life, and at once when its root is tainted or gone.

import { createPrivateKey } from "node:crypto";
import type { ServerCredentials } from "../adapters/http/bundle-server.ts";
import { newP256Key } from "../adapters/crypto/workload-key.ts";
import type { Clock, Random } from "../ports/index.ts";

/** The path of the endpoint's SPIFFE id. */
export const ENDPOINT_PATH = "/bundle-endpoint";
export const ENDPOINT_SVID_SECONDS = 3_600;

export interface EndpointSvidDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** An SVID for a key, DER; undefined while this node issues none. */
  readonly issue: (publicKey: Uint8Array) => Uint8Array | undefined;
  /** Whether what issued it is still to be used: in the bundle, and not tainted. */
  readonly vouchesFor: (leaf: Uint8Array) => boolean;
}

export class EndpointSvid implements ServerCredentials {
  readonly name = "its own X.509-SVID";
  readonly #deps: EndpointSvidDeps;
  #held: Held | undefined;

  constructor(deps: EndpointSvidDeps) {
    this.#deps = deps;
  }

  /** Whether there is one to show. */
  get isReady(): boolean {
    this.version();
    return this.#held !== undefined;
  }

  version(): string {
    const { clock, random, issue } = this.#deps;
    const nowMs = clock.now().wallMs;
    if (this.#isDue(nowMs)) {
      const key = newP256Key(random);
      const leaf = issue(key.publicKey);
      if (leaf !== undefined) {
        const pkcs8 = createPrivateKey({
          ...{ key: Buffer.from(key.pkcs8), format: "der", type: "pkcs8" },
        });
        const pem = pkcs8.export({ format: "pem", type: "pkcs8" });
        this.#held = { leaf, cert: pemOf(leaf), key: pem, madeAtMs: nowMs };
      }
    }
    return this.#held?.cert ?? "";
  }

  /** A clock that was put back makes it due, too. */
  #isDue(nowMs: number): boolean {
    if (this.#held === undefined) return true;
    const ageMs = nowMs - this.#held.madeAtMs;
    const isYoung = ageMs >= 0 && ageMs < (ENDPOINT_SVID_SECONDS * 1000) / 2;
    return !isYoung || !this.#deps.vouchesFor(this.#held.leaf);
  }

  read(): { readonly cert: string; readonly key: string } {
    if (this.#held === undefined) throw new Error("there is none yet");
    return this.#held;
  }
}

interface Held {
  readonly leaf: Uint8Array;
  readonly cert: string;
  readonly key: string;
  readonly madeAtMs: number;
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
