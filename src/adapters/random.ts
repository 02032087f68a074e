// The operating system's randomness, through OpenSSL's generator.

import { randomFillSync, randomInt } from "node:crypto";
import type { Random } from "../ports/index.ts";

/** 2^47: the widest power of two that node's `randomInt` draws from. */
const FRACTION_STEPS = 2 ** 47;

/** Cryptographically secure randomness. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  fraction: () => randomInt(FRACTION_STEPS) / FRACTION_STEPS,
};
