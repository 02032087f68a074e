// meshctl fl push: gives the daemon a model that a task can start from.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, MeshError } from "../../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../../answer.ts";
import type { RegisterCommand } from "../../cli.ts";
import { plainText } from "../../table.ts";

export const registerPush: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("push")
    .description("give the daemon a model that a task can start from (initialWeights)")
    .argument("<file>", "safetensors of finite F32 tensors");
  command.action(async (name: string) => {
    const pushed = await clientOf(cli, command).flPush(read(resolve(name)));
    if (isJson(command)) return cli.out(jsonText(pushed));
    const { digest, parameters, tensors } = pushed;
    cli.out(
      `The daemon has ${plainText(name, 4096)}: ${tensors} tensors, ${parameters} parameters.\n` +
        `Start from it with this line in task.yaml:\n\ninitialWeights: ${digest}\n`,
    );
  });
};

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new MeshError(
      "cli/cannot-read",
      `Cannot read '${file}': ${errorMessage(cause)}. Name a safetensors file.`,
      { file },
      { cause },
    );
  }
}
