// meshctl join: enrols this node with a one-time token, or an anchor.

import { readFileSync } from "node:fs";
import type { JoinRequest } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { plainText } from "../table.ts";

/** Adds `join`. */
export const joinCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("join")
    .description("enrol this node with a token from `meshctl token create`")
    .argument(
      "<token>",
      "the token, or an anchor of `meshctl token anchor` (see join in meshd.yml), or - for standard input",
    )
    .option("--name <name>", "the name to ask for");
  command.action((token: string, { name }: { readonly name?: string }) => {
    const secret = token === "-" ? readFileSync(0, "utf8").trim() : token;
    const request: JoinRequest = name === undefined ? { token: secret } : { token: secret, name };
    return answer(cli, command, {
      call: (client) => client.join(request),
      draw: ({ spiffeId }) => `Joined as ${plainText(spiffeId, 2048)}. See: meshctl status\n`,
    });
  });
};
