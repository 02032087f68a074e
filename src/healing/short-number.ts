/** A number as a person reads it: three digits are enough. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
