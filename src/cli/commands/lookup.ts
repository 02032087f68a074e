// meshctl lookup: finds a node of the mesh, also one outside this node's zone.

import type { LookedUp } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { cell, renderFields } from "../table.ts";

/** Adds `lookup`. */
export const lookupCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("lookup")
    .description("find a node of the mesh, also of another zone")
    .argument("<node>", "its node id, name or SPIFFE id");
  command.action((target: string) =>
    answer(cli, command, {
      call: (client) => client.lookup({ target }),
      draw: ({ node }, screen) => drawNode(node, screen),
    }),
  );
};

function drawNode(node: LookedUp["node"], screen: Screen): string {
  const source = node.source === "mesh" ? "its beacons" : "its record in the DHT";
  return renderFields(
    [
      ["name", cell(node.name)],
      ["node id", cell(node.nodeId)],
      ["SPIFFE id", cell(node.spiffeId)],
      ["zone", cell(node.zone)],
      ...node.addresses.map((address): [string, ReturnType<typeof cell>] => [
        "address",
        cell(address),
      ]),
      ["known from", cell(source)],
    ],
    screen.colours,
  );
}
