// The issuers that a node may ask, and how it asks them: one after another, until one answers.

import { isMeshError, MeshError } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { MemberView } from "../../mesh/index.ts";

export interface IssuersDeps {
  readonly members: () => readonly MemberView[];
  readonly spiffeIdOf: (nodeId: NodeId) => string | undefined;
  /** Whom the trust bundle names. */
  readonly named: () => readonly NodeId[];
  /** SPIFFE id of the issuer that this node joined through. */
  readonly pinned: () => string | undefined;
  /** Whether the policy lets a node issue. */
  readonly permits: (spiffeId: string) => boolean;
  /** Sees to a connection. @throws MeshError `network/dial-failed` */
  readonly reach: (nodeId: NodeId, addresses: readonly string[]) => Promise<void>;
}

export class Issuers {
  readonly #deps: IssuersDeps;

  constructor(deps: IssuersDeps) {
    this.#deps = deps;
  }

  /** Asks one after another; the last refusal is thrown. @throws MeshError `identity/not-issuer` when none is in reach */
  async ask<T>(ask: (nodeId: NodeId) => Promise<T>): Promise<T> {
    let refusal: MeshError = new MeshError("identity/not-issuer", "No issuer is in reach.");
    for (const { nodeId, addresses } of this.#present()) {
      try {
        await this.#deps.reach(nodeId, addresses);
        return await ask(nodeId);
      } catch (error) {
        if (!isMeshError(error)) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** Whether a member is one that may be asked. */
  has(nodeId: NodeId): boolean {
    return this.#present().some((member) => member.nodeId === nodeId);
  }

  /** Those of the bundle, the one this node joined through, and those the policy names. */
  #present(): readonly MemberView[] {
    const { members, spiffeIdOf, named, pinned, permits } = this.#deps;
    const [inBundle, joinedThrough] = [named(), pinned()];
    return members().filter(({ nodeId, state }) => {
      const spiffeId = spiffeIdOf(nodeId);
      if (spiffeId === undefined || !["joining", "alive", "suspect"].includes(state)) return false;
      return inBundle.includes(nodeId) || spiffeId === joinedThrough || permits(spiffeId);
    });
  }
}
