// Drives the healing machine: a reading a second goes in, and what comes out is carried out, written down and counted.

import type { Config } from "../../config/index.ts";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  type ActionOrder,
  type Actuators,
  type HealingEffect,
  HealingMachine,
  type HealingView,
  type Incident,
  type KnowledgeBase,
  meterEffect,
  meterView,
  type NoticeBody,
  type RaisedCondition,
  type Sensors,
  type SimilarIncident,
  type SymptomCode,
  symptoms,
  type TakenAction,
} from "../../healing/index.ts";
import type { AuditTrail } from "../../identity/index.ts";
import type { Clock, Logger, Meter } from "../../ports/index.ts";
import { readPlaybooks } from "./playbook-files.ts";
import { LOOK_MS } from "./sensors.ts";

export interface HealingLoopDeps {
  readonly self: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly audit: AuditTrail;
  readonly sensors: Sensors;
  readonly actuators: Actuators;
  readonly knowledge: KnowledgeBase;
  /** What is wrong with that. */
  readonly remembered: () => readonly RaisedCondition[];
  /** An incident is over: others may learn from it. */
  readonly closed: (incident: Incident) => void;
  /** Whether an operator froze it, over restarts. */
  readonly freezer: { isHealingFrozen: boolean; saveHealingFrozen(frozen: boolean): void };
  /** Tells the mesh of this node's token. */
  readonly claim: (leftMs: number) => Promise<void>;
}

export class HealingLoop {
  readonly #deps: HealingLoopDeps;
  readonly #machine: HealingMachine;
  #playbooks: ReturnType<typeof readPlaybooks>;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: HealingLoopDeps, config: Config["healing"]) {
    this.#deps = deps;
    this.#playbooks = readPlaybooks(config.playbooks, deps.actuators.kinds);
    const { self, knowledge } = deps;
    const { playbooks } = this.#playbooks;
    this.#machine = new HealingMachine({ self, knowledge, playbooks }, { ...config.guards });
    this.#machine.dryRun = config.mode === "advise";
    this.#tellPlaybooks();
    if (deps.freezer.isHealingFrozen) this.#handle({ kind: "frozen", frozen: true });
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the operator's playbooks again; a file with a fault leaves those that are in force. */
  reload({ mode, playbooks: file }: Config["healing"]): void {
    const { playbooks } = this.#playbooks;
    this.#playbooks = readPlaybooks(file, this.#deps.actuators.kinds, playbooks);
    this.#machine.playbooks = this.#playbooks.playbooks;
    this.#machine.dryRun = mode === "advise";
    this.#tellPlaybooks();
  }

  get view(): HealingView {
    return this.#machine.view(this.#deps.clock.now());
  }

  /** Names of the playbooks in force, the first to be tried first. */
  get playbooks(): readonly string[] {
    return this.#playbooks.playbooks.map(({ name }) => name);
  }

  incidents(limit: number): readonly Incident[] {
    return this.#deps.knowledge.list(limit);
  }

  /** By its id, or the `last`. @throws MeshError `control/unknown-incident` */
  incident(id: string): Incident {
    const found = id === "last" ? this.#deps.knowledge.list(1)[0] : this.#deps.knowledge.find(id);
    if (found !== undefined) return found;
    const which = id === "last" ? "no incident yet" : `no incident '${id.slice(0, 64)}'`;
    throw new MeshError(
      "control/unknown-incident",
      `This node remembers ${which}. See meshctl incidents list.`,
    );
  }

  /** Past incidents like that one. @throws MeshError `control/unknown-incident` */
  similar(id: string): readonly SimilarIncident[] {
    return this.#deps.knowledge.recall(this.incident(id));
  }

  /** On disk first: a restart does not thaw. @throws MeshError `state/write-failed`, `audit/write-failed` */
  freeze(frozen: boolean): void {
    this.#deps.audit.record({ event: frozen ? "heal.freeze" : "heal.thaw" });
    this.#deps.freezer.saveHealingFrozen(frozen);
    this.#handle({ kind: "frozen", frozen });
  }

  /** What another node tells: its token, or what it learned. */
  heard(nodeId: string, body: NoticeBody): void {
    if (body.kind === "lesson") this.#deps.knowledge.hear(nodeId, body.incident);
    else this.#handle({ kind: "claimed", claim: { nodeId, leftMs: body.leftMs } });
  }

  /** What is wrong with the operator's file, and with what is remembered. */
  raised(): RaisedCondition[] {
    const { problem } = this.#playbooks;
    const remembered = this.#deps.remembered();
    if (problem === undefined) return [...remembered];
    return [...remembered, { code: "healing/playbooks-refused", message: problem.message }];
  }

  /** Symptoms that the loop itself has found, for the health of the node. */
  found(): (RaisedCondition & { readonly code: SymptomCode })[] {
    return this.#machine.standing
      .filter(({ held }) => !held)
      .map(({ code, subject, message, evidence }) => {
        const [first] = evidence;
        const seen = first === undefined ? "" : ` (${first.observation} ${first.finding})`;
        const words = `Seen by this node: ${symptoms[code].title}${seen}. See meshctl incidents list.`;
        return { code, ...(subject !== undefined && { subject }), message: message ?? words };
      });
  }

  /** One look at the node, and what follows from it. */
  look(): void {
    try {
      this.#handle({ kind: "observed", reading: this.#deps.sensors.read() });
      meterView(this.#deps.meter, this.view);
    } catch (error) {
      // Healing must not be what breaks the node.
      this.#deps.logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "healing could not look",
      );
    }
  }

  #handle(event: Parameters<HealingMachine["handle"]>[0]): void {
    for (const effect of this.#machine.handle(event, this.#deps.clock.now())) {
      meterEffect(this.#deps.meter, effect);
      this.#carryOut(effect);
    }
  }

  #carryOut(effect: HealingEffect): void {
    switch (effect.kind) {
      case "act":
        return this.#act(effect.order);
      case "undo":
        this.#deps.logger.info(
          { ...effect.order, why: effect.why },
          "healing takes an action back",
        );
        return this.#deps.actuators.undo(effect.order);
      case "claim":
        return this.#claim(effect.leftMs);
      case "action":
        return this.#written(effect.incident, effect.action);
      case "incident":
        return this.#told(effect);
    }
  }

  #act(order: ActionOrder): void {
    this.#deps.actuators.begin(order, (end) =>
      this.#handle({ kind: "action-ended", id: order.id, end }),
    );
  }

  #claim(leftMs: number): void {
    this.#deps.claim(leftMs).catch((error: unknown) => {
      this.#deps.logger.debug({ code: errorCode(error) }, "claim of repair not told");
    });
  }

  /** Each action goes to the audit log: a node that changes itself leaves a trace of it. */
  #written(incident: Incident, { playbook, action, target, outcome }: TakenAction): void {
    const fields = { incident: incident.id, cause: incident.cause.code, playbook, action, outcome };
    this.#deps.audit.note({ event: "heal.action", subject: target ?? this.#deps.self, fields });
    this.#deps.logger.info({ ...fields, ...(target !== undefined && { target }) }, "healing");
  }

  #told({ incident, change }: Extract<HealingEffect, { kind: "incident" }>): void {
    if (change === "changed") return;
    if (change === "closed") this.#deps.closed(incident);
    const { id, cause, outcome } = incident;
    const fields = { incident: id, cause: cause.code, outcome };
    this.#deps.logger.info(fields, change === "opened" ? "incident opened" : "incident closed");
  }

  #tellPlaybooks(): void {
    const { problem } = this.#playbooks;
    if (problem === undefined) return;
    this.#deps.logger.error({ code: problem.code, error: problem.message }, "playbooks refused");
  }
}
