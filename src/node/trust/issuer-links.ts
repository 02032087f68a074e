// How an issuer uses the other issuers: it gets its intermediate from the holder of the root, exchanges entries with all, and has tokens
// and names decided where they can be.

import type { Network } from "../../adapters/libp2p/network.ts";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  encodeIssuerMessage,
  type EntryBook,
  ISSUER_PROTOCOL,
  ISSUER_RESPONSE_BYTES_MAX,
  type IssuerRequest,
  type IssuerResponse,
  type NodeId,
  parseIssuerResponse,
  type TokenLedger,
} from "../../identity/index.ts";
import type { Logger, WallMs } from "../../ports/index.ts";

const TIMEOUT_MS = 5_000;

export interface IssuerLinksDeps {
  readonly self: NodeId;
  /** Who issues, as the bundle says; the holder of the root first. */
  readonly issuers: () => readonly NodeId[];
  readonly logger: Logger;
  /** Sees to a connection, and asks. @throws MeshError `network/*` */
  readonly request: Network["request"];
}

export class IssuerLinks {
  readonly #deps: IssuerLinksDeps;

  constructor(deps: IssuerLinksDeps) {
    this.#deps = deps;
  }

  /** @throws MeshError `network/*`, `identity/response-malformed` */
  async ask(to: NodeId, request: IssuerRequest): Promise<IssuerResponse> {
    const bytes = await this.#deps.request(to, ISSUER_PROTOCOL, encodeIssuerMessage(request), {
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: ISSUER_RESPONSE_BYTES_MAX,
    });
    const response = parseIssuerResponse(bytes);
    if (response.ok) return response.value;
    throw new MeshError(response.code, "Another issuer's answer is malformed. Compare versions.");
  }

  /** Takes the entries of the other issuers that are in reach. */
  async exchange(book: EntryBook): Promise<void> {
    for (const issuer of this.#others()) {
      await this.#tried(issuer, async () => {
        for (let more = true; more; ) {
          const answer = await this.ask(issuer, { op: "records", have: book.have() });
          if (answer.result !== "records") return;
          const before = JSON.stringify(book.have());
          book.merge(answer, (author) => this.#deps.issuers().includes(author));
          more = answer.more && JSON.stringify(book.have()) !== before;
        }
      });
    }
  }

  /**
   * Has a token used that this issuer does not know: the one that made it decides, so it is used once everywhere. If that one is out of
   * reach, the token stays unknown.
   */
  async redeem(
    ledger: TokenLedger,
    use: { readonly secret: Uint8Array; readonly nodeId: NodeId; readonly name: string },
    nowMs: WallMs,
  ): Promise<void> {
    const known = ledger.check({ ...use, nowMs });
    if (known.ok || known.code !== "identity/token-unknown") return;
    const { nodeId, name } = use;
    const secretHash = ledger.hash(use.secret);
    for (const issuer of this.#others()) {
      const answer = await this.#tried(issuer, () =>
        this.ask(issuer, { op: "redeem", secretHash, nodeId, name }),
      );
      if (answer?.result !== "redeemed") continue;
      ledger.adopt({ secretHash, nodeId, name, nowMs, expiresAtMs: answer.expiresAtMs });
      return;
    }
  }

  /** Takes a name for a node at all issuers in reach. @returns whether none of them knows it as another node's */
  async claim(name: string, nodeId: NodeId): Promise<boolean> {
    const answers = await Promise.all(
      this.#others().map((issuer) =>
        this.#tried(issuer, () => this.ask(issuer, { op: "claim", name, nodeId })),
      ),
    );
    return answers.every((answer) => answer?.result !== "refused");
  }

  #others(): NodeId[] {
    return this.#deps.issuers().filter((nodeId) => nodeId !== this.#deps.self);
  }

  async #tried<T>(issuer: NodeId, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#deps.logger.debug(
        { code: errorCode(error), error: errorMessage(error), issuer },
        "another issuer did not answer",
      );
      return undefined;
    }
  }
}
