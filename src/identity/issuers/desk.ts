// What an issuer answers the other issuers of its trust domain: intermediates, entries, tokens, names. Synchronous, as each of them
// is decided in one place: a token by the issuer that made it, an intermediate by the holder of the root.

import { isMeshError, refuse, ok, type Result } from "../../foundation/index.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import type { Now, WallMs } from "../../ports/index.ts";
import type { NameRegistry } from "../name-registry.ts";
import type { NodeId } from "../peer-identity.ts";
import type { TokenLedger } from "../token-ledger.ts";
import type { EntryBook } from "../workload/entry-book.ts";
import {
  CERTIFY_CONTEXT,
  type CertifyRequest,
  certifyMessage,
  encodeIssuerMessage,
  type IssuerRefusalCode,
  type IssuerRequest,
  type IssuerResponse,
  parseIssuerRequest,
} from "./messages.ts";

export interface IssuerDeskDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly ledger: TokenLedger;
  readonly names: NameRegistry;
  readonly book: Pick<EntryBook, "recordsAbove">;
  /** Whether the bundle names a node as an issuer. */
  readonly isIssuer: (nodeId: NodeId) => boolean;
  /** On the holder of the root: publishes keys and signs an intermediate; undefined elsewhere. */
  readonly certify:
    | ((
        nodeId: NodeId,
        request: CertifyRequest,
      ) => {
        readonly certificate: Uint8Array;
        readonly root: Uint8Array;
        readonly readyAtMs: WallMs;
      })
    | undefined;
}

type Answer = Result<Exclude<IssuerResponse, { result: "refused" }>, IssuerRefusalCode>;

export class IssuerDesk {
  readonly #deps: IssuerDeskDeps;

  constructor(deps: IssuerDeskDeps) {
    this.#deps = deps;
  }

  /** The response to another issuer; never throws for what it sent. */
  handle(request: Uint8Array, from: NodeId, now: Now): Uint8Array {
    const parsed = parseIssuerRequest(request);
    const answer = parsed.ok ? this.#answer(parsed.value, from, now) : parsed;
    return encodeIssuerMessage(answer.ok ? answer.value : { result: "refused", code: answer.code });
  }

  #answer(request: IssuerRequest, from: NodeId, now: Now): Answer {
    if (!this.#deps.isIssuer(from)) return refuse("identity/peer-not-entitled");
    switch (request.op) {
      case "certify":
        return this.#certify(request, from);
      case "records":
        return ok({ result: "records", ...this.#deps.book.recordsAbove(request.have) });
      case "redeem": {
        const used = this.#deps.ledger.redeemFor({ ...request, nowMs: now.wallMs });
        return used.ok ? ok({ result: "redeemed", expiresAtMs: used.value.expiresAtMs }) : used;
      }
      case "claim":
        return this.#claim(request);
    }
  }

  #certify(request: CertifyRequest, from: NodeId): Answer {
    const { engine, certify } = this.#deps;
    if (certify === undefined) return refuse("identity/not-issuer");
    const { publicKey, proof } = request;
    if (!engine.mlDsa65.verify(publicKey, certifyMessage(from), proof, CERTIFY_CONTEXT))
      return refuse("identity/proof-invalid");
    try {
      return ok({ result: "certified", ...certify(from, request) });
    } catch (error) {
      if (isMeshError(error)) return refuse("identity/issuer-unusable");
      throw error;
    }
  }

  #claim({ name, nodeId }: Extract<IssuerRequest, { op: "claim" }>): Answer {
    const claim = this.#deps.names.claim(name, nodeId);
    if (claim === "name-taken") return refuse("identity/name-taken");
    if (claim === "node-has-other-name") return refuse("identity/name-fixed");
    return ok({ result: "claimed" });
  }
}
