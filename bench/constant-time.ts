// Does the time of the wasm kernels depend on secrets? A statistical test after Reparaz, Balasch and Verbauwhede, "Dude, is my code constant
// time?" (DATE 2017): two classes of input, one fixed and one random, in random order; the times of each call; Welch's t over both classes.
//
// How to read it. `constant-time/<target>/t` is the largest |t| over all of the samples and over crops that drop the slowest ones (interrupts
// and collections have nothing to do with the input, and bury small differences); p50 is the median |t| over the crops, n the samples of both
// classes. |t| < 4.5: no evidence of a leak at this sample size. |t| grows with the root of n where there is a leak, and wanders about 1 where
// there is none: what exceeds 4.5 twice, and more the longer it runs (--seconds), is one. This is evidence, not proof:
// it sees this processor, this V8 and these inputs, and a difference in means alone. `.../resolution` says how small a difference in nanoseconds
// would have reached 4.5 in this run; nothing is said about smaller ones. That control flow and addresses are independent of secrets in
// the emitted code is shown elsewhere (test/unit/wasm, test/vectors/wasm).
//
// Two controls come with it. `control-leaky`, a comparison that stops at the first difference, has to exceed 4.5, or this run measures nothing
// and the suite fails; `control-same`, decapsulation with two classes that are alike, shows what |t| wanders to without a leak.
//
// Inputs are copied to the same place in wasm memory before the clock starts, from as many distinct copies for either class, so that caches
// and addresses are alike. The targets:
// - decaps-ciphertext: one key; one ciphertext against many, all valid.
// - decaps-rejection: one key; one valid ciphertext against random bytes, which take the implicit rejection.
// - decaps-key: one ciphertext; the prepared decapsulation key that it was made for against many others, which reject it.
// - sign-key: one prepared signing key against many, one mu, and hedges chosen so that each signature takes one round: how many rounds signing
//   takes is public and independent of the key (FIPS 204 permits that it shows). So are the challenge and the hint, whose sampling and
//   packing take a time that varies with them (by some 100 ns from signature to signature). Therefore the samples of the t here are the means
//   over the calls with one hedge: 4,096 of either class, whatever n says.

import { randomBytes } from "node:crypto";
import { Kernels } from "../test/vectors/wasm/kernels.ts";
import { type BenchSuite, summarize } from "./measure.ts";

/** |t| from which the paper, and practice since, calls a leak. */
const THRESHOLD = 4.5;
/** The share of samples kept, fastest first. */
const CROPS = [1, 0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.2];
/** Of each class. */
const CROP_SAMPLES_MIN = 100;
/** Where `resolution` is read: a crop that leaves interrupts out and nearly all else in. */
const RESOLUTION_CROP = 0.9;
/** Distinct inputs in memory for either class. */
const POOL = 256;
/** Distinct hedges for either class of signing keys: a multiple of POOL and a divisor of 2^15, as many as can be found in a few seconds. */
const HEDGES = 4096;
const SAMPLES_MAX = 4_000_000;
const WARM_UP_SECONDS = 1;

/** 0 is the fixed class, 1 the random one. */
type Class = 0 | 1;

interface Target {
  readonly name: string;
  /** Puts an input of the class in place; not timed. `pick` is random, below 2^15. */
  readonly load: (of: Class, pick: number) => void;
  /** The call that is timed. */
  readonly call: () => number;
  /**
   * Set where inputs of one class differ in time for public reasons: then all calls with one input (`pick` modulo this) make one sample, their
   * mean, or the differences of a few inputs, seen again and again, would pass for one between the classes.
   */
  readonly inputs?: number;
  /** How many times the suite's seconds it measures; 1 if absent. */
  readonly effort?: number;
}

interface Welch {
  readonly t: number;
  /** The difference of the means that would give THRESHOLD, in the samples' unit. */
  readonly resolution: number;
}

interface Moments {
  readonly n: number;
  readonly mean: number;
  readonly variance: number;
}

/** Times in nanoseconds of one class, and the pick of each. */
interface Times {
  readonly ns: Float64Array;
  readonly picks: Uint16Array;
}

function moments(samples: Float64Array): Moments {
  let n = 0;
  let mean = 0;
  let squares = 0;
  for (const sample of samples) {
    const delta = sample - mean;
    mean += delta / ++n;
    squares += delta * (sample - mean);
  }
  return { n, mean, variance: squares / (n - 1) };
}

/** Of the times up to `limit`: all, or the mean for each of `inputs`. */
function cropped({ ns, picks }: Times, limit: number, inputs: number | undefined): Float64Array {
  if (inputs === undefined) return ns.filter((time) => time <= limit);
  const sums = new Float64Array(inputs);
  const counts = new Float64Array(inputs);
  for (const [i, time] of ns.entries()) {
    const input = (picks[i] ?? 0) % inputs;
    if (time > limit) continue;
    sums[input] = (sums[input] ?? 0) + time;
    counts[input] = (counts[input] ?? 0) + 1;
  }
  return sums.map((sum, i) => sum / (counts[i] ?? 0)).filter((mean) => !Number.isNaN(mean));
}

/**
 * Welch's t of two sets of samples; positive if the first is slower. Undefined for a crop that has hardly a sample of one set, or where the
 * clock cannot tell samples apart: the wider crops see what is there.
 */
function welch(a: Float64Array, b: Float64Array): Welch | undefined {
  const [left, right] = [moments(a), moments(b)];
  if (Math.min(left.n, right.n) < CROP_SAMPLES_MIN) return undefined;
  if (Math.min(left.variance, right.variance) === 0) return undefined;
  const error = Math.sqrt(left.variance / left.n + right.variance / right.n);
  return { t: (left.mean - right.mean) / error, resolution: THRESHOLD * error };
}

/** Random bits, from a buffer that is filled before the clock runs. */
class Coins {
  readonly #bytes = new Uint16Array(1 << 15);
  #at = this.#bytes.length;

  next(): number {
    if (this.#at === this.#bytes.length) {
      this.#bytes.set(new Uint16Array(new Uint8Array(randomBytes(1 << 16)).buffer));
      this.#at = 0;
    }
    return this.#bytes[this.#at++] ?? 0;
  }
}

/** Calls the target for `seconds`; gives the times of either class. */
function sample({ load, call }: Target, seconds: number): readonly [Times, Times] {
  const coins = new Coins();
  const room = (): Times => ({
    ns: new Float64Array(SAMPLES_MAX / 2),
    picks: new Uint16Array(SAMPLES_MAX / 2),
  });
  const classes = [room(), room()] as const;
  const lengths = [0, 0];
  const round = (keep: boolean): void => {
    const coin = coins.next();
    const of: Class = coin & 1 ? 1 : 0;
    const pick = coin >> 1;
    load(of, pick);
    const start = performance.now();
    call();
    const elapsed = performance.now() - start;
    if (!keep) return;
    const at = lengths[of] ?? 0;
    classes[of].ns[at] = elapsed * 1e6;
    classes[of].picks[at] = pick;
    lengths[of] = at + 1;
  };
  for (const end = performance.now() + 1000 * WARM_UP_SECONDS; performance.now() < end; ) {
    for (let i = 0; i < 50; i++) round(false);
  }
  const full = (): boolean => lengths.some((length) => length >= SAMPLES_MAX / 2 - 50);
  for (const end = performance.now() + 1000 * seconds; performance.now() < end && !full(); ) {
    for (let i = 0; i < 50; i++) round(true);
  }
  const taken = (of: Class): Times => ({
    ns: classes[of].ns.subarray(0, lengths[of]),
    picks: classes[of].picks.subarray(0, lengths[of]),
  });
  return [taken(0), taken(1)];
}

/**
 * What sets a view of wasm memory to one of POOL inputs of either class, without allocating. Such a view ends when the memory grows: reserve
 * everything first.
 */
function loader(
  place: Int32Array,
  inputs: readonly [(pick: number) => Uint8Array, (pick: number) => Uint8Array],
): (of: Class, pick: number) => void {
  const pools = inputs.map((make) =>
    Array.from({ length: POOL }, (_, pick) => new Int32Array(new Uint8Array(make(pick)).buffer)),
  );
  return (of, pick) => {
    const input = pools[of]?.[pick % POOL];
    if (input === undefined) throw new RangeError(`no input for ${pick}`);
    place.set(input);
  };
}

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

/** 1 if both are equal; its time tells where they first differ. */
function leakyEquals(a: Int32Array, b: Int32Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return 0;
  return 1;
}

function controlLeaky(): Target {
  const secret = random(64);
  const place = new Int32Array(16);
  const expected = new Int32Array(secret.slice().buffer);
  const load = loader(place, [() => secret, () => random(64)]);
  return { name: "control-leaky", load, call: () => leakyEquals(place, expected) };
}

/** Decapsulation over buffers of its own. */
function decapsulation(kernels: Kernels) {
  const PREPARED_BYTES = kernels.constant("ML_KEM_PREPARED_BYTES");
  const at = (length: number): number => kernels.reserve(length);
  const [seed, ek, dk, m, secret] = [at(64), at(1184), at(2400), at(32), at(32)];
  const [prepared, ct] = [at(PREPARED_BYTES), at(1088)];
  const decapsulate = kernels.raw("mlKem768Decapsulate");
  return {
    /** Makes a key, left in place for `ciphertext`; gives it prepared. */
    key(): Uint8Array {
      kernels.write(seed, random(64));
      kernels.call("mlKem768Keygen", ek, dk, prepared, seed);
      return kernels.read(prepared, PREPARED_BYTES);
    },
    /** A ciphertext under the last key. */
    ciphertext(): Uint8Array {
      kernels.write(m, random(32));
      kernels.call("mlKem768Encapsulate", ct, secret, ek, m);
      return kernels.read(ct, 1088);
    },
    preparedAt: prepared,
    preparedWords: PREPARED_BYTES / 4,
    ctAt: ct,
    call: (): number => decapsulate(secret, prepared, ct),
  };
}

function decapsulationTargets(kernels: Kernels): Target[] {
  const kem = decapsulation(kernels);
  const keyOf = decapsulation(kernels);
  kem.key();
  const valid = kem.ciphertext();
  const others = Array.from({ length: POOL }, () => kem.ciphertext());
  const other = (pick: number): Uint8Array => others[pick] ?? valid;
  const rejected = (): Uint8Array => random(1088);
  const key = keyOf.key();
  const sent = keyOf.ciphertext();
  const keys = loader(kernels.words(keyOf.preparedAt, keyOf.preparedWords), [
    () => key,
    () => keyOf.key(),
  ]);
  kernels.write(keyOf.ctAt, sent);
  const place = kernels.words(kem.ctAt, 272);
  const { call } = kem;
  return [
    { name: "control-same", load: loader(place, [rejected, rejected]), call },
    { name: "decaps-ciphertext", load: loader(place, [() => valid, other]), call },
    { name: "decaps-rejection", load: loader(place, [() => valid, rejected]), call },
    { name: "decaps-key", load: keys, call: keyOf.call },
  ];
}

function signingTarget(kernels: Kernels): Target {
  const KEY_BYTES = kernels.constant("ML_DSA_SIGNING_KEY_BYTES");
  const at = (length: number): number => kernels.reserve(length);
  const [slot, seed, publicKey, mu, hedge, signature] = [
    at(KEY_BYTES),
    at(32),
    at(1952),
    at(64),
    at(32),
    at(3312),
  ];
  const key = (): Uint8Array => {
    kernels.write(seed, random(32));
    kernels.call("mlDsaPrepareSigningKey", slot, seed, publicKey, 0);
    return kernels.read(slot, KEY_BYTES);
  };
  const fixed = key();
  const load = loader(kernels.words(slot, KEY_BYTES / 4), [() => fixed, key]);
  kernels.write(mu, random(64));
  const sign = kernels.raw("mlDsaSign");
  const call = (): number => sign(slot, mu, hedge, signature);
  const place = kernels.words(hedge, 8);
  const hedges = ([0, 1] as const).map((of) =>
    Array.from({ length: HEDGES }, (_, pick) => {
      load(of, pick);
      do place.set(new Int32Array(random(32).buffer));
      while (call() !== 1);
      return place.slice();
    }),
  );
  return {
    name: "sign-key",
    load(of, pick) {
      load(of, pick);
      place.set(hedges[of]?.[pick % HEDGES] ?? place);
    },
    call,
    inputs: HEDGES,
    effort: 2,
  };
}

export const suite: BenchSuite = async (report, { seconds }) => {
  const targets = [
    controlLeaky(),
    ...decapsulationTargets(await Kernels.load()),
    signingTarget(await Kernels.load()),
  ];
  for (const target of targets) {
    const [fixed, varied] = sample(target, seconds * (target.effort ?? 1));
    const n = fixed.ns.length + varied.ns.length;
    const pooled = new Float64Array(n);
    pooled.set(fixed.ns);
    pooled.set(varied.ns, fixed.ns.length);
    pooled.sort();
    const at = (crop: number): Welch | undefined => {
      const limit = pooled[Math.ceil(crop * n) - 1] ?? Infinity;
      return welch(cropped(fixed, limit, target.inputs), cropped(varied, limit, target.inputs));
    };
    const all = CROPS.flatMap((crop) => at(crop) ?? []).map(({ t }) => Math.abs(t));
    const t = Math.max(...all);
    const name = `constant-time/${target.name}`;
    report({ ...summarize(`${name}/t`, "t", all), value: t, n });
    const resolution = at(RESOLUTION_CROP)?.resolution ?? at(1)?.resolution ?? Number.NaN;
    report({ ...summarize(`${name}/resolution`, "ns", [resolution]), n });
    if (target.name === "control-leaky" && t < THRESHOLD) {
      throw new Error(
        `A comparison that leaks reached |t| = ${t.toFixed(2)}, below ${THRESHOLD}: this machine is too busy to tell. Run longer.`,
      );
    }
  }
};
