// The seen-cache of one node. Messages count from 0 within their topic and their generation (a span of virtual time), so what
// was seen is a bit each; the generation before last is forgotten as a whole.

import type { GossipMessage } from "./node-types.ts";

interface TopicBits {
  generation: number;
  young: Uint32Array;
  old: Uint32Array;
}

const NONE = new Uint32Array(0);
const WORDS_MIN = 4;

/** Which messages a node has had. */
export class SeenMessages {
  readonly #topics = new Map<string, TopicBits>();

  /**
   * Those of the messages that were not seen; none that is so old that nobody would know.
   * @param messages of one topic
   * @param generation that of the present
   */
  lacking(messages: readonly GossipMessage[], generation: number): GossipMessage[] {
    const first = messages[0];
    if (first === undefined) return [];
    const topic = this.#turned(first.topic, generation);
    return messages.filter((message) => {
      const bits = bitsOf(topic, message);
      return bits !== undefined && !isSet(bits, message.place);
    });
  }

  /** True when the message was not seen; it is afterwards. @param generation that of the present */
  add(message: GossipMessage, generation: number): boolean {
    const topic = this.#turned(message.topic, generation);
    let bits = bitsOf(topic, message);
    const { place } = message;
    if (bits === undefined || isSet(bits, place)) return false;
    const word = place >>> 5;
    if (word >= bits.length) {
      const grown = new Uint32Array(Math.max(WORDS_MIN, 2 * word));
      grown.set(bits);
      if (message.generation === generation) topic.young = grown;
      else topic.old = grown;
      bits = grown;
    }
    bits[word] = (bits[word] ?? 0) | (1 << (place & 31));
    return true;
  }

  #turned(name: string, generation: number): TopicBits {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = { generation, young: NONE, old: NONE };
      this.#topics.set(name, topic);
    } else if (topic.generation !== generation) {
      topic.old = topic.generation === generation - 1 ? topic.young : NONE;
      topic.young = NONE;
      topic.generation = generation;
    }
    return topic;
  }
}

function bitsOf(topic: TopicBits, message: GossipMessage): Uint32Array | undefined {
  if (message.generation === topic.generation) return topic.young;
  return message.generation === topic.generation - 1 ? topic.old : undefined;
}

function isSet(bits: Uint32Array, place: number): boolean {
  return ((bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;
}
