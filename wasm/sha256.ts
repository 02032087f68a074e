// SHA-256 (FIPS 180-4 section 6.2): one message, or four messages of one length side by side in i32x4 lanes.
//
// It is here for hash chains (src/crypto/hash-chain.ts): a mesh checks many one-step claims at a time, all of the same length, and messages
// of two blocks cost more in calls than in hashing. The four-way form keeps the eight working variables in v128 locals and the message schedule
// in memory; padding and length are the same for all messages and are laid over the blocks by masks.
// Nothing branches on contents; lengths and counts are public.

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes: section 4.2.2. */
const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

/** The initial hash value, of the square roots of the first eight primes: section 5.3.3. */
const INITIAL: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

/** The schedule: 64 words, or 64 times four words. */
const SCHEDULE: usize = memory.data(1024, 16);
/** The last one or two blocks of a message with its padding. */
const TAIL: usize = memory.data(128, 16);
const STATE: usize = memory.data(32, 16);

/** Messages of the batched form have at most this many bytes: two blocks. */
export const SHA256_BATCH_BYTES_MAX: i32 = 119;

/** For the batched form: per 16 bytes of the two blocks a mask of message bytes, then the padding. */
const MASKS: usize = memory.data(128, 16);
const PADDING: usize = memory.data(128, 16);
/** Four states, word by word; four digests. */
const STATE_X4: usize = memory.data(128, 16);
const DIGESTS: usize = memory.data(128, 16);

@inline
function choose(x: u32, y: u32, z: u32): u32 {
  return z ^ (x & (y ^ z));
}

@inline
function majority(x: u32, y: u32, z: u32): u32 {
  return (x & y) | (z & (x | y));
}

@inline
function sum0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}

@inline
function sum1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}

/** Section 6.2.2: one block into STATE. Eight rounds a turn, so that the working variables change names instead of places. */
function compress(block: usize): void {
  for (let i: usize = 0; i < 64; i += 4) store<u32>(SCHEDULE + i, bswap<u32>(load<u32>(block + i)));
  for (let w = SCHEDULE + 64; w < SCHEDULE + 256; w += 4) {
    const w2 = load<u32>(w - 8);
    const w15 = load<u32>(w - 60);
    const s1 = rotr<u32>(w2, 17) ^ rotr<u32>(w2, 19) ^ (w2 >> 10);
    const s0 = rotr<u32>(w15, 7) ^ rotr<u32>(w15, 18) ^ (w15 >> 3);
    store<u32>(w, s1 + load<u32>(w - 28) + s0 + load<u32>(w - 64));
  }
  let a = load<u32>(STATE), b = load<u32>(STATE, 4), c = load<u32>(STATE, 8), d = load<u32>(STATE, 12);
  let e = load<u32>(STATE, 16), f = load<u32>(STATE, 20), g = load<u32>(STATE, 24), h = load<u32>(STATE, 28);
  let t: u32;
  for (let i: usize = 0; i < 256; i += 32) {
    const k = K + i;
    const w = SCHEDULE + i;
    t = h + sum1(e) + choose(e, f, g) + load<u32>(k, 0) + load<u32>(w, 0);
    d += t;
    h = t + sum0(a) + majority(a, b, c);
    t = g + sum1(d) + choose(d, e, f) + load<u32>(k, 4) + load<u32>(w, 4);
    c += t;
    g = t + sum0(h) + majority(h, a, b);
    t = f + sum1(c) + choose(c, d, e) + load<u32>(k, 8) + load<u32>(w, 8);
    b += t;
    f = t + sum0(g) + majority(g, h, a);
    t = e + sum1(b) + choose(b, c, d) + load<u32>(k, 12) + load<u32>(w, 12);
    a += t;
    e = t + sum0(f) + majority(f, g, h);
    t = d + sum1(a) + choose(a, b, c) + load<u32>(k, 16) + load<u32>(w, 16);
    h += t;
    d = t + sum0(e) + majority(e, f, g);
    t = c + sum1(h) + choose(h, a, b) + load<u32>(k, 20) + load<u32>(w, 20);
    g += t;
    c = t + sum0(d) + majority(d, e, f);
    t = b + sum1(g) + choose(g, h, a) + load<u32>(k, 24) + load<u32>(w, 24);
    f += t;
    b = t + sum0(c) + majority(c, d, e);
    t = a + sum1(f) + choose(f, g, h) + load<u32>(k, 28) + load<u32>(w, 28);
    e += t;
    a = t + sum0(b) + majority(b, c, d);
  }
  store<u32>(STATE, load<u32>(STATE) + a);
  store<u32>(STATE, load<u32>(STATE, 4) + b, 4);
  store<u32>(STATE, load<u32>(STATE, 8) + c, 8);
  store<u32>(STATE, load<u32>(STATE, 12) + d, 12);
  store<u32>(STATE, load<u32>(STATE, 16) + e, 16);
  store<u32>(STATE, load<u32>(STATE, 20) + f, 20);
  store<u32>(STATE, load<u32>(STATE, 24) + g, 24);
  store<u32>(STATE, load<u32>(STATE, 28) + h, 28);
}

/** SHA-256 of `length` bytes at `input`: 32 bytes to `out`. What it leaves in working memory is wiped. */
export function sha256(out: usize, input: usize, length: u32): void {
  memory.copy(STATE, INITIAL, 32);
  const whole: u32 = length & ~63;
  for (let i: u32 = 0; i < whole; i += 64) compress(input + i);
  const rest = length - whole;
  const tailBytes: u32 = rest < 56 ? 64 : 128;
  memory.fill(TAIL, 0, 128);
  memory.copy(TAIL, input + whole, rest);
  store<u8>(TAIL + rest, 0x80);
  store<u64>(TAIL + tailBytes - 8, bswap<u64>((length as u64) << 3));
  for (let i: u32 = 0; i < tailBytes; i += 64) compress(TAIL + i);
  for (let i: usize = 0; i < 32; i += 4) store<u32>(out + i, bswap<u32>(load<u32>(STATE + i)));
  memory.fill(SCHEDULE, 0, 256);
  memory.fill(TAIL, 0, 128);
  memory.fill(STATE, 0, 32);
}

@inline
function rotateX4(x: v128, n: i32): v128 {
  return v128.or(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n));
}

/** h + Sum1(e) + Ch(e, f, g) + K + W. */
@inline
function stepX4(e: v128, f: v128, g: v128, h: v128, k: usize, w: usize): v128 {
  const sum = v128.xor(v128.xor(rotateX4(e, 6), rotateX4(e, 11)), rotateX4(e, 25));
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)));
  const constant = i32x4.add(v128.load32_splat(k), v128.load(w));
  return i32x4.add(i32x4.add(h, constant), i32x4.add(sum, choice));
}

/** Sum0(a) + Maj(a, b, c). */
@inline
function mixX4(a: v128, b: v128, c: v128): v128 {
  const sum = v128.xor(v128.xor(rotateX4(a, 2), rotateX4(a, 13)), rotateX4(a, 22));
  return i32x4.add(sum, v128.or(v128.and(a, b), v128.and(c, v128.or(a, b))));
}

@inline
function swapBytesX4(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Words 4 i .. 4 i + 3 of four messages, transposed into the schedule; `at` is the place in the two blocks. */
@inline
function scheduleWords(w: usize, m0: usize, m1: usize, m2: usize, m3: usize, at: usize, length: usize): void {
  const padding = v128.load(PADDING + at);
  let v0 = padding, v1 = padding, v2 = padding, v3 = padding;
  if (at < length) {
    const mask = v128.load(MASKS + at);
    v0 = v128.or(padding, v128.and(v128.load(m0 + at), mask));
    v1 = v128.or(padding, v128.and(v128.load(m1 + at), mask));
    v2 = v128.or(padding, v128.and(v128.load(m2 + at), mask));
    v3 = v128.or(padding, v128.and(v128.load(m3 + at), mask));
  }
  const low01 = v128.shuffle<i32>(v0, v1, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(v0, v1, 2, 6, 3, 7);
  const low23 = v128.shuffle<i32>(v2, v3, 0, 4, 1, 5);
  const high23 = v128.shuffle<i32>(v2, v3, 2, 6, 3, 7);
  v128.store(w, swapBytesX4(v128.shuffle<i64>(low01, low23, 0, 2)));
  v128.store(w, swapBytesX4(v128.shuffle<i64>(low01, low23, 1, 3)), 16);
  v128.store(w, swapBytesX4(v128.shuffle<i64>(high01, high23, 0, 2)), 32);
  v128.store(w, swapBytesX4(v128.shuffle<i64>(high01, high23, 1, 3)), 48);
}

/** Words 16 to 63 of four schedules, and then section 6.2.2 into STATE_X4. */
function compressX4(): void {
  for (let w = SCHEDULE + 256; w < SCHEDULE + 1024; w += 16) {
    const w2 = v128.load(w - 32);
    const w15 = v128.load(w - 240);
    const s1 = v128.xor(v128.xor(rotateX4(w2, 17), rotateX4(w2, 19)), i32x4.shr_u(w2, 10));
    const s0 = v128.xor(v128.xor(rotateX4(w15, 7), rotateX4(w15, 18)), i32x4.shr_u(w15, 3));
    v128.store(w, i32x4.add(i32x4.add(s1, v128.load(w - 112)), i32x4.add(s0, v128.load(w - 256))));
  }
  let a = v128.load(STATE_X4), b = v128.load(STATE_X4, 16), c = v128.load(STATE_X4, 32), d = v128.load(STATE_X4, 48);
  let e = v128.load(STATE_X4, 64), f = v128.load(STATE_X4, 80), g = v128.load(STATE_X4, 96), h = v128.load(STATE_X4, 112);
  let t: v128;
  let w = SCHEDULE;
  for (let k = K; k < K + 256; k += 32) {
    t = stepX4(e, f, g, h, k + 0, w + 0);
    d = i32x4.add(d, t);
    h = i32x4.add(t, mixX4(a, b, c));
    t = stepX4(d, e, f, g, k + 4, w + 16);
    c = i32x4.add(c, t);
    g = i32x4.add(t, mixX4(h, a, b));
    t = stepX4(c, d, e, f, k + 8, w + 32);
    b = i32x4.add(b, t);
    f = i32x4.add(t, mixX4(g, h, a));
    t = stepX4(b, c, d, e, k + 12, w + 48);
    a = i32x4.add(a, t);
    e = i32x4.add(t, mixX4(f, g, h));
    t = stepX4(a, b, c, d, k + 16, w + 64);
    h = i32x4.add(h, t);
    d = i32x4.add(t, mixX4(e, f, g));
    t = stepX4(h, a, b, c, k + 20, w + 80);
    g = i32x4.add(g, t);
    c = i32x4.add(t, mixX4(d, e, f));
    t = stepX4(g, h, a, b, k + 24, w + 96);
    f = i32x4.add(f, t);
    b = i32x4.add(t, mixX4(c, d, e));
    t = stepX4(f, g, h, a, k + 28, w + 112);
    e = i32x4.add(e, t);
    a = i32x4.add(t, mixX4(b, c, d));
    w += 128;
  }
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4), a));
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 16), b), 16);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 32), c), 32);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 48), d), 48);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 64), e), 64);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 80), f), 80);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 96), g), 96);
  v128.store(STATE_X4, i32x4.add(v128.load(STATE_X4, 112), h), 112);
}

/** Masks and padding of the two blocks for messages of `length` bytes: section 5.1.1. Longer ones trap before anything is written. */
function layPadding(length: u32): void {
  if (length > 119) unreachable();
  memory.fill(MASKS, 0, 128);
  memory.fill(MASKS, 255, length);
  memory.fill(PADDING, 0, 128);
  store<u8>(PADDING + length, 0x80);
  store<u64>(PADDING + (length < 56 ? 56 : 120), bswap<u64>((length as u64) << 3));
}

/** Digests of four messages to DIGESTS; `length` as laid by `layPadding`. */
function hashFour(m0: usize, m1: usize, m2: usize, m3: usize, length: u32): void {
  for (let i: usize = 0; i < 8; i++) v128.store(STATE_X4 + 16 * i, v128.load32_splat(INITIAL + 4 * i));
  for (let block: usize = 0, end: usize = length < 56 ? 64 : 128; block < end; block += 64) {
    for (let i: usize = 0; i < 64; i += 16) {
      scheduleWords(SCHEDULE + 4 * i, m0, m1, m2, m3, block + i, length);
    }
    compressX4();
  }
  for (let half: usize = 0; half < 2; half++) {
    const p = STATE_X4 + 64 * half;
    const v0 = swapBytesX4(v128.load(p));
    const v1 = swapBytesX4(v128.load(p, 16));
    const v2 = swapBytesX4(v128.load(p, 32));
    const v3 = swapBytesX4(v128.load(p, 48));
    const low01 = v128.shuffle<i32>(v0, v1, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(v0, v1, 2, 6, 3, 7);
    const low23 = v128.shuffle<i32>(v2, v3, 0, 4, 1, 5);
    const high23 = v128.shuffle<i32>(v2, v3, 2, 6, 3, 7);
    const out = DIGESTS + 16 * half;
    v128.store(out, v128.shuffle<i64>(low01, low23, 0, 2));
    v128.store(out, v128.shuffle<i64>(low01, low23, 1, 3), 32);
    v128.store(out, v128.shuffle<i64>(high01, high23, 0, 2), 64);
    v128.store(out, v128.shuffle<i64>(high01, high23, 1, 3), 96);
  }
}

function wipeBatch(): void {
  memory.fill(SCHEDULE, 0, 1024);
  memory.fill(STATE_X4, 0, 128);
  memory.fill(DIGESTS, 0, 128);
}

/** Address of message `index`, of the last one beyond the end: a batch need not be a multiple of four. */
@inline
function messageAt(input: usize, stride: u32, count: u32, index: u32): usize {
  return input + stride * min(index, count - 1);
}

@inline
function hashFourFrom(input: usize, stride: u32, length: u32, count: u32, index: u32): void {
  hashFour(
    messageAt(input, stride, count, index),
    messageAt(input, stride, count, index + 1),
    messageAt(input, stride, count, index + 2),
    messageAt(input, stride, count, index + 3),
    length,
  );
}

/**
 * SHA-256 of `count` messages of `length` bytes (0..119) each, message i at input + i * stride; digest i, 32 bytes, to out + 32 i.
 * Reads up to 15 bytes past a message and ignores them: they must lie within the memory.
 */
export function sha256Batch(out: usize, input: usize, stride: u32, length: u32, count: u32): void {
  layPadding(length);
  for (let index: u32 = 0; index < count; index += 4) {
    hashFourFrom(input, stride, length, count, index);
    memory.copy(out + 32 * index, DIGESTS, 32 * min(count - index, 4));
  }
  wipeBatch();
}

/**
 * The same, compared: byte i of `matches` becomes 1 if the digest of message i is the 32 bytes at expected + 32 i, else 0. This is one step of
 * many hash chains: revealed links are public, yet the comparison takes the same time for all.
 */
export function sha256BatchMatches(matches: usize, expected: usize, input: usize, stride: u32, length: u32, count: u32): void {
  layPadding(length);
  for (let index: u32 = 0; index < count; index += 4) {
    hashFourFrom(input, stride, length, count, index);
    for (let i: u32 = index, end = min(index + 4, count); i < end; i++) {
      const digest = DIGESTS + 32 * (i - index);
      const wanted = expected + 32 * i;
      const difference = v128.or(
        v128.xor(v128.load(digest), v128.load(wanted)),
        v128.xor(v128.load(digest, 16), v128.load(wanted, 16)),
      );
      store<u8>(matches + i, (v128.any_true(difference) as u8) ^ 1);
    }
  }
  wipeBatch();
}
