// As much of gossipsub's wire format as a peer needs that only publishes, or only listens: RPCs framed by their length.

import { RPC } from "@libp2p/gossipsub/message";
import { concatBytes } from "../foundation/index.ts";

export const GOSSIP_PROTOCOL = "/meshsub/1.2.0";
/** Above what the daemon sends in one RPC. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024;

const nothing = { subscriptions: [], messages: [] };
const noControl = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] };

/** Tells the other side which topics this peer takes. */
export function subscribing(topics: readonly string[]): Uint8Array {
  const subscriptions = topics.map((topic) => ({ subscribe: true, topic }));
  return framed(RPC.encode({ ...nothing, subscriptions }));
}

/** Asks to get every message of the topics as soon as it is accepted. */
export function grafting(topics: readonly string[]): Uint8Array {
  const graft = topics.map((topicID) => ({ topicID }));
  return framed(RPC.encode({ ...nothing, control: { ...noControl, graft } }));
}

export function publishing(topic: string, data: Uint8Array): Uint8Array {
  return framed(RPC.encode({ ...nothing, messages: [{ topic, data }] }));
}

/** Takes a stream's bytes as they come, and gives the messages of each RPC that is whole. */
export class RpcReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** @throws RangeError for a frame that is too long: the stream is worth nothing after it */
  take(bytes: Uint8Array): RPC.Message[] {
    let rest = this.#rest.length === 0 ? bytes : concatBytes(this.#rest, bytes);
    const messages: RPC.Message[] = [];
    for (;;) {
      const prefix = lengthOf(rest);
      if (prefix === undefined || rest.length < prefix.size + prefix.length) break;
      const end = prefix.size + prefix.length;
      messages.push(...RPC.decode(rest.subarray(prefix.size, end)).messages);
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return messages;
  }
}

/** The varint at the beginning; undefined while it is not whole. */
function lengthOf(bytes: Uint8Array): { size: number; length: number } | undefined {
  let length = 0;
  for (const [at, byte] of bytes.subarray(0, 4).entries()) {
    length += (byte & 0x7f) * 2 ** (7 * at);
    if (length > FRAME_BYTES_MAX) throw new RangeError("an RPC that is too long");
    if (byte < 0x80) return { size: at + 1, length };
  }
  return undefined;
}

function framed(bytes: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = bytes.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) prefix.push((rest % 128) | 0x80);
  return concatBytes(Uint8Array.of(...prefix, rest), bytes);
}
