// One exchange of updates: which peer answered what. First answer counts; peers are those of the manifest, so nothing grows.

import type { UpdateRefusalCode } from "../codes.ts";
import type { ParticipantId } from "../task.ts";
import type { GatedUpdate } from "./gate.ts";

/** A refused pull is tried again this often, after 0.5, 1 and 2 s: enough for a daemon that restarts. */
export const PULL_RETRIES_MAX = 3;
export const PULL_RETRY_BASE_MS = 500;

type Answer =
  | { readonly kind: "waiting"; readonly failures: number }
  | { readonly kind: "update"; readonly update: GatedUpdate }
  | { readonly kind: "refused"; readonly code: UpdateRefusalCode }
  | { readonly kind: "ahead" }
  | { readonly kind: "silent" };

/** Answers of all peers in one round. */
export class Exchange {
  readonly #answers: Map<ParticipantId, Answer>;

  constructor(peers: readonly ParticipantId[]) {
    this.#answers = new Map(peers.map((peer) => [peer, { kind: "waiting", failures: 0 }]));
  }

  /** True while an answer of this peer would still count. */
  waitsFor(peer: ParticipantId): boolean {
    return this.#answers.get(peer)?.kind === "waiting";
  }

  /** True when every peer answered or was given up. */
  get complete(): boolean {
    return this.#all("waiting").length === 0;
  }

  update(peer: ParticipantId, update: GatedUpdate): void {
    this.#settle(peer, { kind: "update", update });
  }

  refuse(peer: ParticipantId, code: UpdateRefusalCode): void {
    this.#settle(peer, { kind: "refused", code });
  }

  /** The peer is past the round. */
  ahead(peer: ParticipantId): void {
    this.#settle(peer, { kind: "ahead" });
  }

  silent(peer: ParticipantId): void {
    this.#settle(peer, { kind: "silent" });
  }

  /** Counts a failed pull; gives the delay of the next try, or `undefined` once the peer is given up. */
  failed(peer: ParticipantId): number | undefined {
    const answer = this.#answers.get(peer);
    if (answer?.kind !== "waiting") return undefined;
    if (answer.failures >= PULL_RETRIES_MAX) {
      this.silent(peer);
      return undefined;
    }
    this.#answers.set(peer, { kind: "waiting", failures: answer.failures + 1 });
    return PULL_RETRY_BASE_MS * 2 ** answer.failures;
  }

  get updates(): readonly { readonly nodeId: ParticipantId; readonly update: GatedUpdate }[] {
    return [...this.#answers].flatMap(([nodeId, answer]) =>
      answer.kind === "update" ? [{ nodeId, update: answer.update }] : [],
    );
  }

  get refusals(): readonly { readonly nodeId: ParticipantId; readonly code: UpdateRefusalCode }[] {
    return [...this.#answers].flatMap(([nodeId, answer]) =>
      answer.kind === "refused" ? [{ nodeId, code: answer.code }] : [],
    );
  }

  /** Peers past the round. */
  get aheadCount(): number {
    return this.#all("ahead").length;
  }

  /** Peers without an update that were not refused. */
  get silentPeers(): readonly ParticipantId[] {
    return [...this.#all("waiting"), ...this.#all("silent"), ...this.#all("ahead")].sort();
  }

  #settle(peer: ParticipantId, answer: Answer): void {
    if (this.waitsFor(peer)) this.#answers.set(peer, answer);
  }

  #all(kind: Answer["kind"]): ParticipantId[] {
    return [...this.#answers].flatMap(([nodeId, answer]) => (answer.kind === kind ? [nodeId] : []));
  }
}
