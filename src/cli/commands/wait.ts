// meshctl wait: returns when the daemon is as far as asked, also when it has yet to start. For scripts and units.

import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import type { ControlClient, Status } from "../../control/index.ts";
import { isMeshError, MeshError } from "../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../answer.ts";
import { durationSeconds } from "../arguments.ts";
import type { RegisterCommand } from "../cli.ts";

/** Asked often enough for a script, seldom enough to cost a starting daemon nothing. */
const POLL_MS = 250;
const TIMEOUT_SECONDS_MAX = 86_400;

/** What is waited for. */
export interface Goal {
  readonly text: string;
  readonly reached: (status: Status) => boolean;
  /** What a status lacks, for who gives up. */
  readonly lack: (status: Status) => string;
}

/** `live`, `ready`, `peers=N` or `round=N`; a usage error for anything else. */
export function parseGoal(text: string): Goal {
  const [, kind, number] = /^(live|ready|peers|round)(?:=(\d{1,6}))?$/.exec(text) ?? [];
  const wanted = Number(number);
  if (kind === "live" && number === undefined) return { text, reached: () => true, lack: () => "" };
  if (kind === "ready" && number === undefined)
    return { text, reached: (status) => unready(status) === "", lack: unready };
  if (kind === "peers" && wanted >= 1) {
    return {
      text,
      reached: (status) => connectedOf(status) >= wanted,
      lack: (status) => `${connectedOf(status)} of ${wanted} peers are connected`,
    };
  }
  if (kind === "round" && wanted >= 1) {
    return {
      text,
      reached: ({ learning }) => (learning?.round ?? 0) >= wanted,
      lack: ({ learning }) =>
        learning === null
          ? "no task was started"
          : `the task is ${learning.state} at round ${learning.round}`,
    };
  }
  throw new InvalidArgumentError("It must be live, ready, peers=N or round=N with N from 1 on.");
}

const connectedOf = ({ peers }: Status): number =>
  peers.filter(({ connected }) => connected).length;

/** As /ready says it: in the mesh, and no health code is an error. */
function unready({ node, health }: Status): string {
  if (node.state !== "running" && node.state !== "degraded") return `the node is ${node.state}`;
  return health
    .filter(({ severity }) => severity === "error")
    .map(({ code }) => code)
    .join(", ");
}

interface WaitOptions {
  readonly for: Goal;
  readonly timeout: number;
}

/** Adds `wait`. */
export const waitCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("wait")
    .description("wait until the daemon is live, ready, has peers or has finished a training round")
    .requiredOption("--for <goal>", "live, ready, peers=N or round=N", parseGoal)
    .option("--timeout <duration>", "when to give up", durationSeconds(TIMEOUT_SECONDS_MAX), 60);
  command.action(async ({ for: goal, timeout }: WaitOptions) => {
    const startedMs = performance.now();
    await waitFor(clientOf(cli, command), goal, timeout * 1_000);
    const waitedMs = Math.round(performance.now() - startedMs);
    if (isJson(command)) cli.out(jsonText({ schemaVersion: 1, reached: goal.text, waitedMs }));
  });
};

/** @throws MeshError `cli/wait-timeout` with what was missing at the end, and what does not pass by waiting */
export async function waitFor(client: ControlClient, goal: Goal, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const lack = await look(client, goal);
    if (lack === undefined) return;
    const leftMs = endMs - performance.now();
    if (leftMs <= 0) {
      throw new MeshError(
        "cli/wait-timeout",
        `Waited ${timeoutMs / 1_000} s for ${goal.text}, but ${lack}. See meshctl doctor, or wait longer with --timeout.`,
        { goal: goal.text },
      );
    }
    await sleep(Math.min(POLL_MS, leftMs));
  }
}

/** What is missing; `undefined` when the goal is reached. A daemon that does not answer yet is waited for. */
async function look(client: ControlClient, goal: Goal): Promise<string | undefined> {
  try {
    const status = await client.status();
    return goal.reached(status) ? undefined : goal.lack(status);
  } catch (error) {
    if (isMeshError(error, "control/timeout")) return "the daemon does not answer";
    if (isMeshError(error, "control/unreachable") && !isForbidden(error))
      return "the daemon does not run";
    throw error;
  }
}

/** A closed socket does not open by waiting. */
function isForbidden(error: MeshError): boolean {
  return error.details["reason"] === "EACCES" || error.details["reason"] === "EPERM";
}
