// One parsed message for all machines of a world. The world's messages are copies that nobody changes, so what one machine parsed
// holds for every other, and a beacon or summary takes memory once instead of once in each node.

import { decodeStateBeacon, decodeSummary, type Intake } from "../mesh/index.ts";

/** An intake that parses each message once, for as long as anybody holds its bytes. */
export function createSharedIntake(): Intake {
  return { decode: once(decodeStateBeacon), decodeSummary: once(decodeSummary), keep: (b) => b };
}

function once<Parsed>(parse: (bytes: Uint8Array) => Parsed): (bytes: Uint8Array) => Parsed {
  const parsed = new WeakMap<Uint8Array, Parsed>();
  return (bytes) => {
    let result = parsed.get(bytes);
    if (result === undefined) {
      result = parse(bytes);
      parsed.set(bytes, result);
    }
    return result;
  };
}
