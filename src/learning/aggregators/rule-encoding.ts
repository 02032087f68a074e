// A rule and its parameters as bytes, for the digest in a certificate: nodes that would compute differently must not
// sign alike. Whoever changes what a rule computes raises RULES_VERSION.

import { utf8Bytes } from "../../foundation/index.ts";
import type { AggregatorName } from "./aggregator.ts";

/**
 * The version of all that the rules fix beyond their names: numbers of steps, starts, ties, order of sums, the 2^-24 of the
 * weights. 2: the direction of greatest variance by Lanczos's iteration; 1: by the power iteration.
 */
export const RULES_VERSION = 2;

/** Which rule, and how many liars it is to stand. */
export interface RuleChoice {
  readonly aggregator: AggregatorName;
  readonly byzantine: number;
}

/** The one encoding of a rule: a line of text, such as `meshd/rule/2 arc+caf f=6`. */
export function encodeRule({ aggregator, byzantine }: RuleChoice): Uint8Array {
  return utf8Bytes(`meshd/rule/${RULES_VERSION} ${aggregator} f=${byzantine}\n`);
}

/** Digest of {@link encodeRule}. */
export function ruleDigest(
  engine: { readonly sha256: (data: Uint8Array) => Uint8Array },
  rule: RuleChoice,
): Uint8Array {
  return engine.sha256(encodeRule(rule));
}
