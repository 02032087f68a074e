// The daemon towards its service manager (sd_notify(3)): ready, reloading, stopping, a line of status, and a watchdog
// that is fed only while the daemon does its work. Without NOTIFY_SOCKET all of it does nothing.

import { NotifySocket } from "../adapters/systemd/notify-socket.ts";
import { Watchdog, watchdogTimeoutMs } from "../adapters/systemd/watchdog.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import type { Clock, Logger, Meter } from "../ports/index.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** What the service manager set for this process; `process.env` or nothing. */
export type ManagerEnvironment = Readonly<Record<string, string | undefined>>;

export interface SupervisionDeps {
  readonly lifecycle: Pick<Lifecycle, "state" | "problem" | "member">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
}

export class Supervision {
  readonly #deps: SupervisionDeps;
  readonly #send: NotifySocket["send"] | undefined;
  readonly #timeoutMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status = "";
  #failing = false;

  constructor(deps: SupervisionDeps, environment: ManagerEnvironment) {
    this.#deps = deps;
    this.#timeoutMs = watchdogTimeoutMs(environment, process.pid);
    this.#send = this.#open(environment["NOTIFY_SOCKET"]);
  }

  /** The control socket answers, and the node is in its mesh or waits to be enrolled. */
  ready(): void {
    if (this.#send === undefined) return;
    this.#status = statusText(this.#deps.lifecycle);
    this.#notify("READY=1", `STATUS=${this.#status}`);
    const watchdog = new Watchdog(this.#timeoutMs, this.#nowMs());
    this.#timer = setInterval(() => this.#beat(watchdog), watchdog.beatMs);
  }

  /** Tells of a reload before and after it; what the work throws goes on to the caller. */
  reloading(work: () => void): void {
    // systemd compares this with its own clock, to tell the answer to this reload from one to an earlier.
    const microseconds = process.hrtime.bigint() / 1_000n;
    this.#notify("RELOADING=1", `MONOTONIC_USEC=${microseconds}`);
    let refused = "";
    try {
      work();
    } catch (error) {
      refused = `, new configuration refused [${errorCode(error)}]`;
      throw error;
    } finally {
      this.#notify("READY=1", `STATUS=${statusText(this.#deps.lifecycle)}${refused}`);
    }
  }

  /** The daemon leaves; the watchdog is fed no more, and the manager's stop timeout takes over. */
  stopping(): void {
    clearInterval(this.#timer);
    this.#notify("STOPPING=1", "STATUS=leaving the mesh");
  }

  #beat(watchdog: Watchdog): void {
    const { lifecycle, meter, logger } = this.#deps;
    const status = statusText(lifecycle);
    if (status !== this.#status) this.#notify(`STATUS=${status}`);
    this.#status = status;
    if (this.#timeoutMs === undefined) return;
    const decision = watchdog.beat(this.#nowMs(), lifecycle.member?.timersHandled());
    if (decision === "feed") return this.#notify("WATCHDOG=1");
    meter.count("meshd_process_watchdog_withheld_total", { reason: decision });
    logger.warn({ reason: decision }, "watchdog not fed");
  }

  #open(address: string | undefined): NotifySocket["send"] | undefined {
    if (address === undefined || address === "") return undefined;
    try {
      const socket = new NotifySocket(address);
      return (assignments) => socket.send(assignments);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #notify(...assignments: readonly string[]): void {
    try {
      this.#send?.(assignments);
      this.#failing = false;
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Counted each time and logged once, until a message goes through again. */
  #failed(error: unknown): void {
    this.#deps.meter.count("meshd_process_notify_failures_total");
    if (this.#failing) return;
    this.#failing = true;
    this.#deps.logger.error(
      { code: errorCode(error), error: errorMessage(error) },
      "service manager not told",
    );
  }

  #nowMs(): number {
    return this.#deps.clock.now().monoMs;
  }
}

/** The line that `systemctl status` shows. */
function statusText({ state, problem, member }: SupervisionDeps["lifecycle"]): string {
  if (state === "unenrolled") {
    return problem === undefined
      ? "waiting for enrolment: meshctl init or meshctl join"
      : `waiting for enrolment, the stored credential cannot be used [${problem.code}]`;
  }
  if (state !== "running" || member === undefined) return `${state} the mesh part`;
  const peers = member.network.connectedPeers().length;
  const { name, trustDomain } = member.svid.identity;
  return `${name} in ${trustDomain}, ${peers} ${peers === 1 ? "peer" : "peers"} connected`;
}
