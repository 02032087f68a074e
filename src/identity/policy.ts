// Who may do what: SPIFFE-id patterns mapped to rights, default deny. The rights of all matching rules add up.
// A pattern is an exact SPIFFE id, or a prefix with `/*` behind it (exactly one more segment) or `/**` (one or
// more segments). The pattern `unauthenticated` stands for peers without any SPIFFE id, and only for them.

import { MeshError } from "../foundation/index.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Every right there is. */
export const RIGHTS = [
  "mesh.join",
  "beacon.publish",
  "mesh.release",
  "fl.train",
  "fl.coordinate",
  "issuer.attest",
  "control.read",
  "control.write",
] as const;

/** To open a TCP connection to an exposed port: `tunnel.connect:22`, or `tunnel.connect:*` for every port. */
export type TunnelRight = `tunnel.connect:${number | "*"}`;

/** What a peer may be allowed to do. */
export type Right = (typeof RIGHTS)[number] | TunnelRight;

const TUNNEL_RIGHT = /^tunnel\.connect:(?:\*|[1-9]\d{0,4})$/;

/** The pattern of peers without a SPIFFE id. */
export const UNAUTHENTICATED = "unauthenticated";

/** Most rules of a policy: matching is linear in them. */
export const POLICY_RULES_MAX = 256;

/** One line of the policy file. */
export interface PolicyRule {
  readonly spiffe: string;
  readonly allow: readonly Right[];
}

/** A checked policy; immutable. */
export interface Policy {
  /**
   * Whether the holder of `spiffeId` has `right`; `undefined` is a peer without SPIFFE id.
   * A text that is no SPIFFE id has no rights.
   */
  allows(spiffeId: string | undefined, right: Right): boolean;
}

type Depth = "exact" | "one" | "many";
type Pattern =
  | { readonly kind: "unauthenticated" }
  | { readonly kind: "spiffe"; readonly prefix: SpiffeId; readonly depth: Depth };
type CompiledRule = { readonly pattern: Pattern; readonly allow: ReadonlySet<Right> };

/**
 * Checks and compiles policy rules; all problems are reported at once.
 * @throws MeshError `identity/policy-invalid` with `details.problems`
 */
export function parsePolicy(rules: readonly PolicyRule[]): Policy {
  const problems: string[] = [];
  if (rules.length > POLICY_RULES_MAX)
    problems.push(`${rules.length} rules, at most ${POLICY_RULES_MAX} are allowed`);
  const compiled: CompiledRule[] = [];
  for (const [index, rule] of rules.slice(0, POLICY_RULES_MAX).entries()) {
    const pattern = parsePattern(rule.spiffe);
    if (pattern === undefined) {
      problems.push(
        `rule ${index}: '${rule.spiffe}' is no SPIFFE id, no prefix with /* or /** and not '${UNAUTHENTICATED}'`,
      );
    }
    for (const right of rule.allow) {
      if (!isRight(right))
        problems.push(
          `rule ${index}: '${String(right)}' is no right, known are ${RIGHTS.join(", ")}, tunnel.connect:<port>`,
        );
    }
    if (pattern !== undefined) compiled.push({ pattern, allow: new Set(rule.allow) });
  }
  if (problems.length > 0) {
    throw new MeshError<IdentityErrorCode>(
      "identity/policy-invalid",
      `Cannot use the policy: ${problems.join("; ")}. Correct the policy file.`,
      { problems },
    );
  }
  return { allows: (spiffeId, right) => allows(compiled, spiffeId, right) };
}

/** Whether a text is the name of a right. */
export function isRight(text: string): text is Right {
  return (RIGHTS as readonly string[]).includes(text) || isTunnelRight(text);
}

function isTunnelRight(text: string): text is TunnelRight {
  return TUNNEL_RIGHT.test(text) && !(Number(text.slice("tunnel.connect:".length)) > 65_535);
}

/** Whether a rule gives a right by its name, or all ports at once. */
function gives(allow: ReadonlySet<Right>, right: Right): boolean {
  return allow.has(right) || (isTunnelRight(right) && allow.has("tunnel.connect:*"));
}

function allows(
  rules: readonly CompiledRule[],
  spiffeId: string | undefined,
  right: Right,
): boolean {
  if (spiffeId === undefined) {
    return rules.some(
      ({ pattern, allow }) => pattern.kind === "unauthenticated" && gives(allow, right),
    );
  }
  const id = parseSpiffeId(spiffeId);
  if (!id.ok) return false;
  return rules.some(({ pattern, allow }) => gives(allow, right) && matches(pattern, id.value));
}

function parsePattern(text: string): Pattern | undefined {
  if (text === UNAUTHENTICATED) return { kind: "unauthenticated" };
  const depth: Depth = text.endsWith("/**") ? "many" : text.endsWith("/*") ? "one" : "exact";
  const prefix = parseSpiffeId(text.slice(0, text.length - { exact: 0, one: 2, many: 3 }[depth]));
  return prefix.ok ? { kind: "spiffe", prefix: prefix.value, depth } : undefined;
}

function matches(pattern: Pattern, id: SpiffeId): boolean {
  if (pattern.kind !== "spiffe" || pattern.prefix.trustDomain !== id.trustDomain) return false;
  const prefix = pattern.prefix.segments;
  const more = id.segments.length - prefix.length;
  if (pattern.depth === "exact" ? more !== 0 : pattern.depth === "one" ? more !== 1 : more < 1)
    return false;
  return prefix.every((segment, index) => segment === id.segments[index]);
}
