// meshctl token: create makes a one-time token that lets one host join; anchor prints what hosts need that join without one.

import { controlLimits, type TokenRequest } from "../../control/index.ts";
import { answer } from "../answer.ts";
import { durationSeconds } from "../arguments.ts";
import type { RegisterCommand } from "../cli.ts";
import { relativeText, timeText } from "../format.ts";

interface TokenOptions {
  readonly ttl: number;
  readonly name?: string;
}

/** Adds `token` with its verbs. */
export const tokenCommand: RegisterCommand = (parent, cli) => {
  const token = parent.command("token").description("what lets hosts join");
  const anchor = token
    .command("anchor")
    .description("print the anchor for hosts that join by evidence of their own; it is no secret");
  anchor.action(() =>
    answer(cli, anchor, {
      call: (client) => client.anchor(),
      draw: ({ anchor: text }) => `${text}\n`,
    }),
  );
  const command = token
    .command("create")
    .description("print a one-time join token; it is a secret until it is used or expires")
    .option(
      "--ttl <duration>",
      "how long it is valid, such as 1h",
      durationSeconds(controlLimits.tokenTtlSecondsMax),
      3_600,
    )
    .option("--name <name>", "the name that the joining node must take");
  command.action(({ ttl, name }: TokenOptions) => {
    const request: TokenRequest =
      name === undefined ? { ttlSeconds: ttl } : { ttlSeconds: ttl, name };
    return answer(cli, command, {
      call: (client) => client.createToken(request),
      // The token alone on standard output, so that it can be piped; the rest is for people.
      draw: ({ token, expiresAt }, screen) => {
        cli.err(
          `Valid until ${timeText(expiresAt)} (${relativeText(expiresAt, screen.nowMs())}), for one use:\n`,
        );
        return `${token}\n`;
      },
    });
  });
};
