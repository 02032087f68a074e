// One parsed beacon for all machines of a world. The world's messages are copies that nobody changes, so what one machine parsed
// holds for every other, and a beacon takes memory once instead of once a member of each node.

import { type BeaconIntake, decodeStateBeacon } from "../mesh/index.ts";

/** An intake that parses each message once, for as long as anybody holds its bytes. */
export function createSharedIntake(): BeaconIntake {
  const parsed = new WeakMap<Uint8Array, ReturnType<typeof decodeStateBeacon>>();
  return {
    decode: (bytes) => {
      let result = parsed.get(bytes);
      if (result === undefined) {
        result = decodeStateBeacon(bytes);
        parsed.set(bytes, result);
      }
      return result;
    },
    keep: (bytes) => bytes,
  };
}
