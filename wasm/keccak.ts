// SHAKE128, SHAKE256, SHA3-256 and SHA3-512 on linear memory (FIPS 202 sections 4 to 6), one message or two side by side.
//
// A sponge is 208 bytes at a pointer the caller owns: 200 bytes of state, then the position in the block as u32. Nothing allocates.
// The two-way sponge (400 bytes: 25 v128, see keccak-f1600.ts) serves inputs of equal length that fit one block, which is all that
// FIPS 203 and 204 need for expanding a matrix and sampling noise. Lengths and positions are public; contents never steer anything.

import { keccakF1600, keccakF1600x2 } from "./keccak-f1600";

export { keccakF1600, keccakF1600x2 };

/** Bytes of a sponge and of a two-way sponge. */
export const SPONGE_BYTES: usize = 208;
export const SPONGE_X2_BYTES: usize = 400;

/** Block length in bytes: FIPS 202 section 6. SHA3-512's is `RATE_SHA3_512`; SHA3-256 shares SHAKE256's. */
export const RATE_SHAKE128: u32 = 168;
export const RATE_SHAKE256: u32 = 136;
export const RATE_SHA3_512: u32 = 72;

/** Domain bits and the first padding bit (FIPS 202 sections 6.1 and 6.2, appendix B.2). */
export const SUFFIX_SHAKE: u8 = 0x1f;
export const SUFFIX_SHA3: u8 = 0x06;

const POSITION: usize = 200;

/** The sponge of the one-shot functions; `wipeKeccak` clears it. */
const ONE_SHOT: usize = memory.data(208, 16);

/** Makes an empty sponge at `sponge`. */
export function spongeInit(sponge: usize): void {
  memory.fill(sponge, 0, SPONGE_BYTES);
}

/** Absorbs `length` bytes; may be called any number of times before `spongeFinish`. */
export function spongeAbsorb(sponge: usize, rate: u32, input: usize, length: u32): void {
  let position = load<u32>(sponge, POSITION);
  const end = input + length;
  while (input < end) {
    if ((position & 7) == 0 && end - input >= 8) {
      const lane = sponge + position;
      store<u64>(lane, load<u64>(lane) ^ load<u64>(input));
      input += 8;
      position += 8;
    } else {
      const byte = sponge + position;
      store<u8>(byte, load<u8>(byte) ^ load<u8>(input));
      input += 1;
      position += 1;
    }
    if (position == rate) {
      keccakF1600(sponge);
      position = 0;
    }
  }
  store<u32>(sponge, position, POSITION);
}

/** Pads; from here on the sponge gives output. */
export function spongeFinish(sponge: usize, rate: u32, suffix: u8): void {
  const byte = sponge + load<u32>(sponge, POSITION);
  store<u8>(byte, load<u8>(byte) ^ suffix);
  const last = sponge + rate - 1;
  store<u8>(last, load<u8>(last) ^ 0x80);
  store<u32>(sponge, rate, POSITION);
}

/** Writes the next `length` bytes of output; may be called any number of times after `spongeFinish`. */
export function spongeSqueeze(sponge: usize, rate: u32, output: usize, length: u32): void {
  let position = load<u32>(sponge, POSITION);
  while (length > 0) {
    if (position == rate) {
      keccakF1600(sponge);
      position = 0;
    }
    const count = min(rate - position, length);
    memory.copy(output, sponge + position, count);
    output += count;
    position += count;
    length -= count;
  }
  store<u32>(sponge, position, POSITION);
}

function oneShot(rate: u32, suffix: u8, output: usize, outputLength: u32, input: usize, length: u32): void {
  spongeInit(ONE_SHOT);
  spongeAbsorb(ONE_SHOT, rate, input, length);
  spongeFinish(ONE_SHOT, rate, suffix);
  spongeSqueeze(ONE_SHOT, rate, output, outputLength);
}

/** SHAKE128(input, 8 * outputLength bits). */
export function shake128(output: usize, outputLength: u32, input: usize, length: u32): void {
  oneShot(RATE_SHAKE128, SUFFIX_SHAKE, output, outputLength, input, length);
}

/** SHAKE256(input, 8 * outputLength bits): H of FIPS 204, J and PRF of FIPS 203. */
export function shake256(output: usize, outputLength: u32, input: usize, length: u32): void {
  oneShot(RATE_SHAKE256, SUFFIX_SHAKE, output, outputLength, input, length);
}

/** SHA3-256: H of FIPS 203. Writes 32 bytes. */
export function sha3_256(output: usize, input: usize, length: u32): void {
  oneShot(RATE_SHAKE256, SUFFIX_SHA3, output, 32, input, length);
}

/** SHA3-512: G of FIPS 203. Writes 64 bytes. */
export function sha3_512(output: usize, input: usize, length: u32): void {
  oneShot(RATE_SHA3_512, SUFFIX_SHA3, output, 64, input, length);
}

/** Clears what the one-shot functions leave of their last input. */
export function wipeKeccak(): void {
  memory.fill(ONE_SHOT, 0, SPONGE_BYTES);
}

/**
 * Starts two SHAKEs over `input0` and `input1`, `length` bytes each, `length` < `rate`: absorbs and pads. The permutation waits for
 * the first squeeze.
 */
export function shakeX2Absorb(sponge: usize, rate: u32, input0: usize, input1: usize, length: u32): void {
  memory.fill(sponge, 0, SPONGE_X2_BYTES);
  const whole = length & ~7;
  for (let i: u32 = 0; i < whole; i += 8) {
    store<u64>(sponge + 2 * i, load<u64>(input0 + i));
    store<u64>(sponge + 2 * i, load<u64>(input1 + i), 8);
  }
  // Byte i of a message is byte i & 7 of its lane, and lanes of one message are 16 bytes apart.
  for (let i = whole; i < length; i++) {
    const at = sponge + 2 * whole + (i & 7);
    store<u8>(at, load<u8>(input0 + i));
    store<u8>(at, load<u8>(input1 + i), 8);
  }
  const pad = sponge + 2 * whole + (length & 7);
  store<u8>(pad, SUFFIX_SHAKE);
  store<u8>(pad, SUFFIX_SHAKE, 8);
  const last = sponge + 2 * (rate - 8) + 7;
  store<u8>(last, load<u8>(last) ^ 0x80);
  store<u8>(last, load<u8>(last, 8) ^ 0x80, 8);
}

/** Writes the next `blocks` blocks of each SHAKE: `blocks * rate` bytes at `output0` and at `output1`. */
export function shakeX2Squeeze(sponge: usize, rate: u32, output0: usize, output1: usize, blocks: u32): void {
  for (; blocks > 0; blocks--) {
    keccakF1600x2(sponge);
    for (let i: u32 = 0; i < rate; i += 8) {
      const lanes = v128.load(sponge + 2 * i);
      v128.store64_lane(output0 + i, lanes, 0);
      v128.store64_lane(output1 + i, lanes, 1);
    }
    output0 += rate;
    output1 += rate;
  }
}
