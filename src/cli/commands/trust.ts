// meshctl trust: authority (trust-authority.ts), and federate bundle | add | list | refresh | remove: the other trust domains whose bundles this
// node keeps.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { Federation } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { relativeText, spanText } from "../format.ts";
import { cell, plainText, renderTable } from "../table.ts";
import { authorityCommands } from "./trust-authority.ts";

/** Adds `trust` with its verbs. */
export const trustCommand: RegisterCommand = (parent, cli) => {
  const trust = parent.command("trust").description("whom this trust domain trusts");
  authorityCommands(trust, cli);
  federateCommand(trust, cli);
};

function federateCommand(parent: Command, cli: Cli): void {
  const command = parent
    .command("federate")
    .description("other trust domains, whose bundles are fetched and kept apart from ours");
  const list = command.command("list").description("list them, and where our bundle is served");
  list.action(() => answer(cli, list, { call: (client) => client.federation(), draw }));
  const add = command
    .command("add")
    .description("fetch a trust domain's bundle now and from now on")
    .argument("<trust-domain>", "its name, without spiffe://")
    .argument("<url>", "its bundle endpoint")
    .option("--ca <file>", "trust these PEM authorities for it instead of the host's")
    .option(
      "--spiffe-id <id>",
      "the endpoint's SPIFFE id: the profile https_spiffe; needs --bundle",
    )
    .option("--bundle <file>", "the first bundle of the endpoint's trust domain, in SPIFFE's JSON");
  add.action((trustDomain: string, url: string, options: FederateOptions) => {
    const { ca, spiffeId, bundle } = options;
    if ((spiffeId === undefined) !== (bundle === undefined))
      add.error("error: --spiffe-id and --bundle belong together");
    const request = {
      ...{ trustDomain, url },
      ...(ca !== undefined && { caFile: resolve(ca) }),
      ...(spiffeId !== undefined &&
        bundle !== undefined && { endpoint: { spiffeId, bundleFile: resolve(bundle) } }),
    };
    return answer(cli, add, { call: (client) => client.federate(request), draw });
  });
  const bundle = command
    .command("bundle")
    .description("print our own bundle, for operators who federate with us by https_spiffe")
    .option("--map", "as a bundle map, with the bundles of all that we federate with");
  bundle.action(({ map }: { readonly map?: boolean }) =>
    answer(cli, bundle, {
      call: (client) => (map === true ? client.bundleMap() : client.ownBundle()),
      draw: (own) => `${own.bundle}\n`,
    }),
  );
  const refresh = command
    .command("refresh")
    .description("fetch a trust domain's bundle now")
    .argument("<trust-domain>");
  refresh.action((trustDomain: string) =>
    answer(cli, refresh, { call: (client) => client.refreshFederation({ trustDomain }), draw }),
  );
  const remove = command
    .command("remove")
    .description("forget a trust domain and its bundle")
    .argument("<trust-domain>");
  remove.action((trustDomain: string) =>
    answer(cli, remove, { call: (client) => client.unfederate({ trustDomain }), draw }),
  );
}

interface FederateOptions {
  readonly ca?: string;
  readonly spiffeId?: string;
  readonly bundle?: string;
}

function draw({ endpoint, federations }: Federation, screen: Screen): string {
  const served =
    endpoint === null ? "Our bundle is not served.\n" : `Our bundle is served on ${endpoint}.\n`;
  if (federations.length === 0) return `${served}No other trust domain is federated.\n`;
  const table = renderTable(
    [
      { head: "TRUST DOMAIN", widthMax: 40 },
      { head: "BUNDLE", align: "right" },
      { head: "KEYS", widthMax: 40 },
      { head: "FETCHED" },
      { head: "EVERY" },
      { head: "PROFILE" },
      { head: "ENDPOINT", widthMax: 60 },
    ],
    federations.map((one) => [
      cell(one.trustDomain, one.error === null ? "plain" : "warn"),
      cell(String(one.sequence)),
      cell(keysText(one.keys)),
      cell(relativeText(one.fetchedAt, screen.nowMs())),
      cell(spanText(one.refreshSeconds * 1_000)),
      cell(one.profile),
      cell(one.url),
    ]),
    screen,
  );
  const errors = federations.flatMap(({ trustDomain, error }) =>
    error === null ? [] : [`${trustDomain}: ${plainText(error.message, 400)} [${error.code}]\n`],
  );
  return served + table + errors.join("");
}

function keysText(keys: Readonly<Record<string, number>>): string {
  const parts = Object.entries(keys).map(([use, count]) => `${count} ${use}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}
