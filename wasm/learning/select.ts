// Trimmed mean and median of every coordinate (reference 2.3 CWTM and CWMed, 3.1, 3.2 "radix select"): twin of src/learning/kernels/select.ts.
//
// Eight columns go together. A float32 becomes a number whose order as a signed integer is that of the values, in two halves of 16 bits, so that a
// register holds eight. The value of a rank is then found bit by bit: with t a candidate, if no more than `rank` numbers are below t, the
// rank's number is at least t. First the upper halves; then the lower halves of those whose upper half is the one found, if these differ. At
// most 32 passes of three instructions over planes that stay in the first-level cache, whatever the values are. The result is exact, so no order enters it.

import { F32_BYTES } from "./layout";

/** Room that `trimmedMean` needs for each row: eight float32, their upper and lower halves, and the lower ones in question. */
export const SELECT_ROW_BYTES: i32 = 80;
/** Room beside it: the two bounds of each column. */
export const SELECT_BYTES: i32 = 64;

@inline const LEAST: i16 = -32768;
@inline const GREATEST: i16 = 32767;

/** A float32's bits as a signed integer in the order of the values, and back. */
@inline
function ordered(bits: v128): v128 {
  return v128.xor(bits, v128.and(i32x4.shr_s(bits, 31), i32x4.splat(0x7fffffff)));
}

/** Brings eight columns from `column` on into `values`, `upper` and `lower`; rows beyond `n` count as the greatest. */
@inline
function gather(column: usize, rows: usize, n: usize, padded: usize, values: usize, upper: usize, lower: usize): void {
  const zero = f32x4.splat(0);
  const flip = i16x8.splat(LEAST);
  for (let i: usize = 0; i < n; i++) {
    const from = column + <usize>load<u32>(rows + (i << 2));
    // -0 becomes +0.
    const a = f32x4.add(v128.load(from), zero);
    const b = f32x4.add(v128.load(from, 16), zero);
    v128.store(values + (i << 5), a);
    v128.store(values + (i << 5), b, 16);
    const x = ordered(a);
    const y = ordered(b);
    v128.store(upper + (i << 4), i16x8.narrow_i32x4_s(i32x4.shr_s(x, 16), i32x4.shr_s(y, 16)));
    const low = i16x8.narrow_i32x4_s(
      i32x4.shr_s(i32x4.shl(x, 16), 16),
      i32x4.shr_s(i32x4.shl(y, 16), 16),
    );
    v128.store(lower + (i << 4), v128.xor(low, flip));
  }
  for (let i = n; i < padded; i++) v128.store(upper + (i << 4), i16x8.splat(GREATEST));
}

/** Per column the number of values below `bound` among `padded` of a plane, a multiple of 4; fewer than 2^15. */
@inline
function countBelow(plane: usize, padded: usize, bound: v128): v128 {
  let even = i16x8.splat(0), odd = even;
  for (const end = plane + (padded << 4); plane < end; plane += 64) {
    even = i16x8.sub(even, i16x8.lt_s(v128.load(plane), bound));
    odd = i16x8.sub(odd, i16x8.lt_s(v128.load(plane, 16), bound));
    even = i16x8.sub(even, i16x8.lt_s(v128.load(plane, 32), bound));
    odd = i16x8.sub(odd, i16x8.lt_s(v128.load(plane, 48), bound));
  }
  return i16x8.add(even, odd);
}

/** Per column the number of a rank in a plane. */
function ofRank(plane: usize, padded: usize, rank: v128): v128 {
  let found = i16x8.splat(LEAST);
  for (let step: i32 = 32768; step > 0; step >>= 1) {
    const bound = i16x8.add(found, i16x8.splat(<i16>step));
    const tooMany = i16x8.gt_s(countBelow(plane, padded, bound), rank);
    found = v128.bitselect(found, bound, tooMany);
  }
  return found;
}

/** Writes the float32 of rank `rank` of each of the eight columns to `out`. */
@inline
function select(upper: usize, lower: usize, asked: usize, padded: usize, rank: i16, out: usize): void {
  const high = ofRank(upper, padded, i16x8.splat(rank));
  const left = i16x8.sub(i16x8.splat(rank), countBelow(upper, padded, high));
  let least = i16x8.splat(GREATEST), most = i16x8.splat(LEAST);
  for (let i: usize = 0; i < padded; i++) {
    const same = i16x8.eq(v128.load(upper + (i << 4)), high);
    const value = v128.load(lower + (i << 4));
    const candidate = v128.bitselect(value, i16x8.splat(GREATEST), same);
    v128.store(asked + (i << 4), candidate);
    least = i16x8.min_s(least, candidate);
    most = i16x8.max_s(most, v128.bitselect(value, i16x8.splat(LEAST), same));
  }
  // Mostly one value alone has these upper halves, or the first of them is asked for.
  const none = i16x8.splat(0);
  const known = v128.or(i16x8.eq(least, most), i16x8.eq(left, none));
  const found = i16x8.all_true(known) ? least : ofRank(asked, padded, left);
  const low = v128.xor(found, i16x8.splat(LEAST));
  const a = v128.or(i32x4.shl(i32x4.extend_low_i16x8_s(high), 16), i32x4.extend_low_i16x8_u(low));
  const b = v128.or(i32x4.shl(i32x4.extend_high_i16x8_s(high), 16), i32x4.extend_high_i16x8_u(low));
  v128.store(out, ordered(a));
  v128.store(out, ordered(b), 16);
}

/** Given the value of a rank of each column, writes that of the next rank. */
@inline
function selectNext(values: usize, n: usize, rank: i32, from: usize, out: usize): void {
  for (let half: usize = 0; half < 32; half += 16) {
    const bound = v128.load(from + half);
    let upTo = i32x4.splat(0);
    let next = f32x4.splat(Infinity);
    for (let v = values + half, end = v + (n << 5); v < end; v += 32) {
      const value = v128.load(v);
      const above = f32x4.gt(value, bound);
      upTo = i32x4.add(upTo, above);
      next = f32x4.pmin(next, v128.bitselect(value, next, above));
    }
    // `upTo` is minus the number of those above.
    const same = i32x4.gt_s(i32x4.add(upTo, i32x4.splat(<i32>n)), i32x4.splat(rank + 1));
    v128.store(out + half, v128.bitselect(bound, next, same));
  }
}

/** The mean of what is kept of four columns, into `out`. */
@inline
function keptMean(values: usize, n: usize, trim: i32, low: v128, high: v128, out: usize): void {
  let first = f64x2.splat(0), second = first;
  let upToLow = i32x4.splat(0), fromHigh = upToLow;
  for (const end = values + (n << 5); values < end; values += 32) {
    const value = v128.load(values);
    const below = f32x4.le(value, low);
    const above = f32x4.ge(value, high);
    upToLow = i32x4.sub(upToLow, below);
    fromHigh = i32x4.sub(fromHigh, above);
    const between = v128.andnot(value, v128.or(below, above));
    first = f64x2.add(first, f64x2.promote_low_f32x4(between));
    second = f64x2.add(second, f64x2.promote_low_f32x4(v128.shuffle<i64>(between, between, 1, 1)));
  }
  const trimmed = i32x4.splat(trim);
  const lows = i32x4.sub(upToLow, trimmed);
  const highs = i32x4.sub(fromHigh, trimmed);
  const kept = f64x2.splat(<f64>(<i32>n - 2 * trim));
  const means = v128.shuffle<i64>(
    f32x4.demote_f64x2_zero(f64x2.div(withBounds(first, lows, low, highs, high), kept)),
    f32x4.demote_f64x2_zero(
      f64x2.div(withBounds(second, secondHalf(lows), secondHalf(low), secondHalf(highs), secondHalf(high)), kept),
    ),
    0, 2,
  );
  const same = f32x4.eq(low, high);
  v128.store(out, f32x4.add(v128.bitselect(low, means, same), f32x4.splat(0)));
}

@inline
function secondHalf(lanes: v128): v128 {
  return v128.shuffle<i64>(lanes, lanes, 1, 1);
}

/** The sum of what lies strictly between the bounds, and of these as often as they are kept; of two columns. */
@inline
function withBounds(between: v128, lows: v128, low: v128, highs: v128, high: v128): v128 {
  const atLow = f64x2.mul(f64x2.convert_low_i32x4_s(lows), f64x2.promote_low_f32x4(low));
  const atHigh = f64x2.mul(f64x2.convert_low_i32x4_s(highs), f64x2.promote_low_f32x4(high));
  return f64x2.add(between, f64x2.add(atLow, atHigh));
}

/** Adds to the count of each row how many of its `width` first values are within the bounds. */
@inline
function countKept(values: usize, n: usize, bounds: usize, width: i32, kept: usize): void {
  const low0 = v128.load(bounds), low1 = v128.load(bounds, 16);
  const high0 = v128.load(bounds, 32), high1 = v128.load(bounds, 48);
  const mask = (1 << width) - 1;
  for (let i: usize = 0; i < n; i++) {
    const a = v128.load(values + (i << 5));
    const b = v128.load(values + (i << 5), 16);
    const inA = i32x4.bitmask(v128.and(f32x4.ge(a, low0), f32x4.le(a, high0)));
    const inB = i32x4.bitmask(v128.and(f32x4.ge(b, low1), f32x4.le(b, high1)));
    const at = kept + (i << 2);
    store<i32>(at, load<i32>(at) + popcnt((inA | (inB << 4)) & mask));
  }
}

/**
 * One tile of the trimmed mean of `n` float32 rows, n from 1 to 4095: per coordinate the mean of what is left after the `trim` least and
 * greatest, 2 trim < n. `rows` lists offsets of rows in the tile (32 bits each); `width` columns count for `kept`, to which is added how often
 * each row's value was within the kept range (32 bits each). `room` has SELECT_BYTES, and SELECT_ROW_BYTES for each row of n made a multiple of 4.
 */
export function trimmedMean(
  tile: usize, rows: usize, n: usize, trim: i32, width: i32, room: usize, kept: usize, out: usize,
): void {
  const padded = (n + 3) & ~3;
  const values = room + SELECT_BYTES;
  const upper = values + (padded << 5);
  const lower = upper + (padded << 4);
  const asked = lower + (padded << 4);
  const last = <i32>n - 1 - trim;
  for (let c: usize = 0; c < F32_BYTES && width > 0; c += 32, width -= 8) {
    gather(tile + c, rows, n, padded, values, upper, lower);
    select(upper, lower, asked, padded, <i16>trim, room);
    if (last == trim) {
      memory.copy(room + 32, room, 32);
    } else if (last == trim + 1) {
      selectNext(values, n, trim, room, room + 32);
    } else {
      select(upper, lower, asked, padded, <i16>last, room + 32);
    }
    keptMean(values, n, trim, v128.load(room), v128.load(room, 32), out + c);
    keptMean(values + 16, n, trim, v128.load(room, 16), v128.load(room, 48), out + c + 16);
    countKept(values, n, room, min(width, 8), kept);
  }
}
