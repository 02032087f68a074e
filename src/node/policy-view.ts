// A decision of the policy as the control API tells it: with the rule as the operator wrote it, and its line.

import type { Body, PolicyChecked, PolicyCheckRequest } from "../control/index.ts";
import { MeshError } from "../foundation/index.ts";
import { isRight, RIGHTS, UNAUTHENTICATED } from "../identity/index.ts";
import type { ConfigView } from "./config-view.ts";
import type { Access } from "./policy.ts";

/** @throws MeshError `control/bad-request` */
export function policyAnswer(
  access: Access,
  configView: ConfigView,
  { spiffeId, right }: PolicyCheckRequest,
): Body<PolicyChecked> {
  if (!isRight(right)) {
    throw new MeshError(
      "control/bad-request",
      `'${right}' is no right. Choose from ${RIGHTS.join(", ")}, tunnel.connect:<port>.`,
      { right },
    );
  }
  const decision = access.explain(spiffeId === UNAUTHENTICATED ? undefined : spiffeId, right);
  const lines = configView.policyLines(access.size);
  const ruleOf = (rule: number): PolicyChecked["matched"][number] => ({
    number: rule + 1,
    line: lines[rule] ?? null,
    spiffe: access.patternOf(rule),
  });
  return {
    allowed: decision.allowed,
    why: decision.why,
    rule: decision.why === "rule" ? ruleOf(decision.rule) : null,
    role: (decision.why === "rule" ? decision.role : undefined) ?? null,
    matched: decision.why === "right-not-given" ? decision.matched.map(ruleOf) : [],
    rules: access.size,
    file: configView.file,
  };
}
