// meshctl status: the node on one screen; exit status 4 when something is wrong. With --check it is a probe
// for orchestrators: one line, and the exit status answers one question.

import { Option } from "commander";
import { type ExitStatus, exitStatus, type Status } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { drawStatus } from "../status-screen.ts";

type Probe = "live" | "ready";

/** Adds `status`. */
export const statusCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("status")
    .description("show this node, its peers, its training task and its health on one screen");
  command.addOption(
    new Option(
      "--check <probe>",
      "print one line and exit with 0 or 4: live, the daemon does its work; ready, it is in its mesh without an error",
    ).choices(["live", "ready"] satisfies Probe[]),
  );
  command.action(({ check }: { readonly check?: Probe }) =>
    answer(cli, command, {
      call: (client) => client.status(),
      draw: check === undefined ? drawStatus : (status) => drawProbe(check, status),
      exit: check === undefined ? statusExit : (status) => probeExit(check, status),
    }),
  );
};

/** What keeps a node from being live or ready; empty when it is. The same as /live and /ready say over HTTP. */
function obstacles(probe: Probe, { node, health }: Status): readonly string[] {
  const errors = health.filter(({ severity }) => severity === "error").map(({ code }) => code);
  if (probe === "live") return errors.filter((code) => code === "node/stalled");
  const isMember = node.state === "running" || node.state === "degraded";
  return isMember ? errors : [`node/${node.state}`, ...errors];
}

function drawProbe(probe: Probe, status: Status): string {
  const reasons = obstacles(probe, status);
  return reasons.length === 0 ? `${probe}\n` : `not ${probe}: ${reasons.join(", ")}\n`;
}

function probeExit(probe: Probe, status: Status): ExitStatus {
  return obstacles(probe, status).length === 0 ? exitStatus.ok : exitStatus.degraded;
}

/** Degraded: the state says so, the node is not enrolled, or a health code is a warning or an error. */
function statusExit({ node, health }: Status): ExitStatus {
  const sick =
    node.state === "degraded" ||
    node.state === "unenrolled" ||
    health.some(({ severity }) => severity !== "info");
  return sick ? exitStatus.degraded : exitStatus.ok;
}
