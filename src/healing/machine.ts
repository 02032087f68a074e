// The healing loop as a machine: readings in, actions out. Monitor, analyze, plan and execute are one look a second;
// knowledge is asked when an incident opens, and told whenever it changes. No clock, no I/O, no randomness.

import { assert, unreachable } from "../foundation/index.ts";
import type { MonoMs, Now } from "../ports/index.ts";
import { Analyzer, keyOf, type Standing } from "./analyze/analyzer.ts";
import { IncidentBook } from "./analyze/incident-book.ts";
import { Execution } from "./execute/execution.ts";
import { Guards, nodesIn, type UnderWay } from "./execute/guards.ts";
import { settingOf, undoable, undoneOf } from "./execute/settings.ts";
import { type Incident, INCIDENT_ACTIONS_MAX, type TakenAction } from "./incident.ts";
import type { HealingEffect, HealingEvent, HealingProtocol, HealingView } from "./machine-types.ts";
import type { RaisedCondition, Reading } from "./observation.ts";
import { healingDefaults, type HealingOptions } from "./options.ts";
import type { Playbook } from "./plan/playbook.ts";
import { type Plan, Planner } from "./plan/planner.ts";
import type { ActionOrder, Knowledge } from "./ports.ts";
import type { SymptomCode } from "./symptoms.ts";

/** How long a claim waits for those of others before it is acted on: twice what gossip takes to cross a mesh. */
const CLAIM_SETTLE_MS = 2_000;

export interface HealingMachineDeps {
  /** The own NodeId. */
  readonly self: string;
  readonly knowledge: Knowledge;
  /** The best first, among equals. */
  readonly playbooks: readonly Playbook[];
}

/** An action that stands until it is taken back. */
interface Applied {
  readonly order: ActionOrder;
  readonly incidentId: string;
  readonly sinceMs: MonoMs;
}

export class HealingMachine implements HealingProtocol {
  readonly #deps: HealingMachineDeps;
  #options: HealingOptions;
  readonly #analyzer = new Analyzer();
  readonly #book: IncidentBook;
  readonly #planner: Planner;
  readonly #guards: Guards;
  readonly #running = new Map<number, Execution>();
  readonly #applied = new Map<number, Applied>();
  #standing: readonly Standing[] = [];
  #reading: Reading = { values: {}, conditions: [], peers: [] };
  #orders = 0;
  /** When the others were last told of this node's token; undefined while it holds none. */
  #claimedMs: MonoMs | undefined;

  constructor(deps: HealingMachineDeps, options: Partial<HealingOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...healingDefaults, ...options };
    this.#book = new IncidentBook(deps.self, this.#options);
    this.#planner = new Planner(deps.playbooks);
    this.#guards = new Guards(deps.self, this.#options);
  }

  /** Other playbooks from now on; what is under way goes on. */
  set playbooks(playbooks: readonly Playbook[]) {
    this.#planner.playbooks = playbooks;
  }

  /** Whether to say what would be done, and do nothing. */
  set dryRun(dryRun: boolean) {
    this.#options = { ...this.#options, dryRun };
  }

  /** Symptoms that are visible now, those of the loop itself included. */
  get standing(): readonly Standing[] {
    return this.#standing;
  }

  handle(event: HealingEvent, now: Now): readonly HealingEffect[] {
    switch (event.kind) {
      case "observed":
        return this.#look(event.reading, now);
      case "action-ended":
        return this.#ended(event.id, event.end, now);
      case "claimed":
        this.#guards.claims.take(event.claim.nodeId, event.claim.leftMs, now.monoMs);
        return [];
      case "frozen":
        this.#guards.frozen = event.frozen;
        return event.frozen ? this.#withdraw(now) : [];
      default:
        return unreachable(event);
    }
  }

  view(now: Now): HealingView {
    const halted = this.#guards.halted(this.#reading);
    const { claims } = this.#guards;
    return {
      frozen: this.#guards.frozen,
      dryRun: this.#options.dryRun,
      ...(halted !== undefined && { halted }),
      running: [...this.#running.values()].map(({ order }) => order),
      budgetLeft: this.#guards.budgetLeft(this.#underWay.waiting, now),
      claims: claims.others(this.#deps.self, now.monoMs),
      claimsMax: claims.most(nodesIn(this.#reading)),
      open: this.#book.open,
      missing: this.#analyzer.missing,
    };
  }

  #look(reading: Reading, now: Now): HealingEffect[] {
    const conditions = [...reading.conditions, ...this.#own(reading)];
    this.#standing = this.#analyzer.look({ ...reading, conditions }, now);
    this.#reading = this.#analyzer.reading;
    this.#guards.look(this.#reading, now);
    const changes = this.#book.update(this.#standing, this.#reading, now);
    const effects: HealingEffect[] = changes.map(({ incident, change }) => ({
      ...{ kind: "incident", incident: this.#remember(incident, change === "opened"), change },
    }));
    for (const execution of [...this.#running.values()])
      effects.push(...this.#advance(execution, now));
    effects.push(...this.#claim(now));
    for (const incident of this.#book.open) effects.push(...this.#treat(incident, now));
    effects.push(...this.#takeBack(now));
    return effects;
  }

  /** What the loop itself has to tell. */
  #own(reading: Reading): RaisedCondition[] {
    const told: RaisedCondition[] = [];
    if (this.#guards.frozen)
      told.push({
        code: "healing/frozen",
        message: "Healing only watches, as an operator said. To end that: meshctl heal thaw.",
      });
    const { unhealthyRatio = 0 } = reading.values;
    const halted = this.#guards.halted(reading);
    if (halted !== undefined && unhealthyRatio > this.#options.haltShare)
      told.push({
        code: "healing/halted",
        message: `Nothing that disturbs is done: ${halted}. See meshctl peers.`,
      });
    return told;
  }

  /** Asks for the past when an incident opens, and keeps it. */
  #remember(incident: Incident, isNew: boolean): Incident {
    const { knowledge } = this.#deps;
    const known = isNew ? { ...incident, similar: knowledge.recall(incident) } : incident;
    this.#book.set(known);
    knowledge.record(known);
    return known;
  }

  /** Tries the next thing for an incident that nothing is tried for yet. */
  #treat(incident: Incident, now: Now): HealingEffect[] {
    if (incident.outcome !== "open" || this.#isTreated(incident.id)) return [];
    if (incident.actions.length >= INCIDENT_ACTIONS_MAX) return this.#giveUp(incident);
    const codes = new Set<SymptomCode>(this.#standing.map(({ code }) => code));
    const held = new Set(this.#standing.filter((one) => one.held).map(({ code }) => code));
    const plans = this.#planner
      .plans(incident, codes, this.#reading, now)
      .filter(({ symptom }) => !held.has(symptom.code));
    for (const plan of plans) {
      const effects = this.#attempt(incident, plan, now);
      if (effects.length > 0) return effects;
    }
    const isOld = this.#book.ageMs(incident.id, now) >= this.#options.giveUpMs;
    const stands = incident.symptoms.some(({ clearedMs }) => clearedMs === undefined);
    return isOld && stands ? this.#giveUp(incident) : [];
  }

  get #underWay(): UnderWay {
    const waiting = [...this.#running.values()].filter(({ phase }) => phase === "claiming").length;
    return { running: this.#running.size, waiting };
  }

  #isTreated(incidentId: string): boolean {
    return [...this.#running.values()].some((one) => one.incidentId === incidentId);
  }

  #giveUp(incident: Incident): HealingEffect[] {
    const given = this.#remember({ ...incident, outcome: "unmended" }, false);
    return [{ kind: "incident", incident: given, change: "changed" }];
  }

  /** Begins, advises or notes the refusal; nothing when the same was said already. */
  #attempt(incident: Incident, plan: Plan, now: Now): HealingEffect[] {
    const { dryRun } = this.#options;
    if (plan.step.level === "advise" || dryRun) {
      this.#planner.tried(plan, now);
      const reason = `${plan.reason}; ${dryRun ? "healing is a dry run" : "the playbook only advises it"}`;
      return this.#note(incident, plan, { outcome: "advised", reason }, now);
    }
    const refusal = this.#guards.refusal(plan, this.#reading, this.#underWay, now);
    if (refusal !== undefined) return this.#refused(incident, plan, refusal, now);
    return this.#begin(incident, plan, now);
  }

  /** A refusal is noted once in a row: it is looked at again each second. */
  #refused(incident: Incident, plan: Plan, refusal: string, now: Now): HealingEffect[] {
    const said = incident.actions.some(
      ({ playbook, action, target, outcome, reason }) =>
        outcome === "refused-by-guard" &&
        playbook === plan.playbook.name &&
        action === plan.step.action &&
        target === plan.target &&
        reason.split(":")[0] === refusal.split(":")[0],
    );
    if (said) return [];
    return this.#note(incident, plan, { outcome: "refused-by-guard", reason: refusal }, now);
  }

  #note(
    incident: Incident,
    plan: Plan,
    ended: Pick<TakenAction, "outcome" | "reason">,
    now: Now,
  ): HealingEffect[] {
    const action: TakenAction = { ...takenOf(plan, now), ...ended, endedMs: now.wallMs };
    const known = this.#remember({ ...incident, actions: [...incident.actions, action] }, false);
    return [{ kind: "action", incident: known, action }];
  }

  #begin(incident: Incident, plan: Plan, now: Now): HealingEffect[] {
    const { step, target, playbook } = plan;
    this.#planner.tried(plan, now);
    const action: TakenAction = { ...takenOf(plan, now), outcome: "running", reason: plan.reason };
    const known = this.#remember({ ...incident, actions: [...incident.actions, action] }, false);
    const order: ActionOrder = {
      ...{ id: ++this.#orders, kind: step.action, timeLimitMs: step.timeLimitMs },
      ...(target !== undefined && { target }),
    };
    const ids = { order, incidentId: incident.id, index: known.actions.length - 1 };
    const execution = new Execution(ids, plan, now.monoMs);
    this.#running.set(order.id, execution);
    const noted: HealingEffect = { kind: "action", incident: known, action };
    return [noted, ...(playbook.radius === "none" ? this.#act(execution, now) : this.#claim(now))];
  }

  #act(execution: Execution, now: Now): HealingEffect[] {
    const { order, plan } = execution;
    this.#guards.acts(settingOf(order.kind, order.target), now);
    execution.acts(this.#standing, now);
    return [{ kind: "act", order, why: plan.reason }];
  }

  /** One look at something under way. */
  #advance(execution: Execution, now: Now): HealingEffect[] {
    if (execution.phase === "claiming") return this.#claimed(execution, now);
    const verdict = execution.verdict(this.#standing, this.#reading, now);
    return verdict === undefined ? [] : this.#conclude(execution, verdict, now);
  }

  /** After the wait the token counts only if this node has its turn. */
  #claimed(execution: Execution, now: Now): HealingEffect[] {
    if (now.monoMs - execution.sinceMs < CLAIM_SETTLE_MS) return [];
    const { plan } = execution;
    const check =
      this.#passed(plan) ??
      this.#guards.mesh(execution.sinceMs, this.#reading, now) ??
      this.#guards.flaps(plan, now) ??
      this.#guards.unproven(plan, this.#reading);
    if (check === undefined) return this.#act(execution, now);
    this.#planner.putOff(plan, this.#options.claimMs, now);
    return this.#conclude(execution, { outcome: "refused-by-guard", check }, now);
  }

  /** Why there is nothing left to do after the wait; undefined while what it is for is still seen. */
  #passed({ symptom }: Plan): string | undefined {
    const isSeen = this.#standing.some((one) => keyOf(one) === keyOf(symptom) && !one.held);
    return isSeen ? undefined : `passed: ${symptom.code} is not seen any more`;
  }

  /** Tells the others of this node's token while it needs one, and gives it back. */
  #claim(now: Now): HealingEffect[] {
    const { claimMs } = this.#options;
    const isNeeded = [...this.#running.values()].some((one) => one.plan.playbook.radius !== "none");
    if (!isNeeded && this.#claimedMs === undefined) return [];
    const isKnown = this.#claimedMs !== undefined && this.#claimedMs >= this.#guards.heardSinceMs;
    if (isNeeded && isKnown && now.monoMs - (this.#claimedMs ?? 0) < claimMs / 3) return [];
    this.#claimedMs = isNeeded ? now.monoMs : undefined;
    const leftMs = isNeeded ? claimMs : 0;
    this.#guards.claims.take(this.#deps.self, leftMs, now.monoMs);
    return [{ kind: "claim", leftMs }];
  }

  #ended(id: number, end: Parameters<Execution["ended"]>[0], now: Now): HealingEffect[] {
    const execution = this.#running.get(id);
    const failure = execution?.ended(end, now);
    if (execution === undefined || failure === undefined) return [];
    return this.#conclude(execution, failure, now);
  }

  #conclude(
    execution: Execution,
    ended: Pick<TakenAction, "outcome" | "check">,
    now: Now,
  ): HealingEffect[] {
    const { order, incidentId, index, phase } = execution;
    this.#running.delete(order.id);
    const incident = this.#book.find(incidentId);
    assert(incident !== undefined, "an incident with a running action stays open");
    const action: TakenAction = { ...taken(incident, index), ...ended, endedMs: now.wallMs };
    const actions = incident.actions.with(index, action);
    const known = this.#remember({ ...incident, actions }, false);
    const effects: HealingEffect[] = [{ kind: "action", incident: known, action }];
    if (phase === "claiming" || !undoable.has(order.kind)) return effects;
    if (ended.outcome === "mended")
      this.#applied.set(order.id, { order, incidentId, sinceMs: now.monoMs });
    else effects.push(this.#undo(order, `it ended as ${ended.outcome}`, now));
    return effects;
  }

  /** What was only waiting for its turn is dropped. */
  #withdraw(now: Now): HealingEffect[] {
    const check = "frozen by the operator";
    return [...this.#running.values()]
      .filter(({ phase }) => phase === "claiming")
      .flatMap((one) => this.#conclude(one, { outcome: "refused-by-guard", check }, now));
  }

  /** Takes back what has served: its incident is over, and doing it again would not be a flap by then. */
  #takeBack(now: Now): HealingEffect[] {
    const effects: HealingEffect[] = [];
    if (this.#guards.frozen) return effects;
    for (const [id, { order, incidentId, sinceMs }] of this.#applied) {
      const isOver = this.#book.find(incidentId) === undefined;
      if (!isOver || now.monoMs - sinceMs < this.#options.flapWindowMs) continue;
      this.#applied.delete(id);
      effects.push(this.#undo(order, `incident ${incidentId} is over`, now));
    }
    return effects;
  }

  #undo(order: ActionOrder, why: string, now: Now): HealingEffect {
    this.#guards.changed(undoneOf(order.kind, order.target), now);
    return { kind: "undo", order, why };
  }
}

function takenOf(
  { playbook, step, target }: Plan,
  now: Now,
): Omit<TakenAction, "outcome" | "reason"> {
  return {
    ...{ playbook: playbook.name, action: step.action, level: step.level, startedMs: now.wallMs },
    ...(target !== undefined && { target }),
  };
}

function taken({ actions }: Incident, index: number): TakenAction {
  const action = actions[index];
  assert(action !== undefined, "an action once noted stays noted");
  return action;
}
