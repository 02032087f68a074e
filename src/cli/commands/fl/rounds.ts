// meshctl fl rounds: every round of the task as a row.

import { controlLimits, type LearningStatus } from "../../../control/index.ts";
import { answer } from "../../answer.ts";
import { integer } from "../../arguments.ts";
import type { RegisterCommand, Screen } from "../../cli.ts";
import { msText, percentText } from "../../format.ts";
import { cell, type Column, renderTable } from "../../table.ts";

const columns: readonly Column[] = [
  { head: "ROUND", align: "right" },
  { head: "LOSS", align: "right" },
  { head: "ACCURACY", align: "right" },
  { head: "CONTRIBUTORS", align: "right" },
  { head: "TIME", align: "right" },
  { head: "OUTCOME" },
  { head: "REJECTED" },
  { head: "SILENT" },
];

export const registerRounds: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("rounds")
    .description("list the task's rounds as this node saw them")
    .option(
      "--last <count>",
      "only the last ones (default: all)",
      integer(1, controlLimits.roundsMax),
    );
  command.action(({ last }: { last?: number }) =>
    answer(cli, command, {
      call: async (client) => {
        const { schemaVersion, learning } = await client.flStatus();
        const rounds = learning?.history.slice(last === undefined ? 0 : -last) ?? [];
        return { schemaVersion, taskId: learning?.taskId ?? null, rounds };
      },
      draw: ({ taskId, rounds }, screen) => {
        if (taskId === null) return "No training task yet: meshctl fl run\n";
        return rounds.length === 0 ? "No round is finished yet.\n" : drawRounds(rounds, screen);
      },
    }),
  );
};

export function drawRounds(rounds: LearningStatus["history"], screen: Screen): string {
  const rows = rounds.map((round) => [
    cell(String(round.round)),
    cell(lossText(round.loss)),
    cell(percentText(round.accuracy)),
    cell(String(round.contributors)),
    cell(msText(round.durationMs)),
    cell(round.held ? "held" : "new model", round.held ? "warn" : "plain"),
    cell(round.rejected.join(", ") || "–", round.rejected.length > 0 ? "warn" : "dim"),
    cell(round.silent.join(", ") || "–", round.silent.length > 0 ? "warn" : "dim"),
  ]);
  return renderTable(columns, rows, screen);
}

/** A loss, or a dash. */
export function lossText(loss: number | null): string {
  return loss === null ? "–" : loss.toFixed(4);
}
