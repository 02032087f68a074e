// What is wrong with this node: the conditions that its parts tell and those that healing finds. Status, /ready, the metrics and
// healing's monitor all start from here; titles and severities stand in the catalogue (healing/symptoms.ts).

import type { AuditLog } from "../adapters/audit/audit-log.ts";
import { systemClock } from "../adapters/clock.ts";
import type { Readiness } from "../adapters/http/metrics-server.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type { Health } from "../control/index.ts";
import type { EngineSwitch } from "../crypto/index.ts";
import { type RaisedCondition, type SymptomCode, symptoms } from "../healing/index.ts";
import type { Federation } from "./federation.ts";
import type { HealingLoop } from "./healing/healing-loop.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LogLevelSwitch } from "./log-level.ts";
import type { Member } from "./member.ts";
import { type SocketName, socketNames, type SocketPart } from "./socket-part.ts";
import { classicalHealthOf, svidHealthOf } from "./svid-health.ts";
import { workloadHealth } from "./workload/health.ts";

export interface HealthDeps {
  readonly config: Pick<Config, "identity" | "learning">;
  readonly lifecycle: Pick<Lifecycle, "member" | "state" | "problem" | "sourceProblem">;
  readonly engines: Pick<EngineSwitch, "isSound">;
  readonly store: Pick<StateStore, "writeError">;
  readonly audit: Pick<AuditLog, "problem">;
  readonly federation: Pick<Federation, "stale">;
  readonly logLevel: Pick<LogLevelSwitch, "level" | "configured">;
  readonly healing: () => Pick<HealingLoop, "found" | "raised">;
  readonly sockets: () => Partial<Record<SocketName, SocketPart | undefined>>;
}

/** A health entry whose code the catalogue knows. */
export type Condition = Health & { readonly code: SymptomCode };

/** Rounds in a row without a new model that are told as a condition of the node's health. */
const VOID_ROUNDS_TOLD = 3;

export class NodeHealth {
  readonly #deps: HealthDeps;

  constructor(deps: HealthDeps) {
    this.#deps = deps;
  }

  /** What `meshctl status` shows as health. */
  conditions(): Condition[] {
    const raised = this.raised();
    const told = new Map(raised.map((one) => [one.code, one]));
    for (const one of this.#deps.healing().found())
      if (!told.has(one.code)) told.set(one.code, one);
    return [...told.values()].map(conditionOf);
  }

  /** What the parts of the node say is wrong with them. */
  raised(): RaisedCondition[] {
    const { config, lifecycle } = this.#deps;
    const { member } = lifecycle;
    const health = lifecycleHealth(lifecycle, config.identity.source);
    if (!this.#deps.engines.isSound) {
      health.push({
        code: "crypto/engine-unsound",
        message: "The crypto engine fails its self-test: another one takes over, or restart meshd.",
      });
    }
    if (member !== undefined) health.push(...memberHealth(member));
    health.push(...socketHealth(this.#deps.sockets()));
    if (member?.isLive() === false) {
      health.push({
        code: "node/stalled",
        message: "The mesh machine has stopped working. Restart meshd, and report its log.",
      });
    }
    const stale = this.#deps.federation.stale();
    if (stale.length > 0) {
      health.push({
        code: "federation/stale",
        message: `The trust bundle of ${stale.join(", ")} could not be refreshed: see meshctl trust federate list.`,
      });
    }
    const { problem: auditProblem } = this.#deps.audit;
    if (auditProblem !== undefined) {
      const { code, message } = auditProblem;
      health.push({ code, message });
    }
    const { writeError } = this.#deps.store;
    if (writeError !== undefined) {
      health.push({ code: writeError.code, message: writeError.message });
    }
    if (config.learning.adversary) {
      health.push({
        code: "learning/adversary",
        message: "Lab only: this node poisons its updates when a task asks for it.",
      });
    }
    const { level, configured } = this.#deps.logLevel;
    if (level !== configured) {
      health.push({
        code: "node/log-level",
        message: `Logs at ${level} until the next start or reload; the configuration says ${configured}.`,
      });
    }
    return [...health, ...this.#deps.healing().raised()];
  }

  /** Ready: enrolled, in the mesh, with an SVID that has not expired. */
  readiness(): Readiness {
    const { lifecycle } = this.#deps;
    const errors = this.conditions().filter(({ severity }) => severity === "error");
    const { state } = lifecycle;
    const reasons: SymptomCode[] = [
      ...(state === "running" ? [] : [`node/${state}` as const]),
      ...errors.map(({ code }) => code),
    ];
    return { ready: reasons.length === 0, reasons };
  }
}

function conditionOf({ code, message }: RaisedCondition): Condition {
  return { code, severity: symptoms[code].severity, message };
}

/** Whether it is in a mesh, and what keeps it from that. */
function lifecycleHealth(
  { problem, sourceProblem, state }: HealthDeps["lifecycle"],
  source: Config["identity"]["source"],
): RaisedCondition[] {
  const health: RaisedCondition[] = [];
  if (problem !== undefined) health.push({ code: problem.code, message: problem.message });
  if (sourceProblem !== undefined)
    health.push({ code: "identity/source-silent", message: sourceProblem.message });
  if (state === "unenrolled" && problem === undefined && source === "issuer") {
    health.push({
      code: "node/unenrolled",
      message: "In no mesh yet: run meshctl init or meshctl join.",
    });
  }
  if (state === "starting")
    health.push({ code: "node/starting", message: "Joins the mesh: in a moment it is there." });
  if (state === "stopping")
    health.push({ code: "node/stopping", message: "Leaves the mesh, as it was told to." });
  return health;
}

function socketHealth(sockets: ReturnType<HealthDeps["sockets"]>): RaisedCondition[] {
  return socketNames.flatMap((subject) => {
    const socket = sockets[subject];
    if (socket?.isGone !== true) return [];
    const message = `Nobody can call ${socket.path}: its file was removed or replaced. It is made again, or restart meshd.`;
    return [{ code: "node/socket-gone" as const, subject, message }];
  });
}

/** Why an SVID that has not expired is refused by all. */
const svidProblems = ["identity/revoked", "identity/untrusted"] as const;

function memberHealth(member: Member): RaisedCondition[] {
  const health: RaisedCondition[] = [];
  const { kernelProblem } = member.learning;
  if (kernelProblem !== undefined) {
    health.push({
      code: "learning/kernels-unavailable",
      message: kernelProblem.message,
    });
  }
  const { voidRounds } = member.learning;
  if (voidRounds >= VOID_ROUNDS_TOLD) {
    health.push({
      code: "learning/rounds-void",
      message: `The last ${voidRounds} rounds brought no new model: too few updates came. See meshctl fl status: who is silent?`,
    });
  }
  const { splitRound } = member.learning;
  if (splitRound !== undefined) {
    health.push({
      code: "learning/split",
      message: `All results of round ${splitRound} are in and none has a quorum: participants compute it unlike. Compare their versions and meshctl fl explain.`,
    });
  }
  if (member.workloads !== undefined) health.push(...workloadHealth(member.workloads));
  health.push(...svidHealthOf(member.svid, systemClock.now().wallMs), ...classicalHealthOf(member));
  if (member.trust.issuing?.keeper?.isEnding === true) {
    health.push({
      code: "identity/authority-ending",
      message:
        "The authority that signs ends soon and no other one is prepared. Run meshctl trust authority prepare, or see the log why it is not done unattended.",
    });
  }
  const problem = svidProblems.find((code) => code === member.trust.svidProblem);
  if (problem !== undefined) {
    health.push({
      code: problem,
      message:
        "This node's SVID is no longer good: it was shut out, or the authority that signed it was revoked. Join again with a new token, in a new state directory.",
    });
  }
  const members = member.mesh.members();
  const quarantined = members.filter(({ state }) => state === "quarantined");
  if (quarantined.length > 0) {
    health.push({
      code: "mesh/quarantined",
      message: `${quarantined.length} member(s) proven to equivocate: see meshctl quarantine list.`,
    });
  }
  if (member.learning.trainer.isAbsent) {
    health.push({
      code: "learning/trainer-absent",
      message:
        "A task waits for this node's own trainer, and none is attached. Start it: docs/trainers.md.",
    });
  }
  // The dead count: whoever is cut off holds all others for dead before long.
  const others = members.filter(({ state }) => state !== "left");
  if (others.length > 0 && !others.some(({ connected }) => connected)) {
    health.push({
      code: "mesh/isolated",
      message:
        "No peer is connected although members are known: check the network, and whether they run. The dead are forgotten after an hour.",
    });
  }
  return health;
}
