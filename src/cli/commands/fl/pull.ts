// meshctl fl pull: the model after the last round, as a safetensors file.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { errorMessage, MeshError } from "../../../foundation/index.ts";
import { clientOf, isJson, jsonText } from "../../answer.ts";
import type { RegisterCommand } from "../../cli.ts";
import { plainText } from "../../table.ts";

export const registerPull: RegisterCommand = (fl, cli) => {
  const command = fl
    .command("pull")
    .description("save the model after the last round, as safetensors")
    .argument("<file>", "the file to write; it must not exist");
  command.action(async (name: string) => {
    const file = resolve(name);
    const model = await clientOf(cli, command).flModel();
    try {
      writeFileSync(file, model, { flag: "wx" });
    } catch (cause) {
      throw new MeshError(
        "cli/cannot-write",
        `Cannot write '${file}': ${errorMessage(cause)}. Choose another name.`,
        { file },
        { cause },
      );
    }
    if (isJson(command)) cli.out(jsonText({ schemaVersion: 1, file, bytes: model.length }));
    else cli.out(`Saved the model in ${plainText(file, 4096)} (${model.length} bytes).\n`);
  });
};
