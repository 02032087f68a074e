// One parsed message for all machines of a world. The world's messages are copies that nobody changes, so what one machine parsed
// and hashed holds for every other, and a beacon or summary takes memory once instead of once in each node.

import { toHex } from "../foundation/index.ts";
import { decodeStateBeacon, decodeSummary, type Intake } from "../mesh/index.ts";

/** An intake that parses and hashes each message once, for as long as anybody holds its bytes. */
export function createSharedIntake(): Intake {
  return {
    decode: once(decodeStateBeacon),
    decodeSummary: once(decodeSummary),
    // A decoder that runs once gives the signed part as one object, too.
    digest: once<Parameters<Intake["digest"]>, string>((signed, { sha256 }) =>
      toHex(sha256(signed)),
    ),
    keep: (bytes) => bytes,
  };
}

function once<Input extends [bytes: Uint8Array, ...unknown[]], Result>(
  work: (...input: Input) => Result,
): (...input: Input) => Result {
  const results = new WeakMap<Uint8Array, Result>();
  return (...input) => {
    let result = results.get(input[0]);
    if (result === undefined) {
      result = work(...input);
      results.set(input[0], result);
    }
    return result;
  };
}
