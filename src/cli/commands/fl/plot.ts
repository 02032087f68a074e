// meshctl fl plot: convergence curves of this node's task, or of runs in files, as an SVG picture.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, MeshError } from "../../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../../answer.ts";
import type { RegisterCommand } from "../../cli.ts";
import { type Curve, CURVES_MAX, drawCurves } from "../../fl/curves.ts";
import { readCurve } from "../../fl/run-file.ts";
import { plainText } from "../../table.ts";

interface PlotFlags {
  readonly output: string;
  readonly title: string;
}

export const registerPlot: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("plot")
    .description("draw loss and accuracy over the rounds as SVG")
    .argument(
      "[file...]",
      "what fl simulate --json or fl status --json printed (default: the task)",
    )
    .option("--output <file>", "the picture; it is overwritten", "curves.svg")
    .option("--title <text>", "what stands above it", "Convergence");
  command.action(async (files: readonly string[], { output, title }: PlotFlags) => {
    if (files.length > CURVES_MAX)
      command.error(`error: at most ${CURVES_MAX} runs fit in one picture`);
    const curves = files.length > 0 ? files.map(readCurve) : [await ownCurve()];
    const file = resolve(output);
    try {
      writeFileSync(file, drawCurves(title, curves));
    } catch (cause) {
      throw new MeshError(
        "cli/cannot-write",
        `Cannot write '${file}': ${errorMessage(cause)}. Choose another name.`,
        { file },
        { cause },
      );
    }
    if (isJson(command)) cli.out(jsonText({ schemaVersion: 1, file, runs: curves.length }));
    else
      cli.out(
        `Drew ${curves.length === 1 ? "one run" : `${curves.length} runs`} in ${plainText(file, 4096)}.\n`,
      );
  });

  async function ownCurve(): Promise<Curve> {
    const { learning } = await clientOf(cli, command).flStatus();
    if (learning === null || learning.history.length === 0) {
      throw new MeshError(
        "control/no-round",
        "This node has no finished round to draw. Start a task with meshctl fl run, or name files.",
      );
    }
    return { label: `${learning.name}: ${learning.aggregator}`, points: learning.history };
  }
};
