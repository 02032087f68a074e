// meshctl join: enrols this node with a one-time token, or an anchor.

import { readFileSync } from "node:fs";
import type { JoinRequest } from "../../control/index.ts";
import { answer } from "../answer.ts";
import { durationSeconds } from "../arguments.ts";
import type { RegisterCommand } from "../cli.ts";
import { joinPatiently } from "../patient-join.ts";
import { plainText } from "../table.ts";

/** A host that is set up before its issuer. */
const WAIT_SECONDS_MAX = 86_400;

interface JoinOptions {
  readonly name?: string;
  /** Seconds. */
  readonly wait?: number;
}

/** Adds `join`. */
export const joinCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("join")
    .description("enrol this node with a token from `meshctl token create`")
    .argument(
      "<token>",
      "the token, or an anchor of `meshctl token anchor` (see join in meshd.yml), or - for standard input",
    )
    .option("--name <name>", "the name to ask for")
    .option(
      "--wait <duration>",
      "keep trying while no issuer can be reached, such as 5m",
      durationSeconds(WAIT_SECONDS_MAX),
    );
  command.action((token: string, { name, wait = 0 }: JoinOptions) => {
    const secret = token === "-" ? readFileSync(0, "utf8").trim() : token;
    const request: JoinRequest = name === undefined ? { token: secret } : { token: secret, name };
    return answer(cli, command, {
      call: (client) => joinPatiently(client, request, wait * 1000),
      draw: ({ spiffeId }) => `Joined as ${plainText(spiffeId, 2048)}. See: meshctl status\n`,
    });
  });
};
