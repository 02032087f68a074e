// Who may do what: SPIFFE-id patterns mapped to rights, directly or by roles; default deny. The rights of all matching
// rules add up. A pattern is an exact SPIFFE id, or a prefix with `/*` behind it (exactly one more segment) or `/**`
// (one or more segments). Two words stand for those without a SPIFFE id, and match nobody else: `unauthenticated` for
// peers, `local` for whoever may open the control socket of this host.

import { MeshError } from "../foundation/index.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";

/** Every right there is. */
export const RIGHTS = [
  "mesh.join",
  "mesh.classical",
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
/** The pattern, and the name, of callers of the control socket. */
export const LOCAL = "local";

/** Most rules of a policy: matching is linear in them. */
export const POLICY_RULES_MAX = 256;

/** One rule of the policy file. */
export interface PolicyRule {
  readonly spiffe: string;
  readonly allow: readonly Right[];
  /** Names of roles whose rights it gives as well. */
  readonly roles?: readonly string[];
}

/** Rights under a name. */
export interface PolicyRole {
  readonly name: string;
  readonly allow: readonly Right[];
}

/** Why a right is given or not. */
export type PolicyDecision =
  /** Rule `rule` gives it; by its role `role` when it does not name the right itself. */
  | { readonly allowed: true; readonly why: "rule"; readonly rule: number; readonly role?: string }
  /** No rule names `local`, so whoever may open the socket may use it. */
  | { readonly allowed: true; readonly why: "socket" }
  /** `matched`: rules about this id, none of which gives the right. */
  | {
      readonly allowed: false;
      readonly why: "right-not-given";
      readonly matched: readonly number[];
    }
  /** Default deny. */
  | { readonly allowed: false; readonly why: "no-rule" }
  | { readonly allowed: false; readonly why: "not-a-spiffe-id" };

/** A checked policy; immutable. */
export interface Policy {
  /**
   * Whether the holder of `spiffeId` has `right`; `undefined` is a peer without SPIFFE id.
   * A text that is no SPIFFE id has no rights.
   */
  allows(spiffeId: string | undefined, right: Right): boolean;
  /** The same, with the reason. Rules are counted from 0. */
  decide(spiffeId: string | undefined, right: Right): PolicyDecision;
}

type Depth = "exact" | "one" | "many";
type Pattern =
  | { readonly kind: "word"; readonly word: typeof UNAUTHENTICATED | typeof LOCAL }
  | { readonly kind: "spiffe"; readonly prefix: SpiffeId; readonly depth: Depth };
interface CompiledRule {
  readonly pattern: Pattern;
  /** The rule's own rights first, then those of its roles. */
  readonly grants: readonly { readonly role?: string; readonly allow: ReadonlySet<Right> }[];
}

/**
 * Checks and compiles policy rules; all problems are reported at once.
 * @throws MeshError `identity/policy-invalid` with `details.problems`
 */
export function parsePolicy(
  rules: readonly PolicyRule[],
  roles: readonly PolicyRole[] = [],
): Policy {
  const problems: string[] = [];
  if (rules.length > POLICY_RULES_MAX)
    problems.push(`${rules.length} rules, at most ${POLICY_RULES_MAX} are allowed`);
  const rightsOf = new Map(roles.map(({ name, allow }) => [name, new Set(allow)]));
  for (const { name, allow } of roles) problems.push(...unknownRights(`role '${name}'`, allow));
  const compiled: CompiledRule[] = [];
  for (const [index, rule] of rules.slice(0, POLICY_RULES_MAX).entries()) {
    const pattern = parsePattern(rule.spiffe);
    if (pattern === undefined) {
      problems.push(
        `rule ${index}: '${rule.spiffe}' is no SPIFFE id, no prefix with /* or /** and not '${UNAUTHENTICATED}' or '${LOCAL}'`,
      );
    }
    problems.push(...unknownRights(`rule ${index}`, rule.allow));
    const named = (rule.roles ?? []).flatMap((role) => {
      const allow = rightsOf.get(role);
      if (allow === undefined) problems.push(`rule ${index}: no role is called '${role}'`);
      return allow === undefined ? [] : [{ role, allow }];
    });
    if (pattern !== undefined)
      compiled.push({ pattern, grants: [{ allow: new Set(rule.allow) }, ...named] });
  }
  if (problems.length > 0) {
    throw new MeshError<IdentityErrorCode>(
      "identity/policy-invalid",
      `Cannot use the policy: ${problems.join("; ")}. Correct the policy file.`,
      { problems },
    );
  }
  return {
    allows: (spiffeId, right) => decide(compiled, spiffeId, right).allowed,
    decide: (spiffeId, right) => decide(compiled, spiffeId, right),
  };
}

/** Whether a text is the name of a right. */
export function isRight(text: string): text is Right {
  return (RIGHTS as readonly string[]).includes(text) || isTunnelRight(text);
}

function unknownRights(where: string, allow: readonly Right[]): string[] {
  return allow
    .filter((right) => !isRight(right))
    .map(
      (right) =>
        `${where}: '${String(right)}' is no right, known are ${RIGHTS.join(", ")}, tunnel.connect:<port>`,
    );
}

function isTunnelRight(text: string): text is TunnelRight {
  return TUNNEL_RIGHT.test(text) && !(Number(text.slice("tunnel.connect:".length)) > 65_535);
}

/** Whether rights hold one by its name, or all ports at once. */
function gives(allow: ReadonlySet<Right>, right: Right): boolean {
  return allow.has(right) || (isTunnelRight(right) && allow.has("tunnel.connect:*"));
}

function decide(
  rules: readonly CompiledRule[],
  spiffeId: string | undefined,
  right: Right,
): PolicyDecision {
  const subject = subjectOf(spiffeId);
  if (subject === undefined) return { allowed: false, why: "not-a-spiffe-id" };
  const matched: number[] = [];
  for (const [rule, { pattern, grants }] of rules.entries()) {
    if (!matches(pattern, subject)) continue;
    const grant = grants.find(({ allow }) => gives(allow, right));
    if (grant !== undefined) {
      const { role } = grant;
      return { allowed: true, why: "rule", rule, ...(role === undefined ? {} : { role }) };
    }
    matched.push(rule);
  }
  if (matched.length > 0) return { allowed: false, why: "right-not-given", matched };
  const isForSocket = subject === LOCAL && right.startsWith("control.");
  return isForSocket ? { allowed: true, why: "socket" } : { allowed: false, why: "no-rule" };
}

type Subject = typeof UNAUTHENTICATED | typeof LOCAL | SpiffeId;

function subjectOf(spiffeId: string | undefined): Subject | undefined {
  if (spiffeId === undefined) return UNAUTHENTICATED;
  if (spiffeId === LOCAL) return LOCAL;
  const id = parseSpiffeId(spiffeId);
  return id.ok ? id.value : undefined;
}

function parsePattern(text: string): Pattern | undefined {
  if (text === UNAUTHENTICATED || text === LOCAL) return { kind: "word", word: text };
  const depth: Depth = text.endsWith("/**") ? "many" : text.endsWith("/*") ? "one" : "exact";
  const prefix = parseSpiffeId(text.slice(0, text.length - { exact: 0, one: 2, many: 3 }[depth]));
  return prefix.ok ? { kind: "spiffe", prefix: prefix.value, depth } : undefined;
}

function matches(pattern: Pattern, subject: Subject): boolean {
  if (pattern.kind === "word") return subject === pattern.word;
  if (typeof subject === "string" || pattern.prefix.trustDomain !== subject.trustDomain)
    return false;
  const prefix = pattern.prefix.segments;
  const more = subject.segments.length - prefix.length;
  if (pattern.depth === "exact" ? more !== 0 : pattern.depth === "one" ? more !== 1 : more < 1)
    return false;
  return prefix.every((segment, index) => segment === subject.segments[index]);
}
