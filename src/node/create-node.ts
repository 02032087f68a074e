// The composition root: from a configuration to a daemon that can be started and stopped.
// Nothing else wires parts together. The order of start is the order of the code; stop runs backwards.

import { join } from "node:path";
import { systemClock } from "../adapters/clock.ts";
import { createNativeEngine } from "../adapters/crypto/native.ts";
import { type RunningServer } from "../adapters/http/running-server.ts";
import { startControlServer } from "../adapters/http/control-server.ts";
import { startMetricsServer } from "../adapters/http/metrics-server.ts";
import { KeyFiles, type SeedName } from "../adapters/key-files.ts";
import { networkMetrics } from "../adapters/libp2p/network.ts";
import { systemRandom } from "../adapters/random.ts";
import { finishRestore } from "../adapters/sqlite/restore-swap.ts";
import { StateStore } from "../adapters/sqlite/state-store.ts";
import { createPinoLogger, type PinoLogger } from "../adapters/telemetry/pino-logger.ts";
import { type ProcessMeter, startProcessMeter } from "../adapters/telemetry/process-meter.ts";
import { createPromMeter, type PromMeter } from "../adapters/telemetry/prom-meter.ts";
import { RecentLines } from "../adapters/telemetry/recent-lines.ts";
import { createWasmEngine } from "../adapters/wasm/engine.ts";
import { type Config, configDifference } from "../config/index.ts";
import { createControlApp } from "../control/index.ts";
import {
  countedEngine,
  createNobleEngine,
  type CryptoEngine,
  pairwiseCheck,
  selectEngine,
  selfTest,
} from "../crypto/index.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import { type NodeKeys, nodeKeysFromSeeds } from "../identity/index.ts";
import { daemonMetrics } from "../telemetry/index.ts";
import { type ConfigSource, ConfigView } from "./config-view.ts";
import { ControlSurface } from "./control-surface.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Operations } from "./operations.ts";

export interface Build {
  readonly version: string;
  readonly commit: string;
}

/** A daemon. `start` once, `stop` once; both may throw a MeshError whose message is for the operator. */
export interface MeshNode {
  start(): Promise<void>;
  /** Leaves the mesh and closes everything. Idempotent. */
  stop(): Promise<void>;
  /** Takes a changed configuration as far as a running daemon can, and logs what needs a restart. */
  reload(config: Config, source: ConfigSource): void;
}

/**
 * Makes a daemon; nothing listens yet.
 * @throws MeshError `crypto/self-test-failed`, `crypto/engine-unavailable`, `state/*`
 */
export function createNode(config: Config, build: Build, source: ConfigSource): MeshNode {
  const { level, format } = config.telemetry.log;
  const recentLines = new RecentLines();
  const logger = createPinoLogger({ level, format, recent: recentLines });
  const prom = createPromMeter([...daemonMetrics, ...networkMetrics]);
  const engine = testedEngine(config, prom);
  finishRestore(config.stateDir);
  const store = new StateStore(config.stateDir);
  const keyFiles = new KeyFiles(join(config.stateDir, "keys"), systemRandom);
  const keys = ownKeys(engine, keyFiles, store.credential() !== undefined);
  const epoch = store.nextEpoch(systemClock.now().wallMs);
  const process = startProcessMeter(prom, { version: build.version, engine: engine.name });
  const lifecycle = new Lifecycle(
    {
      engine,
      random: systemRandom,
      clock: systemClock,
      logger,
      meter: prom.meter,
      store,
      keyFiles,
      keys,
    },
    { config, epoch, version: build.version },
  );
  return new Daemon({
    config,
    build,
    logger,
    prom,
    process,
    store,
    lifecycle,
    keys,
    engine,
    epoch,
    keyFiles,
    recentLines,
    configView: new ConfigView(source),
  });
}

function testedEngine(config: Config, { meter }: PromMeter): CryptoEngine {
  const chosen = selectEngine(config.crypto.engine, [
    { name: "wasm", create: () => createWasmEngine({ random: systemRandom, meter }) },
    { name: "native", create: () => createNativeEngine({ meter }) },
    { name: "noble", create: () => createNobleEngine(systemRandom) },
  ]);
  const engine = countedEngine(chosen, meter);
  selfTest(engine, meter);
  return engine;
}

/** An enrolled node never makes new keys: it would be another node under the same name. */
function ownKeys(engine: CryptoEngine, keyFiles: KeyFiles, isEnrolled: boolean): NodeKeys {
  const seed = (name: SeedName): Uint8Array =>
    isEnrolled ? keyFiles.existing(name) : keyFiles.seed(name);
  const keys = nodeKeysFromSeeds(engine, {
    ed25519: seed("ed25519"),
    mldsa65: seed("ml-dsa-65"),
  });
  pairwiseCheck(engine, { ed25519: keys.ed25519, mlDsa65: keys.mldsa65 });
  return keys;
}

interface Parts {
  readonly config: Config;
  readonly build: Build;
  readonly logger: PinoLogger;
  readonly prom: PromMeter;
  readonly process: ProcessMeter;
  readonly store: StateStore;
  readonly lifecycle: Lifecycle;
  readonly keys: NodeKeys;
  readonly engine: CryptoEngine;
  readonly epoch: number;
  readonly keyFiles: KeyFiles;
  readonly recentLines: RecentLines;
  readonly configView: ConfigView;
}

class Daemon implements MeshNode {
  readonly #parts: Parts;
  readonly #servers: RunningServer[] = [];
  #config: Config;
  #stopping: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#config = parts.config;
  }

  async start(): Promise<void> {
    const { config, logger, lifecycle, build, engine, epoch, keys } = this.#parts;
    const version = build.version;
    const surface = new ControlSurface(
      {
        ...this.#parts,
        version,
        operations: new Operations({ ...this.#parts, version, nodeId: keys.nodeId }),
      },
      () => this.#metricsAddress,
    );
    await this.#startMetrics(surface);
    const app = createControlApp(surface, (error) =>
      logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "control request failed",
      ),
    );
    this.#servers.push(await startControlServer({ app, socketPath: config.control.socket }));
    await lifecycle.start();
    logger.info(
      {
        version: build.version,
        commit: build.commit,
        engine: engine.name,
        epoch,
        state: lifecycle.state,
        socket: config.control.socket,
        metrics: this.#metricsAddress,
      },
      "meshd started",
    );
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  reload(config: Config, source: ConfigSource): void {
    const { logger, lifecycle, config: atStart } = this.#parts;
    const { reload } = configDifference(this.#config, config);
    // Against the start: a key stays pending until the restart, however often the file is read meanwhile.
    const { restart } = configDifference(atStart, config);
    lifecycle.reload(config);
    logger.setLevel(config.telemetry.log.level);
    this.#config = config;
    this.#parts.configView.reloaded(source);
    if (restart.length > 0)
      logger.warn(
        { code: "config/restart-needed", keys: restart },
        "changed keys take effect at the next start",
      );
    logger.info({ keys: reload }, "configuration reloaded");
  }

  #metricsAddress: string | null = null;

  async #startMetrics(surface: ControlSurface): Promise<void> {
    const { config, prom, lifecycle } = this.#parts;
    const { listen } = config.telemetry.metrics;
    if (listen === "off") return;
    const server = await startMetricsServer({
      ...listen,
      metrics: prom,
      live: () => lifecycle.member?.isLive() ?? true,
      ready: () => surface.readiness(),
    });
    this.#metricsAddress = server.address;
    this.#servers.push(server);
  }

  async #stop(): Promise<void> {
    const { lifecycle, process, store, keys, logger } = this.#parts;
    await lifecycle.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
    process.stop();
    keys.destroy();
    store.close();
    logger.info({}, "meshd stopped");
  }
}
