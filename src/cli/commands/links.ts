// meshctl links: what this node measures of its neighbours, both ways.

import type { LinksAnswer } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { costText, msText, percentText } from "../format.ts";
import { type Cell, cell, renderTable } from "../table.ts";

/** Adds `links`. */
export const linksCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("links")
    .description("round trip, jitter, loss both ways and cost of this node's links");
  command.action(() => answer(cli, command, { call: (client) => client.links(), draw: drawLinks }));
};

function drawLinks({ links }: LinksAnswer, screen: Screen): string {
  if (links.length === 0) return "No peer is connected: see meshctl peers.\n";
  const rows = links
    .toSorted((a, b) => a.name.localeCompare(b.name, "en"))
    .map((link) => [
      cell(link.name),
      cell(msText(link.rttMs)),
      cell(msText(link.jitterMs)),
      lossCell(link.lossForward),
      lossCell(link.lossBackward),
      cell(link.etx?.toFixed(2) ?? "∞"),
      cell(costText(link.cost)),
      cell(publishedText(link)),
    ]);
  return renderTable(
    [
      { head: "NEIGHBOUR", widthMax: 24 },
      { head: "RTT", align: "right" },
      { head: "JITTER", align: "right" },
      { head: "LOSS →", align: "right" },
      { head: "LOSS ←", align: "right" },
      { head: "ETX", align: "right" },
      { head: "COST", align: "right" },
      { head: "BEACON SAYS" },
    ],
    rows,
    screen,
  );
}

function lossCell(ratio: number | null): Cell {
  return cell(percentText(ratio), ratio !== null && ratio >= 0.1 ? "warn" : "plain");
}

/** What routes are computed with, and how far a change of it is. */
function publishedText({ published, differing, needed }: LinksAnswer["links"][number]): string {
  const said = `${msText(published.rttMs)}, ${percentText(published.lossRatio)}`;
  return differing === 0 ? said : `${said} (differs, ${differing} of ${needed} samples)`;
}
