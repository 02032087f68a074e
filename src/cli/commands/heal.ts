// meshctl heal status | freeze | thaw: what the node does about its own troubles, and how to stop it.

import { exitStatus, type HealingStatus } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { plainText } from "../table.ts";

/** Adds `heal` with its verbs. */
export const healCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("heal")
    .description("the loop that mends this node: what it is at, and its brake");
  const status = command
    .command("status")
    .description("show what healing does, may still do, and is kept from");
  status.action(() =>
    answer(cli, status, {
      call: (client) => client.healing(),
      draw: drawStatus,
      exit: ({ playbookProblem }) =>
        playbookProblem === null ? exitStatus.ok : exitStatus.degraded,
    }),
  );
  const freeze = command
    .command("freeze")
    .description("let healing watch and do nothing, also after a restart, until it is thawed");
  freeze.action(() =>
    answer(cli, freeze, { call: (client) => client.freezeHealing(true), draw: drawStatus }),
  );
  const thaw = command.command("thaw").description("let healing act again");
  thaw.action(() =>
    answer(cli, thaw, { call: (client) => client.freezeHealing(false), draw: drawStatus }),
  );
};

function drawStatus(status: HealingStatus): string {
  const { running, missing, playbookProblem } = status;
  const lines = [
    ["state", stateText(status)],
    ["incidents", `${status.openIncidents} open: meshctl incidents list`],
    [
      "under way",
      running.map(({ action, target }) => plainText(`${action} ${target ?? ""}`)).join(", ") ||
        "nothing",
    ],
    ["budget", `${status.budgetLeft} more action(s) within ten minutes`],
    [
      "mesh",
      `${status.claims} other(s) under disruptive repair, ${status.claimsMax} may be at once`,
    ],
    ["playbooks", status.playbooks.map((name) => plainText(name)).join(", ")],
    ...(missing.length > 0 ? [["not measured", missing.join(", ")]] : []),
  ];
  const table = lines.map(([name = "", text = ""]) => `${name.padEnd(13)} ${text}\n`).join("");
  return playbookProblem === null ? table : `${table}\n${plainLines(playbookProblem)}\n`;
}

function stateText({ frozen, mode, halted }: HealingStatus): string {
  if (frozen) return "frozen by an operator: meshctl heal thaw";
  if (mode === "advise") return "advises only (healing.mode)";
  return halted === null ? "acts" : `acts, but does nothing disruptive: ${plainText(halted, 120)}`;
}

/** The daemon's own words of several lines. */
function plainLines(text: string): string {
  return text
    .split("\n")
    .map((line) => plainText(line, 200))
    .join("\n");
}
