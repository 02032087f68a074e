// What an attestor found out about a node, as selectors in SPIRE's form. They stand in the node's SVID, signed by the issuer, so
// every issuer knows them and a renewal keeps them; registration entries can name nodes by them.

/** The attestors beside the join token, by the names that selectors begin with. */
export const ATTESTOR_TYPES = ["x509pop", "k8s_psat", "aws_iid"] as const;
export type AttestorType = (typeof ATTESTOR_TYPES)[number];

/** Most selectors of a node, and most characters of one. */
export const NODE_SELECTORS_MAX = 8;
export const NODE_SELECTOR_CHARS_MAX = 200;

const SELECTOR = new RegExp(`^(?:${ATTESTOR_TYPES.join("|")})(?::[a-z_]+){1,2}:[\\x21-\\x7e]+$`);

/** Whether a text is a selector of a node in its one form. */
export function isNodeSelector(text: string): boolean {
  return text.length <= NODE_SELECTOR_CHARS_MAX && SELECTOR.test(text);
}

/** As they stand in a certificate: one a line. */
export function selectorLines(selectors: readonly string[]): string {
  return selectors.join("\n");
}

/** Reads {@link selectorLines}; undefined when one is no selector, or there are too many or none. */
export function readSelectorLines(text: string): readonly string[] | undefined {
  const selectors = text.split("\n");
  const isGood = selectors.length <= NODE_SELECTORS_MAX && selectors.every(isNodeSelector);
  return isGood && new Set(selectors).size === selectors.length ? selectors : undefined;
}
