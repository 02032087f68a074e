// JWT-SVIDs of this node's workloads by entry and audience: used again for half of their life, and when no issuer answers for all of it.

import { MeshError } from "../../foundation/index.ts";
import type { RegistrationEntry, SvidRequest, SvidResponse } from "../../identity/index.ts";
import type { Clock } from "../../ports/index.ts";

/** Tokens that are held; the one that was made longest ago is forgotten first. */
export const TOKENS_MAX = 1024;

interface HeldToken {
  readonly token: string;
  readonly madeAtMs: number;
  readonly lifetimeMs: number;
}

export class HeldTokens {
  readonly #clock: Clock;
  readonly #ask: (request: SvidRequest) => Promise<SvidResponse>;
  readonly #held = new Map<string, HeldToken>();
  readonly #coming = new Map<string, Promise<string>>();

  constructor(deps: {
    readonly clock: Clock;
    readonly ask: (request: SvidRequest) => Promise<SvidResponse>;
  }) {
    this.#clock = deps.clock;
    this.#ask = deps.ask;
  }

  /** @throws MeshError the issuer's refusal, or that none answers */
  get(entry: RegistrationEntry, audience: readonly string[]): Promise<string> {
    const name = JSON.stringify([entry, audience]);
    const held = this.#held.get(name);
    const ageMs = held === undefined ? Infinity : this.#clock.now().wallMs - held.madeAtMs;
    // A clock that was put back makes a token younger than it is.
    if (held !== undefined && ageMs >= 0 && ageMs < held.lifetimeMs / 2)
      return Promise.resolve(held.token);
    const coming = this.#coming.get(name) ?? this.#fetch(name, entry, audience);
    return held !== undefined && ageMs >= 0 && ageMs < held.lifetimeMs
      ? coming.catch(() => held.token)
      : coming;
  }

  /** Forgets all tokens: their key may be gone. */
  forget(): void {
    this.#held.clear();
  }

  /** Those who ask for the same at once get the same. */
  #fetch(name: string, entry: RegistrationEntry, audience: readonly string[]): Promise<string> {
    const coming = this.#request(entry, audience)
      .then((token) => {
        const madeAtMs = this.#clock.now().wallMs;
        this.#held.delete(name);
        this.#held.set(name, { token, madeAtMs, lifetimeMs: entry.jwtTtlS * 1000 });
        const [oldest] = this.#held.keys();
        if (this.#held.size > TOKENS_MAX && oldest !== undefined) this.#held.delete(oldest);
        return token;
      })
      .finally(() => this.#coming.delete(name));
    this.#coming.set(name, coming);
    return coming;
  }

  async #request({ id }: RegistrationEntry, audience: readonly string[]): Promise<string> {
    const answer = await this.#ask({ op: "jwt", entry: id, audience: [...audience] });
    if (answer.result === "jwt") return answer.token;
    const code = answer.result === "refused" ? answer.code : "identity/response-malformed";
    throw new MeshError(code, `The issuer made no JWT-SVID: ${code}.`);
  }
}
