// meshctl init: makes a new trust domain with this node as its first member and issuer.

import { hostname } from "node:os";
import { Option } from "commander";
import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { plainText } from "../table.ts";

interface InitOptions {
  readonly trustDomain: string;
  readonly name: string;
}

/** Adds `init`. */
export const initCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("init")
    .description("found a new trust domain with this node as its first member")
    .requiredOption("--trust-domain <domain>", "the trust domain's name, such as mesh.example.org")
    .addOption(
      new Option("--name <name>", "this node's name").default(
        hostname().split(".")[0],
        "the host's name",
      ),
    );
  command.action(({ trustDomain, name }: InitOptions) =>
    answer(cli, command, {
      call: (client) => client.init({ trustDomain, name }),
      draw: ({ spiffeId }) =>
        `Founded trust domain ${plainText(trustDomain, 255)}; this node is ${plainText(spiffeId, 2048)}.\n` +
        "Let other hosts in with: meshctl token create\n",
    }),
  );
};
