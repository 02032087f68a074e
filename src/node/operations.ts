// What the operations verbs ask of a running daemon: configuration, doctor, logs, metrics, backup.

import { readFileSync } from "node:fs";
import { systemClock } from "../adapters/clock.ts";
import type { KeyFiles } from "../adapters/key-files.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { PromMeter } from "../adapters/telemetry/prom-meter.ts";
import type { RecentLines } from "../adapters/telemetry/recent-lines.ts";
import type { Config } from "../config/index.ts";
import type {
  BackupRequest,
  Body,
  Doctor,
  EffectiveConfig,
  Logs,
  Metrics,
  Status,
} from "../control/index.ts";
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
    return createBackup({ stateDir: config.stateDir, store, keyFiles, nodeId, version }, request);
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
