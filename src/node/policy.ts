// The policy of the configuration, bound to this node's trust domain.

import type { ConfigPolicyRule } from "../config/index.ts";
import { parsePolicy, type Policy } from "../identity/index.ts";

/** A trust domain written as `*` is the node's own, which a configuration file need not know. */
const OWN_TRUST_DOMAIN = /^spiffe:\/\/(\*|\$trust_domain)\//;

/** Compiles the rules. @throws MeshError `identity/policy-invalid` */
export function policyFor(rules: readonly ConfigPolicyRule[], trustDomain: string): Policy {
  return parsePolicy(
    rules.map(({ spiffe, allow }) => ({
      spiffe: spiffe.replace(OWN_TRUST_DOMAIN, `spiffe://${trustDomain}/`),
      allow,
    })),
  );
}
