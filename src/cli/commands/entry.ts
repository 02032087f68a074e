// meshctl entry create | list | show | delete: which programs on which hosts get which SPIFFE id.

import { type Entries, type EntryCreateRequest, exitStatus } from "../../control/index.ts";
import type { Command } from "commander";
import { answer } from "../answer.ts";
import { durationSeconds } from "../arguments.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { relativeText, timeText } from "../format.ts";
import { cell, plainText, renderTable } from "../table.ts";

type Entry = Entries["entries"][number];

interface CreateOptions {
  readonly parent: string;
  readonly selector: string[];
  readonly profile?: "es256" | "ml-dsa-65" | "both";
  readonly ttl?: number;
  readonly jwtTtl?: number;
  readonly dns?: string[];
  readonly federatesWith?: string[];
  readonly hint?: string;
}

const TTL_S_MAX = 7 * 86_400;
const several = (value: string, before: string[] = []): string[] => [...before, value];

/** Adds `entry` with its verbs. */
export const entryCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("entry")
    .description("registration entries: which programs get which SPIFFE id; on an issuer");
  addCreate(command, cli);
  const list = command.command("list").description("list the entries, the oldest first");
  list.action(() => answer(cli, list, { call: (client) => client.entries(), draw: drawList }));
  const show = command
    .command("show")
    .description("show an entry with all its fields and when an SVID was last issued for it")
    .argument("<id>", "the entry's id, or its beginning");
  show.action((id: string) =>
    answer(cli, show, {
      call: async (client) => {
        const { schemaVersion, entries } = await client.entries();
        return { schemaVersion, entries: entries.filter((entry) => entry.id.startsWith(id)) };
      },
      draw: ({ entries }, screen) =>
        entries.length === 0
          ? "No such entry: see meshctl entry list.\n"
          : draw({ entries }, screen),
      exit: ({ entries }) => (entries.length === 0 ? exitStatus.failure : exitStatus.ok),
    }),
  );
  const remove = command
    .command("delete")
    .description("delete an entry; SVIDs that were given by it stay valid until they expire")
    .argument("<id>", "the entry's whole id");
  remove.action((id: string) =>
    answer(cli, remove, {
      call: (client) => client.deleteEntry({ id }),
      draw: ({ entries }) => entries.map((entry) => `Deleted ${entry.id}.\n`).join(""),
    }),
  );
};

function addCreate(parent: Command, cli: Cli): void {
  const command = parent
    .command("create")
    .description("give a SPIFFE id to the programs that all of the selectors describe")
    .argument("<spiffe-id>", "in this trust domain, not under /node")
    .requiredOption("--parent <node>", "name of the node they run on; * for any characters")
    .requiredOption(
      "--selector <selector>",
      "unix:uid:N, unix:gid:N, unix:path:P, unix:sha256:H or systemd:unit:U; may be repeated",
      several,
    )
    .option("--profile <profile>", "es256, ml-dsa-65 or both (default: es256)")
    .option("--ttl <duration>", "life of an X.509-SVID (default: 1h)", durationSeconds(TTL_S_MAX))
    .option("--jwt-ttl <duration>", "life of a JWT-SVID (default: 5m)", durationSeconds(TTL_S_MAX))
    .option("--dns <name>", "a DNS name in the certificate; may be repeated", several)
    .option("--federates-with <domain>", "a foreign trust domain; may be repeated", several)
    .option("--hint <text>", "tells a program that has several SVIDs what this one is for");
  command.action((spiffeId: string, options: CreateOptions) =>
    answer(cli, command, {
      call: (client) => client.createEntry(requestOf(spiffeId, options)),
      draw,
    }),
  );
}

function requestOf(spiffeId: string, options: CreateOptions): EntryCreateRequest {
  const { parent, selector, profile, ttl, jwtTtl, dns, federatesWith, hint } = options;
  return {
    ...{ spiffeId, parent, selectors: selector },
    ...(profile !== undefined && { profile }),
    ...(ttl !== undefined && { x509TtlSeconds: ttl }),
    ...(jwtTtl !== undefined && { jwtTtlSeconds: jwtTtl }),
    ...(dns !== undefined && { dnsNames: dns }),
    ...(federatesWith !== undefined && { federatesWith }),
    ...(hint !== undefined && { hint }),
  };
}

function drawList({ entries }: Entries, screen: Screen): string {
  if (entries.length === 0) return "No entries: make one with meshctl entry create.\n";
  return renderTable(
    [
      { head: "ID" },
      { head: "SPIFFE ID", widthMax: 60 },
      { head: "PARENT", widthMax: 24 },
      { head: "SELECTORS", widthMax: 60 },
      { head: "LAST ISSUED" },
    ],
    entries.map((entry) => [
      cell(entry.id.slice(0, 8)),
      cell(entry.spiffeId),
      cell(entry.parent),
      cell(entry.selectors.join(" ")),
      cell(
        entry.lastIssuedAt === null ? "never" : relativeText(entry.lastIssuedAt, screen.nowMs()),
      ),
    ]),
    screen,
  );
}

function draw({ entries }: Pick<Entries, "entries">, screen: Screen): string {
  return entries.map((entry) => linesOf(entry, screen).join("\n")).join("\n\n") + "\n";
}

function linesOf(entry: Entry, screen: Screen): string[] {
  const { lastIssuedAt, dnsNames, federatesWith, hint } = entry;
  const issued =
    lastIssuedAt === null
      ? "never"
      : `${entry.issued} SVIDs, the last ${relativeText(lastIssuedAt, screen.nowMs())}`;
  return [
    plainText(entry.spiffeId, 2048),
    `  entry      ${entry.id}`,
    `  parent     ${plainText(entry.parent)}`,
    ...entry.selectors.map((selector) => `  selector   ${plainText(selector, 4096)}`),
    `  profile    ${entry.profile}`,
    `  lives      X.509 ${entry.x509TtlSeconds} s, JWT ${entry.jwtTtlSeconds} s`,
    ...dnsNames.map((name) => `  DNS name   ${plainText(name, 253)}`),
    ...federatesWith.map((name) => `  federates  ${plainText(name, 255)}`),
    ...(hint === "" ? [] : [`  hint       ${plainText(hint, 1024)}`]),
    `  created    ${timeText(entry.createdAt)}`,
    `  issued     ${issued}`,
  ];
}
