// The bundles of other trust domains that this node's entries federate with, as the issuer tells them. Kept apart from ours and from
// one another; a workload sees those that its own entries name.

import type { DomainBundle } from "../../adapters/workload-api/source.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { concatBytes, errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  type ForeignBundle,
  foreignDigest,
  parseBundleJson,
  readForeignBundle,
  type RegistrationEntry,
  type SvidRequest,
  type SvidResponse,
  type ToldBundle,
  type TrustBundle,
} from "../../identity/index.ts";
import type { Logger } from "../../ports/index.ts";

export interface ForeignBundlesDeps {
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly logger: Logger;
  readonly ask: (request: SvidRequest) => Promise<SvidResponse>;
}

interface Known {
  readonly read: ForeignBundle;
  /** What this daemon can verify of it. */
  readonly bundle: TrustBundle;
}

export class ForeignBundles {
  readonly #deps: ForeignBundlesDeps;
  #told: readonly ToldBundle[] = [];
  readonly #known = new Map<string, Known>();

  constructor(deps: ForeignBundlesDeps) {
    this.#deps = deps;
  }

  /** Asks the issuer for what is new; what is known stays while it gives no good answer. @returns whether anything changed */
  async sync(entries: readonly RegistrationEntry[]): Promise<boolean> {
    const isWanted = entries.some(({ federatesWith }) => federatesWith.length > 0);
    let told: readonly ToldBundle[] | undefined = [];
    try {
      if (isWanted) told = await this.#ask();
    } catch (error) {
      const fields = { code: errorCode(error), error: errorMessage(error) };
      this.#deps.logger.debug(fields, "no bundles of other trust domains told");
      return false;
    }
    if (told === undefined || (told.length === 0 && this.#told.length === 0)) return false;
    this.#told = told;
    this.#known.clear();
    for (const { trustDomain, document } of told) {
      const [read, bundle] = [
        readForeignBundle(trustDomain, document),
        parseBundleJson(trustDomain, document),
      ];
      if (read.ok && bundle.ok)
        this.#known.set(trustDomain, { read: read.value, bundle: bundle.value });
      else this.#deps.logger.warn({ trustDomain }, "the issuer told a bundle that is none");
    }
    return true;
  }

  /** As workloads with these entries get them. */
  of(entries: readonly RegistrationEntry[]): DomainBundle[] {
    const names = new Set(entries.flatMap(({ federatesWith }) => federatesWith));
    return [...names].sort().flatMap((trustDomain) => {
      const read = this.#known.get(trustDomain)?.read;
      return read === undefined
        ? []
        : [{ trustDomain, x509: concatBytes(...read.x509), jwks: read.jwks }];
    });
  }

  /** What verifies SVIDs of a trust domain for workloads with these entries. */
  find(entries: readonly RegistrationEntry[], trustDomain: string): TrustBundle | undefined {
    const isNamed = entries.some(({ federatesWith }) => federatesWith.includes(trustDomain));
    return isNamed ? this.#known.get(trustDomain)?.bundle : undefined;
  }

  /** Undefined: nothing is new. */
  async #ask(): Promise<readonly ToldBundle[] | undefined> {
    const bundlesDigest = foreignDigest(this.#deps.engine, this.#told);
    const answer = await this.#deps.ask({ op: "federated", bundlesDigest });
    if (answer.result === "federated") return answer.bundles;
    throw new MeshError(
      answer.result === "refused" ? answer.code : "identity/response-malformed",
      "The issuer told no bundles of other trust domains.",
    );
  }
}
