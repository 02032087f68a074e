// One action on its way: claimed, under way, checked. What it came to is decided by what the node looks like afterwards, not
// by what the actuator says.

import { assert } from "../../foundation/index.ts";
import type { Now } from "../../ports/index.ts";
import type { ActionOutcome, TakenAction } from "../incident.ts";
import type { Reading } from "../observation.ts";
import { holds } from "../plan/playbook.ts";
import type { Plan } from "../plan/planner.ts";
import type { ActionEnd, ActionOrder } from "../ports.ts";
import { shortNumber } from "../short-number.ts";
import { explains } from "../analyze/cause.ts";
import { keyOf, type Standing } from "../analyze/analyzer.ts";

/** `claiming`: others may object. `acting`: the actuator works. `checking`: it has ended, and the node is watched. */
type Phase = "claiming" | "acting" | "checking";

export class Execution {
  readonly order: ActionOrder;
  readonly incidentId: string;
  readonly plan: Plan;
  /** Which of the incident's actions it is. */
  readonly index: number;
  #phase: Phase = "claiming";
  #deadlineMs = Infinity;
  /** Since when it waits for the claims of others, or acts. */
  readonly sinceMs: number;
  /** What stood when it began to act: what came while it waited for its turn is not its doing. */
  #before: ReadonlySet<string> = new Set();

  constructor(
    ids: { readonly order: ActionOrder; readonly incidentId: string; readonly index: number },
    plan: Plan,
    sinceMs: number,
  ) {
    this.order = ids.order;
    this.incidentId = ids.incidentId;
    this.index = ids.index;
    this.plan = plan;
    this.sinceMs = sinceMs;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** claiming -> acting */
  acts(standing: readonly Standing[], now: Now): void {
    assert(this.#phase === "claiming", "an action acts once");
    this.#phase = "acting";
    this.#before = new Set(standing.map(keyOf));
    this.#deadlineMs = now.monoMs + this.order.timeLimitMs;
  }

  /** The actuator is done; its failure is the outcome. */
  ended(end: ActionEnd, now: Now): Pick<TakenAction, "outcome" | "check"> | undefined {
    if (this.#phase !== "acting") return undefined;
    if (!end.ok) return { outcome: "failed", check: `${end.code}: ${end.message}` };
    this.#phase = "checking";
    this.#deadlineMs = now.monoMs + this.plan.step.checkMs;
    return undefined;
  }

  /** What it has come to by now; undefined while that is open. */
  verdict(
    standing: readonly Standing[],
    reading: Reading,
    now: Now,
  ): { readonly outcome: ActionOutcome; readonly check: string } | undefined {
    const isOver = now.monoMs >= this.#deadlineMs;
    if (this.#phase === "acting")
      return isOver ? { outcome: "failed", check: "not done within its time limit" } : undefined;
    if (this.#phase === "claiming") return undefined;
    const harm = this.#harm(standing);
    if (harm !== undefined) return { outcome: "worse", check: `since then: ${harm}` };
    const check = this.#check(standing, reading);
    if (check.helped) return { outcome: "mended", check: check.words };
    return isOver ? { outcome: "no-effect", check: check.words } : undefined;
  }

  /** An error that was not there before, and that the treated symptom does not explain. */
  #harm(standing: readonly Standing[]): string | undefined {
    const { code } = this.plan.symptom;
    return standing.find(
      (one) =>
        one.severity === "error" && !this.#before.has(keyOf(one)) && !explains(code, one.code),
    )?.code;
  }

  #check(
    standing: readonly Standing[],
    { values }: Reading,
  ): { readonly helped: boolean; readonly words: string } {
    const { symptom, step } = this.plan;
    const names = Object.keys(step.check) as (keyof typeof step.check)[];
    if (names.length > 0) {
      const words = names.map((name) => `${name} is ${measured(values[name])}`).join(", ");
      return { helped: holds(step.check, values), words };
    }
    const still = standing.find((one) => keyOf(one) === keyOf(symptom));
    const [evidence] = still?.evidence ?? symptom.evidence;
    const value = evidence === undefined ? undefined : values[evidence.observation];
    const seen = evidence === undefined ? "" : `, ${evidence.observation} is ${measured(value)}`;
    return still === undefined
      ? { helped: true, words: `${symptom.code} has gone${seen}` }
      : { helped: false, words: `${symptom.code} still stands${seen}` };
  }
}

function measured(value: number | undefined): string {
  return value === undefined ? "not measured" : shortNumber(value);
}
