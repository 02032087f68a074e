// What the operations verbs ask of a running daemon: configuration, doctor, logs, metrics, backup.

import { readFileSync } from "node:fs";
import {
  auditDirectory,
  type AuditVerdict,
  checkAuditLog,
  readAuditEntries,
} from "../adapters/audit/audit-files.ts";
import type { AuditLog } from "../adapters/audit/audit-log.ts";
import { systemClock } from "../adapters/clock.ts";
import type { KeyFiles } from "../adapters/key-files.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { PromMeter } from "../adapters/telemetry/prom-meter.ts";
import type { RecentLines } from "../adapters/telemetry/recent-lines.ts";
import type { Config } from "../config/index.ts";
import type {
  AuditList,
  AuditListRequest,
  AuditVerified,
  AuditVerifyRequest,
  BackupRequest,
  Body,
  Doctor,
  EffectiveConfig,
  Logs,
  Metrics,
  Status,
} from "../control/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { errorMessage } from "../foundation/index.ts";
import { createBackup } from "./backup/create.ts";
import type { ConfigView } from "./config-view.ts";
import { doctorOfDaemon } from "./doctor/doctor.ts";

export interface OperationsParts {
  readonly config: Config;
  readonly configView: ConfigView;
  readonly recentLines: RecentLines;
  readonly prom: PromMeter;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly nodeId: string;
  readonly version: string;
  readonly audit: AuditLog;
  readonly engine: CryptoEngine;
}

export class Operations {
  readonly #parts: OperationsParts;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  config(): Body<EffectiveConfig> {
    return this.#parts.configView.effective();
  }

  doctor(status: Body<Status>, observedIps: readonly string[]): Promise<Body<Doctor>> {
    const { config, configView } = this.#parts;
    const file = { configFile: configView.file, ...this.#fileNow() };
    return doctorOfDaemon({ config, status, observedIps, ...file }, systemClock.now().wallMs);
  }

  logs(): Body<Logs> {
    return this.#parts.recentLines.read();
  }

  async metrics(): Promise<Body<Metrics>> {
    return { text: await this.#parts.prom.text() };
  }

  backup(request: BackupRequest): AsyncIterable<Uint8Array> {
    const { config, store, keyFiles, nodeId, version } = this.#parts;
    this.#parts.audit.record({ event: "backup.create", subject: nodeId });
    return createBackup({ stateDir: config.stateDir, store, keyFiles, nodeId, version }, request);
  }

  auditEntries({ limit, after, event }: AuditListRequest): Body<AuditList> {
    const { config, engine } = this.#parts;
    return {
      entries: readAuditEntries(engine, auditDirectory(config.stateDir), {
        limit,
        ...(after === undefined ? {} : { after }),
        ...(event === undefined ? {} : { event }),
      }).map((entry) => ({ ...entry, fields: { ...entry.fields } })),
    };
  }

  async auditVerify({ heads }: AuditVerifyRequest): Promise<Body<AuditVerified>> {
    const { config, engine, nodeId } = this.#parts;
    const directory = auditDirectory(config.stateDir);
    return verdictBody(await checkAuditLog(engine, directory, { keptHeads: heads, nodeId }));
  }

  /** The file as the next start would find it. */
  #fileNow(): { configProblem: string | undefined; restartPending: readonly string[] } {
    const { configView } = this.#parts;
    try {
      const text = readFileSync(configView.file, "utf8");
      return { configProblem: undefined, restartPending: configView.pendingIn(text) };
    } catch (error) {
      return { configProblem: errorMessage(error), restartPending: [] };
    }
  }
}

/** A verdict as the control API tells it. */
export function verdictBody({ head, problems, ...counts }: AuditVerdict): Body<AuditVerified> {
  return { ...counts, head: head ?? null, problems: problems.map((problem) => ({ ...problem })) };
}
