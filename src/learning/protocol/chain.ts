// The chain of certificates, as far back as updates may be stale.

import { MeshError } from "../../foundation/index.ts";
import type { ProtocolRefusalCode } from "../codes.ts";
import { decodeCertificate } from "./certificate.ts";
import { genesisDigest } from "./decision.ts";
import type { Population } from "./population.ts";
import type { Certificate, Digest, RoundDeps, RoundOptions } from "./types.ts";

/** A certified round as later ones build on it. */
export interface Link {
  readonly round: number;
  /** Of the certificate. */
  readonly digest: Digest;
  readonly model: Digest;
}

/** The newest links, at least one: before the first certificate the task itself, as round 0. */
export class Chain {
  readonly #deps: Pick<RoundDeps, "sha256" | "certificateAt">;
  readonly #participants: Population;
  readonly #stalenessMax: number;
  #links: Link[];
  #entered: ReadonlySet<Digest> = new Set();

  constructor(
    deps: Pick<RoundDeps, "sha256" | "certificateAt">,
    { task, initialModel, policy }: Pick<RoundOptions, "task" | "initialModel" | "policy">,
    participants: Population,
  ) {
    this.#deps = deps;
    this.#participants = participants;
    this.#stalenessMax = policy.stalenessMax;
    const digest = genesisDigest(deps.sha256, task, initialModel);
    this.#links = [{ round: 0, digest, model: initialModel }];
  }

  get newest(): Link {
    return this.#links.at(-1) as Link;
  }

  /** A link that updates may still be based on. */
  at(round: number): Link | undefined {
    return this.#links.find((link) => link.round === round);
  }

  /** The headers of the newest certified set. */
  get entered(): ReadonlySet<Digest> {
    return this.#entered;
  }

  extend({ round, digest, result, decision }: Certificate): void {
    if (decision.kind === "set")
      this.#entered = new Set(decision.entries.map(({ header }) => header));
    this.#links.push({ round, digest, model: result.model });
    this.#links = this.#links.slice(-1 - this.#stalenessMax);
  }

  /**
   * Goes on from the newest certificate of an earlier run, which is what it gives.
   * @throws MeshError `learning/malformed` when what is stored is no certificate
   */
  resume(newest: Uint8Array): Certificate {
    const last = this.#decode(newest);
    for (let at = Math.max(1, last.round - this.#stalenessMax); at < last.round; at++) {
      const stored = this.#deps.certificateAt(at);
      if (stored !== undefined) this.extend(this.#decode(stored));
    }
    this.extend(last);
    return last;
  }

  #decode(bytes: Uint8Array): Certificate {
    const decoded = decodeCertificate(bytes, this.#participants, this.#deps.sha256);
    if (decoded.ok) return decoded.value;
    throw new MeshError<ProtocolRefusalCode>(
      "learning/malformed",
      "Cannot read a stored certificate of the task. Remove the task's state: it comes back from the other participants.",
    );
  }
}
