// meshctl route: how this node reaches a member, link by link, and why so.

import type { RouteAnswer } from "../../control/index.ts";
import { answer } from "../answer.ts";
import { integer } from "../arguments.ts";
import { exitStatus } from "../../control/index.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { costText, msText, percentText, spanText } from "../format.ts";
import { cell, paint, plainText, renderFields, renderTable } from "../table.ts";

type PathAnswer = NonNullable<RouteAnswer["path"]>;

/** Adds `route`. */
export const routeCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("route")
    .description("explain the route to a peer: its links, the alternatives, disjoint paths, relays")
    .argument("<peer>", "the peer's name, node id or its beginning, or SPIFFE id")
    .option("--paths <count>", "how many disjoint paths to look for", integer(1, 8), 3);
  command.action((peer: string, { paths }: { readonly paths: number }) =>
    answer(cli, command, {
      call: (client) => client.route({ peer, paths }),
      draw: drawRoute,
      exit: ({ path }) => (path === null ? exitStatus.degraded : exitStatus.ok),
    }),
  );
};

function drawRoute(route: RouteAnswer, screen: Screen): string {
  const { target, path } = route;
  const title = (text: string): string => `${paint(text, "bold", screen.colours)}\n`;
  const name = plainText(target.name);
  const parts = [
    title(path === null ? `No route to ${name}` : `Route to ${name}: cost ${costText(path.cost)}`) +
      renderFields(
        [
          ["member", cell(`${target.state}, ${target.spiffeId}`)],
          ["connection", cell(transportText(route), transportTone(route))],
          ["why", cell(whyText(route))],
        ],
        screen.colours,
      ),
    ...(path === null ? [] : [drawHops(path, screen)]),
    ...section("Alternatives", route.alternatives, path, screen),
    ...section(
      route.disjoint.length > 1
        ? "Paths without a common node"
        : "No second path without a common node",
      route.disjoint.length > 1 ? route.disjoint : [],
      path,
      screen,
    ),
    title("Relays") + drawRelays(route, screen),
  ];
  return parts.join("\n");

  function section(
    head: string,
    paths: readonly PathAnswer[],
    inUse: PathAnswer | null,
    onScreen: Screen,
  ): string[] {
    return inUse === null ? [] : [title(head) + drawPaths(paths, inUse, onScreen)];
  }
}

function transportText({ transport }: RouteAnswer): string {
  if (transport.kind === "none") return "none: a request would dial it";
  const address = transport.address ?? "";
  return transport.kind === "direct"
    ? `direct, ${address}`
    : `relayed by ${transport.relay ?? "–"}, ${address}`;
}

function transportTone({ transport }: RouteAnswer): "good" | "warn" {
  return transport.kind === "direct" ? "good" : "warn";
}

/** The reason in a sentence. */
function whyText({ target, path, alternatives, hysteresis }: RouteAnswer): string {
  if (path === null)
    return target.state === "alive"
      ? "no chain of links that both ends report leads there"
      : `a member that is ${target.state} is routed neither to nor through`;
  const [other] = alternatives;
  if (other === undefined) return "the only one";
  if (other.cost >= path.cost) return `the cheapest; the next best costs ${costText(other.cost)}`;
  const gain = percentText(1 - other.cost / path.cost);
  const { betterForMs, holdMs } = hysteresis;
  if (betterForMs === null)
    return `in use; over ${plainText(via(other))} it would be ${gain} cheaper, and 10 % are needed for a change`;
  return `in use; over ${plainText(via(other))} it has been cheaper, now by ${gain}, for ${spanText(betterForMs)} of the ${spanText(holdMs)} that a change needs`;
}

function via({ hops: [first] }: PathAnswer): string {
  return first?.to.name ?? "–";
}

function drawHops({ hops }: PathAnswer, screen: Screen): string {
  return renderTable(
    [
      { head: "FROM", widthMax: 24 },
      { head: "TO", widthMax: 24 },
      { head: "RTT", align: "right" },
      { head: "LOSS →", align: "right" },
      { head: "LOSS ←", align: "right" },
      { head: "COST", align: "right" },
    ],
    hops.map(({ from, to, rttMs, lossForward, lossBackward, cost }) => [
      cell(from.name),
      cell(to.name),
      cell(msText(rttMs)),
      cell(percentText(lossForward)),
      cell(percentText(lossBackward)),
      cell(costText(cost)),
    ]),
    screen,
  );
}

function drawPaths(paths: readonly PathAnswer[], inUse: PathAnswer, screen: Screen): string {
  if (paths.length === 0) return "  none\n";
  return renderTable(
    [{ head: "COST", align: "right" }, { head: "AGAINST IT", align: "right" }, { head: "OVER" }],
    paths.map(({ cost, hops }) => {
      const difference = cost / inUse.cost - 1;
      return [
        cell(costText(cost)),
        cell(`${difference < 0 ? "−" : "+"}${percentText(Math.abs(difference))}`),
        cell(hops.map(({ to }) => to.name).join(" → ")),
      ];
    }),
    screen,
  );
}

function drawRelays({ relays }: RouteAnswer, screen: Screen): string {
  if (relays.length === 0) return "  none: no other member that is trusted is connected to it\n";
  return renderTable(
    [{ head: "RELAY", widthMax: 24 }, { head: "COST", align: "right" }, { head: "CONNECTED" }],
    relays.map(({ name, cost, connected }) => [
      cell(name),
      cell(costText(cost)),
      connected ? cell("yes", "good") : cell("no, to be dialled first", "warn"),
    ]),
    screen,
  );
}
