// Powers and exponentials from +, *, / and the square root alone: IEEE 754 rounds these correctly, whereas nobody promises
// the last bit of Math.pow and Math.exp. Not the nearest numbers, but the same on every host.

/** Binary places of an exponent's fraction that count. */
const FRACTION_BITS = 24;
/** Terms of the exponential series; below 1/16 the first one left out is under 2^-60. */
const SERIES_TERMS = 12;

/** `base` multiplied `count` times, from the left: `count` a whole number from 0. */
export function repeatedProduct(base: number, count: number): number {
  let product = 1;
  // A product that has come to 0 or 1 stays there.
  for (let i = 0; i < count && product !== 0 && base !== 1; i++) product *= base;
  return product;
}

/** `base` to the power of -`exponent`, base >= 1, exponent >= 0: square roots give the binary places of the fraction. */
export function inversePower(base: number, exponent: number): number {
  const whole = Math.floor(exponent);
  let power = repeatedProduct(base, whole);
  let rest = exponent - whole;
  let root = base;
  for (let place = 0; place < FRACTION_BITS; place++) {
    root = Math.sqrt(root);
    rest *= 2;
    if (rest >= 1) {
      power *= root;
      rest -= 1;
    }
  }
  return 1 / power;
}

/** e to the power of -`x`, x >= 0: halved until the series is short, then squared as often. */
export function inverseExponential(x: number): number {
  let halvings = 0;
  let small = x;
  for (; small > 1 / 16; halvings++) small /= 2;
  let sum = 1;
  let term = 1;
  for (let k = 1; k <= SERIES_TERMS; k++) {
    term *= small / k;
    sum += term;
  }
  for (let i = 0; i < halvings; i++) sum *= sum;
  return 1 / sum;
}
