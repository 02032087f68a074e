// What a daemon does with a message's bytes on their way in: it parses each for itself and copies what it keeps.

import { toHex } from "../foundation/index.ts";
import { decodeStateBeacon } from "./beacons/state-beacon.ts";
import type { Intake } from "./machine-types.ts";
import { decodeSummary } from "./zones/summary.ts";

/** Everything by itself: the caller's buffer may be used again. */
export const ownIntake: Intake = {
  decode: decodeStateBeacon,
  decodeSummary,
  digest: (signed, engine) => toHex(engine.sha256(signed)),
  keep: (bytes) => bytes.slice(),
};
