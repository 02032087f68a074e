// meshctl beacons: what the members last said about themselves, and what was refused.

import type { Beacons } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { ageText } from "../format.ts";
import { cell, paint, renderTable } from "../table.ts";

/** Adds `beacons`. */
export const beaconsCommand: RegisterCommand = (parent, cli: Cli) => {
  const command = parent
    .command("beacons")
    .description("list the last beacon of every member, and how many were accepted and refused");
  command.action(() =>
    answer(cli, command, { call: (client) => client.beacons(), draw: drawBeacons }),
  );
};

function drawBeacons({ beacons, counters }: Beacons, screen: Screen): string {
  const rows = beacons
    .toSorted((a, b) => a.name.localeCompare(b.name, "en"))
    .map((beacon) => [
      cell(beacon.name),
      cell(String(beacon.epoch)),
      cell(String(beacon.sequence)),
      cell(String(beacon.heartbeatIndex)),
      cell(ageText(beacon.ageMs)),
      cell(beacon.zone),
      cell(beacon.roles.join(", ") || "–"),
      cell(String(beacon.neighbours.length)),
      cell(beacon.addresses.join(" ") || "–"),
    ]);
  const columns = [
    { head: "MEMBER", widthMax: 24 },
    { head: "EPOCH", align: "right" },
    { head: "SEQUENCE", align: "right" },
    { head: "HEARTBEAT", align: "right" },
    { head: "AGE", align: "right" },
    { head: "ZONE", widthMax: 16 },
    { head: "ROLES", widthMax: 24 },
    { head: "LINKS", align: "right" },
    { head: "ADDRESSES" },
  ] as const;
  const title = (text: string): string => paint(text, "bold", screen.colours);
  return (
    `${title(`Beacons of ${beacons.length} members`)}\n${renderTable(columns, rows, screen)}\n` +
    `${title("Accepted")}: ${countsText(counters.accepted)}\n` +
    `${title("Refused")}: ${countsText(counters.rejected)}\n`
  );
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([what, count]) => `${count} ${what}`);
  return parts.join(", ") || "none";
}
