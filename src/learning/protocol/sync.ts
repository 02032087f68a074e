// Pull synchronisation: a node tells which messages of the round it has, a peer answers with what it lacks, or with the
// certificates that it is behind. The answers authenticate themselves, so a pulled message is worth what a gossiped one is.
// kind (1) | version (1) | task (32) | round (4) | count (2) | count x first 8 bytes of the message's SHA-256

import {
  ByteReader,
  concatBytes,
  fromHex,
  isMeshError,
  toHex,
  uint16be,
  uint32be,
} from "../../foundation/index.ts";
import type { Digest } from "./types.ts";
import { messageKinds, PROTOCOL_VERSION, readDigest } from "./wire.ts";

/** Names a message among those of a round. */
type MessageName = string;
const NAME_BYTES = 8;
/** Headers, statements, results, proofs and three views of votes of 64 participants are below 1000. */
const NAMES_MAX = 2048;

/** How many certificates, and bytes of them or of messages, an answer has at most. */
export const ANSWER_CERTIFICATES_MAX = 16;
export const ANSWER_BYTES_MAX = 2 * 1024 * 1024;

/** What a node has. */
export interface SyncStatus {
  readonly task: Digest;
  /** The round under way. */
  readonly round: number;
  readonly names: ReadonlySet<MessageName>;
}

/** Names messages, each once: their bytes do not change. */
export class MessageNames {
  readonly #sha256: (data: Uint8Array) => Uint8Array;
  readonly #known = new WeakMap<Uint8Array, MessageName>();

  constructor(sha256: (data: Uint8Array) => Uint8Array) {
    this.#sha256 = sha256;
  }

  of(message: Uint8Array): MessageName {
    const known = this.#known.get(message);
    if (known !== undefined) return known;
    const name = toHex(this.#sha256(message).subarray(0, NAME_BYTES));
    this.#known.set(message, name);
    return name;
  }
}

/** The bytes of a status; names beyond the limit are left out: their messages come once more. */
export function encodeStatus({ task, round, names }: SyncStatus): Uint8Array {
  const sent = [...names].slice(0, NAMES_MAX);
  return concatBytes(
    Uint8Array.of(messageKinds.status, PROTOCOL_VERSION),
    fromHex(task),
    uint32be(round),
    uint16be(sent.length),
    ...sent.map(fromHex),
  );
}

/** Parses a status; undefined when it is none. */
export function decodeStatus(bytes: Uint8Array): SyncStatus | undefined {
  const reader = new ByteReader(bytes);
  try {
    if (reader.uint8() !== messageKinds.status || reader.uint8() !== PROTOCOL_VERSION) return;
    const task = readDigest(reader);
    const round = reader.uint32be();
    const count = reader.uint16be();
    if (count > NAMES_MAX || reader.remaining !== count * NAME_BYTES) return;
    const names = new Set<MessageName>();
    for (let i = 0; i < count; i++) names.add(toHex(reader.take(NAME_BYTES)));
    return { task, round, names };
  } catch (error) {
    if (isMeshError(error)) return undefined;
    throw error;
  }
}

/** The first of the messages, up to the limit of an answer. */
export function withinAnswer(messages: Iterable<Uint8Array>): Uint8Array[] {
  const answer: Uint8Array[] = [];
  let total = 0;
  for (const message of messages) {
    total += message.length;
    if (total > ANSWER_BYTES_MAX) break;
    answer.push(message);
  }
  return answer;
}
