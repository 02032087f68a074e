// The control API's part for the authorisation policy: what it says about one id and one right, and why.

import * as z from "zod";

const rule = z.object({
  /** Counted from 1, as a person counts. */
  number: z.int().min(1),
  /** Line of the configuration file; `null` for the default policy, which stands in none. */
  line: z.int().min(1).nullable(),
  spiffe: z.string(),
});

export const policyCheckedFields = {
  allowed: z.boolean(),
  /**
   * `rule`: given by `rule`. `socket`: no rule names `local`, so whoever may open the control socket may use it.
   * `right-not-given`: `matched` are about the id, and none gives the right. `no-rule`: none is about the id.
   */
  why: z.enum(["rule", "socket", "right-not-given", "no-rule", "not-a-spiffe-id"]),
  rule: rule.nullable(),
  /** The role through which the rule gives the right; `null` when it names the right itself. */
  role: z.string().nullable(),
  matched: z.array(rule),
  rules: z.int().min(0),
  /** The configuration file. */
  file: z.string(),
};

export const policyReloadedFields = {
  rules: z.int().min(0),
  /** Keys whose new value waits for a restart. */
  restartPending: z.array(z.string()),
};

export const policyCheckRequestSchema = z.strictObject({
  /** A SPIFFE id, `unauthenticated` or `local`. */
  spiffeId: z.string().min(1).max(2048),
  right: z.string().min(1).max(64),
});

export type PolicyCheckRequest = z.infer<typeof policyCheckRequestSchema>;
