// What two simulated participants of a training task say to each other beside gossip. In production these are libp2p streams:
// a content travels in chunks there, here in one piece that takes as long.

/** A question and its answer carry one number, unique at the node that asked. */
export type LearningDatagram =
  /** What do I lack? `RoundMachine.answer` knows. */
  | { readonly kind: "fl-sync"; readonly status: Uint8Array }
  | { readonly kind: "fl-lacking"; readonly messages: readonly Uint8Array[] }
  /** An update or a model, by its name. */
  | { readonly kind: "fl-want"; readonly content: string }
  /** Without bytes: it is not here. */
  | { readonly kind: "fl-content"; readonly bytes: Uint8Array | undefined };

/** Whether a datagram concerns learning. */
export function isLearning<D extends { readonly kind: string }>(
  datagram: D,
): datagram is D & LearningDatagram {
  return datagram.kind.startsWith("fl-");
}
