// The composition root: from a configuration to a daemon that can be started and stopped.
// Nothing else wires parts together. The order of start is the order of the code; stop runs backwards.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type HeapKeeper, keepHeapSized } from "../adapters/heap-size.ts";
import { auditDirectory } from "../adapters/audit/audit-files.ts";
import { AuditLog } from "../adapters/audit/audit-log.ts";
import { systemClock } from "../adapters/clock.ts";
import { createNativeEngine } from "../adapters/crypto/native.ts";
import { type RunningServer } from "../adapters/http/running-server.ts";
import { startControlServer } from "../adapters/http/control-server.ts";
import { startMetricsServer } from "../adapters/http/metrics-server.ts";
import { KeyFiles, type SeedName } from "../adapters/key-files.ts";
import { systemRandom } from "../adapters/random.ts";
import { seedCredentials } from "../adapters/systemd/seed-credentials.ts";
import { finishRestore } from "../adapters/sqlite/restore-swap.ts";
import { StateStore } from "../adapters/sqlite/state-store.ts";
import { createPinoLogger, type PinoLogger } from "../adapters/telemetry/pino-logger.ts";
import { type ProcessMeter, startProcessMeter } from "../adapters/telemetry/process-meter.ts";
import type { RunningTracer } from "../adapters/telemetry/otlp-tracer.ts";
import { createPromMeter, type PromMeter } from "../adapters/telemetry/prom-meter.ts";
import { RecentLines } from "../adapters/telemetry/recent-lines.ts";
import { createWasmEngine } from "../adapters/wasm/engine.ts";
import { type Config, configDifference, parseConfig } from "../config/index.ts";
import { type ControlRight, createControlApp } from "../control/index.ts";
import {
  countedEngine,
  createNobleEngine,
  type CryptoEngine,
  pairwiseCheck,
  EngineSwitch,
  selfTest,
} from "../crypto/index.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import {
  isSoundRoot,
  LOCAL,
  type NodeKeys,
  nodeKeysFromSeeds,
  nodeSpiffeId,
  signerOf,
} from "../identity/index.ts";
import type { Logger, Meter, SpanAttributes } from "../ports/index.ts";
import { type ConfigSource, ConfigView } from "./config-view.ts";
import { ControlSurface } from "./control-surface.ts";
import { endpointOf } from "./credential-source.ts";
import { EndpointSvid } from "./endpoint-svid.ts";
import { Federation, servedBundle } from "./federation.ts";
import { NodeActuators } from "./healing/actuators.ts";
import { HealingLoop } from "./healing/healing-loop.ts";
import { HealingMemory } from "./healing/memory.ts";
import { NodeSensors } from "./healing/sensors.ts";
import { type SocketName, SocketPart } from "./socket-part.ts";
import { Lifecycle } from "./lifecycle.ts";
import { LogLevelSwitch } from "./log-level.ts";
import { allMetrics, meterConfig, meterNode } from "./metrics.ts";
import { Operations } from "./operations.ts";
import { Access } from "./policy.ts";
import { type ManagerEnvironment, Supervision } from "./supervision.ts";
import { tracerFor } from "./tracing.ts";

export interface Build {
  readonly version: string;
  readonly commit: string;
}

/** A checked configuration, and the file it is from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly source: ConfigSource;
}

/** A daemon. `start` once, `stop` once; both may throw a MeshError whose message is for the operator. */
export interface MeshNode {
  start(): Promise<void>;
  /** Leaves the mesh and closes everything. Idempotent. */
  stop(): Promise<void>;
  /**
   * Takes a changed configuration as far as a running daemon can, and logs what needs a restart. What `read` throws
   * goes on to the caller, and nothing changes.
   */
  reload(read: () => LoadedConfig): void;
}

/**
 * Makes a daemon; nothing listens yet.
 * @param environment what a service manager set: NOTIFY_SOCKET, WATCHDOG_USEC, CREDENTIALS_DIRECTORY, SPIFFE_ENDPOINT_SOCKET
 * @throws MeshError `crypto/self-test-failed`, `crypto/engine-unavailable`, `state/*`, `telemetry/bad-header-file`
 */
export async function createNode(
  { config, source }: LoadedConfig,
  build: Build,
  environment: ManagerEnvironment = {},
): Promise<MeshNode> {
  const { level, format } = config.telemetry.log;
  const recentLines = new RecentLines();
  const logger = createPinoLogger({ level, format, recent: recentLines });
  const prom = createPromMeter(allMetrics);
  const engines = testedEngines(config, prom, logger);
  const { engine } = engines;
  finishRestore(config.stateDir);
  const store = new StateStore(config.stateDir);
  const keyFiles = new KeyFiles(
    join(config.stateDir, "keys"),
    systemRandom,
    seedCredentials(environment["CREDENTIALS_DIRECTORY"]),
  );
  const keys = ownKeys(engine, keyFiles, store.credential() !== undefined);
  const epoch = store.nextEpoch(systemClock.now().wallMs);
  const { meter } = prom;
  const audit = openAudit({ config, engine, keys, meter, store, epoch, build });
  const access = new Access(
    { clock: systemClock, meter, logger, audit },
    config,
    store.credential()?.trustDomain,
  );
  const tracer = await tracerFor(
    config.telemetry.tracing,
    { random: systemRandom, meter, logger, resource: () => resourceOf(build, keys, store) },
    build.version,
  );
  const memory = new HealingMemory(config.stateDir, systemClock.now().wallMs);
  const process = startProcessMeter(prom, { version: build.version });
  const heap = keepHeapSized();
  const lifecycle: Lifecycle = new Lifecycle(
    {
      engine,
      random: systemRandom,
      clock: systemClock,
      logger,
      meter,
      tracer,
      store,
      keyFiles,
      keys,
      audit,
      access,
      onNotice: (nodeId, body) => healing().heard(nodeId, body),
      foreign: (trustDomain) => federation.documentOf(trustDomain),
    },
    {
      ...{ config, epoch, version: build.version },
      source:
        config.identity.source === "workload-api"
          ? endpointOf(config.identity, environment)
          : undefined,
    },
  );
  const federation = new Federation(
    {
      ...{ store, clock: systemClock, meter, logger, audit },
      trustDomain: () => store.credential()?.trustDomain,
      bundle: () => lifecycle.member && servedBundle(lifecycle.member.bundle),
      endpointSvid: new EndpointSvid({
        ...{ clock: systemClock, random: systemRandom },
        issue: (publicKey) => lifecycle.member?.trust.issuing?.endpointSvid(publicKey),
        vouchesFor(leaf) {
          const bundle = lifecycle.member?.bundle;
          return bundle === undefined || isSoundRoot(bundle, signerOf([leaf], "es256") ?? "");
        },
      }),
    },
    config.federation,
  );
  const configView = new ConfigView(source);
  const logLevel = new LogLevelSwitch(logger, level);
  const supervision = new Supervision(
    { lifecycle, clock: systemClock, logger, meter: prom.meter },
    environment,
  );
  const daemon = new Daemon({
    config,
    build,
    logger,
    logLevel,
    prom,
    process,
    heap,
    tracer,
    store,
    lifecycle,
    supervision,
    keys,
    engine,
    engines,
    epoch,
    keyFiles,
    audit,
    access,
    federation,
    recentLines,
    configView,
    memory,
  });
  const healing = (): HealingLoop => daemon.healing;
  return daemon;
}

/** Whose spans they are; the SPIFFE id is known from the enrolment on. */
function resourceOf({ version }: Build, { nodeId }: NodeKeys, store: StateStore): SpanAttributes {
  const credential = store.credential();
  return {
    "service.name": "meshd",
    "service.version": version,
    "service.instance.id": nodeId,
    ...(credential && {
      "meshd.spiffe_id": nodeSpiffeId(credential.trustDomain, credential.name),
    }),
  };
}

/** The audit log, with this start as its newest entry. @throws MeshError `audit/write-failed` */
function openAudit({
  config,
  engine,
  keys,
  meter,
  store,
  epoch,
  build,
}: Pick<Parts, "config" | "engine" | "keys" | "store" | "epoch" | "build"> & {
  readonly meter: Meter;
}): AuditLog {
  const audit = new AuditLog(
    { engine, keys, clock: systemClock, meter },
    { directory: auditDirectory(config.stateDir), bytesMax: config.audit.bytesMax },
  );
  const restoredAtMs = store.untoldRestoreAtMs();
  if (restoredAtMs !== undefined) {
    audit.record({ event: "backup.restore", subject: keys.nodeId, fields: { restoredAtMs } });
    store.restoreTold();
  }
  const fields = { epoch, version: build.version };
  audit.record({ event: "daemon.start", subject: keys.nodeId, fields });
  return audit;
}

function testedEngines(config: Config, { meter }: PromMeter, logger: Logger): EngineSwitch {
  return new EngineSwitch({
    choice: config.crypto.engine,
    candidates: [
      { name: "wasm", create: () => createWasmEngine({ random: systemRandom, meter }) },
      { name: "native", create: () => createNativeEngine({ meter }) },
      { name: "noble", create: () => createNobleEngine(systemRandom) },
    ],
    dress: (engine) => countedEngine(engine, meter),
    test: (engine) => selfTest(engine, meter),
    changed: (engine, before) => {
      if (engine !== before) meter.set("meshd_crypto_engine_info", 0, { engine: before });
      logger.warn({ engine, before }, "the crypto engine was replaced");
    },
  });
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
  readonly logLevel: LogLevelSwitch;
  readonly prom: PromMeter;
  readonly process: ProcessMeter;
  readonly heap: HeapKeeper;
  readonly tracer: RunningTracer;
  readonly store: StateStore;
  readonly lifecycle: Lifecycle;
  readonly supervision: Supervision;
  readonly keys: NodeKeys;
  readonly engine: CryptoEngine;
  readonly engines: EngineSwitch;
  readonly epoch: number;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditLog;
  readonly access: Access;
  readonly federation: Federation;
  readonly recentLines: RecentLines;
  readonly configView: ConfigView;
  readonly memory: HealingMemory;
}

class Daemon implements MeshNode {
  readonly #parts: Parts;
  readonly #servers: RunningServer[] = [];
  #controlSocket: SocketPart | undefined;
  readonly #surface: ControlSurface;
  readonly healing: HealingLoop;
  #config: Config;
  #stopping: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#config = parts.config;
    const { build, keys } = parts;
    const version = build.version;
    this.#surface = new ControlSurface(
      {
        ...parts,
        version,
        operations: new Operations({ ...parts, version, nodeId: keys.nodeId }),
        healing: () => this.healing,
        sockets: () => this.#sockets,
      },
      () => this.#metricsAddress,
      () => this.reload(() => this.#readAgain()),
    );
    this.healing = this.#makeHealing();
  }

  /** What can be called from this host, and started anew by healing. */
  get #sockets(): Partial<Record<SocketName, SocketPart | undefined>> {
    return {
      control: this.#controlSocket,
      "workload-api": this.#parts.lifecycle.member?.workloads?.socket,
    };
  }

  #makeHealing(): HealingLoop {
    const { config, prom, lifecycle, engines, store, keys, logger, audit, federation, memory } =
      this.#parts;
    const member = (): Lifecycle["member"] => lifecycle.member;
    const sensors = new NodeSensors({
      ...{ clock: systemClock, prom, stateDir: config.stateDir, member },
      connectionsTarget: config.mesh.connectionsTarget,
      engines,
      raised: () => this.#surface.raised(),
    });
    return new HealingLoop(
      {
        ...{ self: keys.nodeId, clock: systemClock, logger, meter: prom.meter, audit, sensors },
        actuators: new NodeActuators({
          ...{ member, store, federation, engines },
          sockets: () => this.#sockets,
        }),
        knowledge: memory.knowledge,
        remembered: () => memory.raised(),
        closed: (incident) => member()?.notices.closed(incident),
        freezer: store,
        claim: async (leftMs) => member()?.notices.claim(leftMs),
      },
      config.healing,
    );
  }

  async start(): Promise<void> {
    const { config, logger, prom, tracer, lifecycle, build, engine, epoch } = this.#parts;
    const surface = this.#surface;
    meterConfig(prom.meter, systemClock.now().wallMs, 0);
    prom.beforeText(() =>
      meterNode(prom.meter, {
        state: lifecycle.state,
        health: surface.health(),
        stateDir: config.stateDir,
      }),
    );
    await this.#startMetrics(surface);
    const unexpected = (error: unknown): void =>
      logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "control request failed",
      );
    const permits = (right: ControlRight): boolean => this.#parts.access.allows(LOCAL, right);
    const app = createControlApp(surface, { onUnexpectedError: unexpected, tracer, permits });
    const socketPath = config.control.socket;
    this.#controlSocket = new SocketPart(socketPath, () => startControlServer({ app, socketPath }));
    await this.#controlSocket.start();
    await lifecycle.start();
    await this.#parts.federation.start();
    this.healing.start();
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
    this.#parts.supervision.ready();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  reload(read: () => LoadedConfig): void {
    const { supervision, prom, audit } = this.#parts;
    supervision.reloading(() => {
      try {
        this.#take(read());
      } catch (error) {
        prom.meter.set("meshd_node_config_reload_successful", 0);
        audit.note({ event: "policy.reject", fields: { code: errorCode(error) } });
        throw error;
      }
    });
  }

  #readAgain(): LoadedConfig {
    const { file } = this.#parts.configView;
    const source = { file, text: readFileSync(file, "utf8") };
    return { config: parseConfig(source.text, file), source };
  }

  #take({ config, source }: LoadedConfig): void {
    const { logger, prom, logLevel, lifecycle, audit, access, config: atStart } = this.#parts;
    const { reload } = configDifference(this.#config, config);
    // Against the start: a key stays pending until the restart, however often the file is read meanwhile.
    const { restart } = configDifference(atStart, config);
    // Noted, not recorded: a full disk must not keep rights in force that were taken away.
    if (reload.includes("policy") || reload.includes("roles"))
      audit.note({ event: "policy.reload", fields: { rules: config.policy.length } });
    access.reload(config);
    lifecycle.reload(config);
    this.healing.reload(config.healing);
    logLevel.configure(config.telemetry.log.level);
    this.#config = config;
    this.#parts.configView.reloaded(source);
    if (restart.length > 0)
      logger.warn(
        { code: "config/restart-needed", keys: restart },
        "changed keys take effect at the next start",
      );
    meterConfig(prom.meter, systemClock.now().wallMs, restart.length);
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
    const { lifecycle, process, heap, tracer, store, keys, logger, supervision, audit } =
      this.#parts;
    supervision.stopping();
    this.healing.stop();
    await this.#parts.federation.stop();
    await lifecycle.stop();
    await this.#controlSocket?.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
    await tracer.stop();
    process.stop();
    heap.stop();
    audit.close();
    keys.destroy();
    this.#parts.memory.close();
    store.close();
    logger.info({}, "meshd stopped");
  }
}
