// meshctl zones: the zones of the mesh, who stands for them, and the way there.

import type { Zones } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { Cli, RegisterCommand, Screen } from "../cli.ts";
import { ageText } from "../format.ts";
import { cell, paint, renderTable } from "../table.ts";

/** Adds `zones`. */
export const zonesCommand: RegisterCommand = (parent, cli: Cli) => {
  const command = parent
    .command("zones")
    .description("list the zones of the mesh with their gateways, links and the way to each");
  command.action(() => answer(cli, command, { call: (client) => client.zones(), draw: drawZones }));
};

function drawZones({ setting, zone: here, zones }: Zones, screen: Screen): string {
  const rows = zones.map((zone) => [
    cell(zone.own ? `${zone.zone} *` : zone.zone),
    cell(String(zone.members)),
    cell(zone.load.toFixed(2)),
    cell(zone.gateways.map(({ name }) => name).join(", ") || "–"),
    cell(zone.neighbours.map((link) => link.zone).join(", ") || "–"),
    cell(zone.own ? "here" : routeText(zone.route)),
    cell(zone.summary === null ? "–" : ageText(zone.summary.ageMs)),
  ]);
  const columns = [
    { head: "ZONE", widthMax: 24 },
    { head: "MEMBERS", align: "right" },
    { head: "LOAD", align: "right" },
    { head: "GATEWAYS", widthMax: 32 },
    { head: "LINKS TO", widthMax: 32 },
    { head: "WAY", widthMax: 40 },
    { head: "SUMMARY", align: "right" },
  ] as const;
  const members = zones.reduce((sum, zone) => sum + zone.members, 0);
  const how = setting === "auto" ? "chosen by the mesh" : "by configuration";
  const title = `${zones.length} ${zones.length === 1 ? "zone" : "zones"}, ${members} members; this node is in ${here} (${how})`;
  return `${paint(title, "bold", screen.colours)}\n${renderTable(columns, rows, screen)}\n`;
}

function routeText(route: Zones["zones"][number]["route"]): string {
  if (route === null) return "none";
  const through = route.zones.slice(1, -1);
  const by = route.via[0] ?? "nobody";
  return through.length === 0 ? `by ${by}` : `by ${by} through ${through.join(", ")}`;
}
