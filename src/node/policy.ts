// The policy in force: asked wherever a stream opens, a message is validated or the control API is called. What it denies
// is counted, and told in log and audit log, but once a minute for each who asks for what.

import type { Config } from "../config/index.ts";
import {
  type AuditTrail,
  DENIALS,
  denialLabel,
  parsePolicy,
  type Policy,
  type PolicyDecision,
  type Right,
  UNAUTHENTICATED,
} from "../identity/index.ts";
import type { Clock, Logger, Meter } from "../ports/index.ts";

/** A trust domain written as `*` is the node's own, which a configuration file need not know. */
const OWN_TRUST_DOMAIN = /^spiffe:\/\/(\*|\$trust_domain)\//;
/** Of a node that has none yet; RFC 6761 keeps the name from ever being one. */
const NO_TRUST_DOMAIN = "unenrolled.invalid";
/** One denial is told again after this. */
const TOLD_AGAIN_MS = 60_000;
/** Most denials that are remembered as told; the oldest is forgotten, and told again. */
const TOLD_MAX = 1_024;

type Rules = Pick<Config, "policy" | "roles">;

/** Compiles the rules. @throws MeshError `identity/policy-invalid` */
export function policyFor({ policy, roles }: Rules, trustDomain: string): Policy {
  return parsePolicy(
    policy.map(({ spiffe, ...rest }) => ({
      ...rest,
      spiffe: spiffe.replace(OWN_TRUST_DOMAIN, `spiffe://${trustDomain}/`),
    })),
    roles,
  );
}

export interface AccessDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
  readonly audit: AuditTrail;
}

interface Told {
  readonly atMs: number;
  silent: number;
}

/** Asks the policy for the rest of the daemon. */
export class Access {
  readonly #deps: AccessDeps;
  #rules: Rules;
  #trustDomain: string;
  #policy: Policy;
  readonly #told = new Map<string, Told>();

  /** @throws MeshError `identity/policy-invalid` */
  constructor(deps: AccessDeps, rules: Rules, trustDomain = NO_TRUST_DOMAIN) {
    this.#deps = deps;
    this.#rules = rules;
    this.#trustDomain = trustDomain;
    this.#policy = policyFor(rules, trustDomain);
  }

  /** The node's trust domain is known now. */
  bind(trustDomain: string): void {
    this.#trustDomain = trustDomain;
    this.#policy = policyFor(this.#rules, trustDomain);
  }

  /** Takes other rules. @throws MeshError `identity/policy-invalid`; the old ones stay */
  reload(rules: Rules): void {
    this.#policy = policyFor(rules, this.#trustDomain);
    this.#rules = rules;
    this.#told.clear();
  }

  /** Whether somebody may do what he is about to do; a no is a denial. */
  allows(spiffeId: string | undefined, right: Right): boolean {
    const decision = this.#policy.decide(spiffeId, right);
    if (!decision.allowed) this.#denied(spiffeId ?? UNAUTHENTICATED, right, decision.why);
    return decision.allowed;
  }

  /** Whether somebody could; a no is only an answer. */
  permits(spiffeId: string | undefined, right: Right): boolean {
    return this.#policy.allows(spiffeId, right);
  }

  /** How many rules there are. */
  get size(): number {
    return this.#rules.policy.length;
  }

  /** A rule's pattern as the file says it. */
  patternOf(rule: number): string {
    return this.#rules.policy[rule]?.spiffe ?? "";
  }

  explain(spiffeId: string | undefined, right: Right): PolicyDecision {
    return this.#policy.decide(spiffeId, right);
  }

  #denied(spiffeId: string, right: Right, why: string): void {
    const { clock, meter, logger, audit } = this.#deps;
    meter.count(DENIALS, { right: denialLabel(right) });
    const key = `${right} ${spiffeId}`;
    const nowMs = clock.now().monoMs;
    const told = this.#told.get(key);
    if (told !== undefined && nowMs - told.atMs < TOLD_AGAIN_MS) {
      told.silent++;
      return;
    }
    const silent = told?.silent ?? 0;
    this.#told.delete(key);
    this.#told.set(key, { atMs: nowMs, silent: 0 });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= TOLD_MAX) break;
      this.#told.delete(oldest);
    }
    const fields = { right, why, ...(silent === 0 ? {} : { before: silent }) };
    logger.warn({ code: "identity/denied", spiffeId, ...fields }, "the policy denies a right");
    audit.note({ event: "access.deny", subject: spiffeId, fields });
  }
}
