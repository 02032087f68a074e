// The results that participants signed in one round, and the certificate once a quorum of them is equal.

import { toHex } from "../../foundation/index.ts";
import type { ParticipantId } from "../task.ts";
import { certificateDigest } from "./certificate.ts";
import type { ResultMessage } from "./messages.ts";
import type { Population } from "./population.ts";
import type { Certificate, Decision, Digest } from "./types.ts";

/** One result for each participant. */
export class Results {
  readonly #participants: Population;
  readonly #messages = new Map<ParticipantId, ResultMessage>();

  constructor(participants: Population) {
    this.#participants = participants;
  }

  get size(): number {
    return this.#messages.size;
  }

  get(nodeId: ParticipantId): ResultMessage | undefined {
    return this.#messages.get(nodeId);
  }

  add(message: ResultMessage): void {
    this.#messages.set(message.nodeId, message);
  }

  all(): Iterable<ResultMessage> {
    return this.#messages.values();
  }

  /** Whether no result can reach a quorum any more. */
  get isSplit(): boolean {
    const left = this.#participants.ids.length - this.size;
    return this.#largest().length + left < this.#participants.quorum;
  }

  /** The certificate of what was decided here, when a quorum computed the same from it. */
  certificate(
    sha256: (data: Uint8Array) => Uint8Array,
    decided: { readonly value: Digest; readonly decision: Decision },
  ): Certificate | undefined {
    if (this.size < this.#participants.quorum) return undefined;
    const equal = this.#largest();
    const [first] = equal;
    if (equal.length < this.#participants.quorum || first?.decision !== decided.value) {
      return undefined;
    }
    const { task, round, previous, result, rule } = first;
    const content = { task, round, previous, decision: decided.decision, result, rule };
    const signatures = equal
      .map(({ nodeId, signature }) => ({ nodeId, signature }))
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const digest = certificateDigest(sha256, content, this.#participants);
    return { ...content, digest, signatures };
  }

  /** The equal results that are most. */
  #largest(): readonly ResultMessage[] {
    const groups = new Map<string, ResultMessage[]>();
    for (const message of this.#messages.values()) {
      const { decision, rule, result } = message;
      const name = [decision, rule, result.model, result.weights, toHex(result.summary)].join();
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [message]);
      else group.push(message);
    }
    return [...groups.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  }
}
