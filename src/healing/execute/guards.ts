// What keeps healing from doing harm. Every action passes here; a refusal says which guard it was, in words.

import type { MonoMs, Now } from "../../ports/index.ts";
import type { Reading } from "../observation.ts";
import type { HealingOptions } from "../options.ts";
import type { Plan } from "../plan/planner.ts";
import { Claims } from "./claims.ts";
import { type Setting, settingOf, undoable } from "./settings.ts";

/** Changes of settings remembered; the window bounds them long before. */
const CHANGES_MAX = 1_024;

const DEAF = "mesh: the crypto engine fails its self-test, so claims of others cannot be checked";

interface Changed extends Setting {
  readonly atMs: MonoMs;
}

/** Actions under way, and how many of them wait for their token. */
export interface UnderWay {
  readonly running: number;
  readonly waiting: number;
}

export class Guards {
  readonly #self: string;
  readonly #options: HealingOptions;
  readonly claims: Claims;
  #frozen = false;
  /** When actions were done, within the window. */
  #acted: MonoMs[] = [];
  #changes: Changed[] = [];
  #isAlone = false;
  /** The crypto engine refuses what is genuine, or takes what is not: no claim can be checked. */
  #isUnsound = false;
  #heardSinceMs = -Infinity;

  constructor(self: string, options: HealingOptions) {
    this.#self = self;
    this.#options = options;
    this.claims = new Claims(options);
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  set frozen(frozen: boolean) {
    this.#frozen = frozen;
  }

  /** Since when this node hears others, and they it, without a break; of old, unless it was alone since it began. */
  get heardSinceMs(): number {
    return this.#heardSinceMs;
  }

  /** Once a look. */
  look({ values, conditions }: Reading, now: Now): void {
    const isAlone = values.connections === 0;
    const isUnsound = conditions.some(({ code }) => code === "crypto/engine-unsound");
    const wasDeaf = this.#isAlone || this.#isUnsound;
    if (wasDeaf && !isAlone && !isUnsound) this.#heardSinceMs = now.monoMs;
    this.#isAlone = isAlone;
    this.#isUnsound = isUnsound;
  }

  /** Actions that may still begin within the window, besides those that wait for their token. */
  budgetLeft(waiting: number, now: Now): number {
    const { actionsPerWindow, budgetWindowMs } = this.#options;
    this.#acted = this.#acted.filter((atMs) => now.monoMs - atMs < budgetWindowMs);
    return Math.max(0, actionsPerWindow - this.#acted.length - waiting);
  }

  /** Why nothing disruptive may be done in the mesh as it is; undefined when it may. */
  halted({ values }: Reading): string | undefined {
    const { unhealthyRatio, members } = values;
    if (unhealthyRatio === undefined || members === undefined)
      return "it is not known how much of the mesh is unwell";
    if (unhealthyRatio <= this.#options.haltShare) return undefined;
    return `${percent(unhealthyRatio)} of the mesh is unwell, more than ${percent(this.#options.haltShare)}`;
  }

  /** Why a plan may not be carried out now; undefined when it may. The mesh-wide budget is asked for apart. */
  refusal(plan: Plan, reading: Reading, underWay: UnderWay, now: Now): string | undefined {
    const { running, waiting } = underWay;
    const { actionsAtOnce, actionsPerWindow } = this.#options;
    if (this.#frozen) return "frozen by the operator: meshctl heal thaw";
    if (running >= actionsAtOnce) return `budget: ${running} actions are under way`;
    const left = this.budgetLeft(waiting, now);
    if (plan.symptom.severity === "info" && left <= actionsPerWindow / 2)
      return "budget: half of it is kept for what is graver";
    if (left === 0) return `budget: ${actionsPerWindow} actions within the window`;
    if (plan.playbook.radius !== "none") {
      const halted = this.halted(reading);
      if (halted !== undefined) return `halted: ${halted}`;
      if (this.#isDeaf()) return DEAF;
      if (this.claims.mustPause(this.#self, now.monoMs))
        return "mesh: this node was under repair for long, others have their turn";
    }
    return this.flaps(plan, now) ?? this.unproven(plan, reading);
  }

  /**
   * Whether a plan would set something to what it was within the window, with another value in between. What can be taken
   * back must find its setting untouched: its undo would otherwise be the second half of such a flap.
   */
  flaps({ step, target }: Plan, now: Now): string | undefined {
    const { flapWindowMs } = this.#options;
    const { facet, value } = settingOf(step.action, target);
    this.#changes = this.#changes.filter(({ atMs }) => now.monoMs - atMs < flapWindowMs);
    const values = this.#changes.filter((one) => one.facet === facet).map((one) => one.value);
    const first = values.indexOf(value);
    const isBack = first >= 0 && values.slice(first).some((other) => other !== value);
    const isFlap = undoable.has(step.action) ? values.length > 0 : isBack;
    return isFlap ? `no A-B-A: ${facet.trim()} was changed a short while ago` : undefined;
  }

  /** Why this node, which has claimed a token since `sinceMs`, may not use it; undefined when it may. */
  mesh(sinceMs: number, reading: Reading, now: Now): string | undefined {
    if (this.#frozen) return "frozen by the operator";
    const halted = this.halted(reading);
    if (halted !== undefined) return `halted: ${halted}`;
    if (this.#isDeaf()) return DEAF;
    // Whoever holds a token says so again within this time. Who hears nobody has its own budget alone.
    const unheardMs = this.#options.claimMs / 2 - (now.monoMs - this.#heardSinceMs);
    if (!this.#isAlone && unheardMs > 0)
      return "mesh: back a short while ago, claims of others may not have been heard yet";
    const nodes = nodesIn(reading);
    const self = this.#self;
    if (this.claims.hasTurn(self, sinceMs, nodes, now.monoMs)) return undefined;
    const others = this.claims.others(self, now.monoMs);
    return `mesh: ${others} other(s) are under repair, ${this.claims.most(nodes)} may be at once`;
  }

  /** Others are there, and what they claim cannot be checked. */
  #isDeaf(): boolean {
    return this.#isUnsound && !this.#isAlone;
  }

  /** An action is done: it is paid for, and sets something. */
  acts(setting: Setting, now: Now): void {
    this.#acted.push(now.monoMs);
    this.changed(setting, now);
  }

  /** A setting changes. */
  changed(setting: Setting, now: Now): void {
    this.#changes.push({ ...setting, atMs: now.monoMs });
    if (this.#changes.length > CHANGES_MAX) this.#changes.shift();
  }

  /** One node alone shuts another out only on a proof that every node can check. */
  unproven({ step, target }: Plan, { peers }: Reading): string | undefined {
    if (step.action !== "quarantine-peer") return undefined;
    const isProven = peers.some(({ nodeId, proven }) => nodeId === target && proven);
    return isProven ? undefined : "no transferable proof against this node";
  }
}

/** Nodes of the mesh, this one included. */
export function nodesIn({ values }: Reading): number {
  return 1 + (values.members ?? 0);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
