// `meshctl doctor`: gathers the facts and runs every check on them, within a running daemon or without one.

import {
  bindProblem,
  clockSynchronised,
  freeBytes,
  openFilesMax,
  seenFile,
  stateFiles,
  writeProblem,
} from "../../adapters/host-facts.ts";
import { type Config, parseConfig } from "../../config/index.ts";
import type { Body, Doctor, DoctorCheck, Status } from "../../control/index.ts";
import { errorMessage } from "../../foundation/index.ts";
import {
  checkBind,
  checkClock,
  checkConfig,
  checkDisk,
  checkEngine,
  checkListen,
  checkMetrics,
  checkNat,
  checkNode,
  checkOpenFiles,
  checkPeers,
  checkPermissions,
  checkSocket,
  checkState,
  checkSvid,
} from "./checks.ts";
import type { BindFacts, HostFacts } from "./facts.ts";

/** What a running daemon hands in. */
export interface DaemonView {
  readonly config: Config;
  readonly configFile: string;
  /** What the file of now would change. */
  readonly restartPending: readonly string[];
  /** Why the file of now cannot be used. */
  readonly configProblem: string | undefined;
  readonly status: Body<Status>;
  readonly observedIps: readonly string[];
}

/** The checks of a running daemon. */
export async function doctorOfDaemon(view: DaemonView, nowMs: number): Promise<Body<Doctor>> {
  const { config, configFile, configProblem, restartPending, status, observedIps } = view;
  const host = await hostFacts(config, {
    file: configFile,
    problem: configProblem,
    restartPending,
  });
  const daemon = {
    status,
    openFilesMax: openFilesMax(),
    connectionsTarget: config.mesh.connectionsTarget,
    metricsWanted: config.telemetry.metrics.listen !== "off",
    observedIps,
  };
  return {
    scope: "daemon",
    checks: [
      checkNode(daemon),
      checkSvid(daemon, nowMs),
      checkPeers(daemon),
      checkListen(daemon),
      checkNat(daemon),
      ...hostChecks(host),
      checkMetrics(daemon),
      checkEngine(daemon),
      checkOpenFiles(daemon),
    ],
  };
}

/** The checks that need no daemon, for a host where none answers. */
export async function doctorOfHost(file: string, text: string): Promise<Body<Doctor>> {
  const { config, problem } = parsed(text, file);
  const host = await hostFacts(config, { file, problem, restartPending: [] });
  return { scope: "host", checks: [...hostChecks(host), checkBind(await bindFacts(config))] };
}

function hostChecks(host: HostFacts): DoctorCheck[] {
  return [
    checkConfig(host),
    checkState(host.state),
    checkDisk(host.state),
    checkPermissions(host.state),
    checkSocket(host),
    checkClock(host),
  ];
}

/** A file that cannot be used leaves the defaults to look at. */
function parsed(text: string, file: string): { config: Config; problem: string | undefined } {
  try {
    return { config: parseConfig(text, file), problem: undefined };
  } catch (error) {
    return { config: parseConfig("", file), problem: errorMessage(error) };
  }
}

async function hostFacts(config: Config, file: HostFacts["config"]): Promise<HostFacts> {
  const directory = config.stateDir;
  return {
    config: file,
    state: {
      directory,
      problem: writeProblem(directory),
      freeBytes: freeBytes(directory),
      files: stateFiles(directory),
    },
    socket: seenFile(config.control.socket),
    clockSynchronised: await clockSynchronised(),
  };
}

/** TCP addresses with a fixed port; 0 always finds a free one. */
async function bindFacts({ mesh, telemetry }: Config): Promise<BindFacts[]> {
  const wanted = mesh.listen.flatMap((address) => {
    const match = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)/.exec(address);
    return match === null ? [] : [{ address, host: match[1] ?? "", port: Number(match[2]) }];
  });
  const { listen } = telemetry.metrics;
  if (listen !== "off") wanted.push({ address: `${listen.host}:${listen.port}`, ...listen });
  return Promise.all(
    wanted.map(async ({ address, host, port }) => ({
      address,
      problem: await bindProblem(host, port),
    })),
  );
}
