// meshctl quarantine list | show | release: nodes that contradicted themselves, and the way back for one of them.

import { exitStatus, type Quarantine } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { relativeText, shortId, timeText } from "../format.ts";
import { cell, plainText, renderTable } from "../table.ts";

type Case = Quarantine["quarantine"][number];

/** Adds `quarantine` with its verbs. */
export const quarantineCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("quarantine")
    .description("nodes that were proven to contradict themselves, and their release");
  const list = command
    .command("list")
    .description("list nodes in quarantine and those released from it");
  list.action(() => answer(cli, list, { call: (client) => client.quarantine(), draw: drawCases }));
  const show = command
    .command("show")
    .description("show the proof against a node, or its release")
    .argument("<node>", "the node's name, or its id from the 8th digit on");
  show.action((node: string) =>
    answer(cli, show, {
      call: async (client) => {
        const { schemaVersion, quarantine } = await client.quarantine();
        return { schemaVersion, quarantine: quarantine.filter((one) => isCalled(one, node)) };
      },
      draw: drawDetails,
      exit: ({ quarantine }) => (quarantine.length === 0 ? exitStatus.failure : exitStatus.ok),
    }),
  );
  const release = command
    .command("release")
    .description(
      "let a node come back everywhere, once the cause is gone; needs the right mesh.release",
    )
    .argument("<node>", "the node's name, or its id from the 8th digit on")
    .requiredOption("--reason <text>", "why, for every operator of the mesh: one line of ASCII");
  release.action((node: string, { reason }: { readonly reason: string }) =>
    answer(cli, release, {
      call: (client) => client.release({ node, reason }),
      draw: drawDetails,
    }),
  );
};

function isCalled({ name, nodeId }: Case, node: string): boolean {
  return name === node || (node.length >= 8 && nodeId.startsWith(node));
}

function drawCases({ quarantine }: Quarantine, screen: Screen): string {
  if (quarantine.length === 0) return "No node is or was in quarantine.\n";
  return renderTable(
    [
      { head: "NODE", widthMax: 24 },
      { head: "ID" },
      { head: "STATE" },
      { head: "SINCE" },
      { head: "WHY" },
    ],
    quarantine.map((one) => [
      cell(one.name),
      cell(shortId(one.nodeId)),
      cell(one.state, one.state === "quarantined" ? "bad" : "good"),
      cell(relativeText(one.at, screen.nowMs())),
      cell(whyOf(one)),
    ]),
    screen,
  );
}

function whyOf({ proof, roundProof, release }: Case): string {
  if (release !== null) return `${release.issuer}: ${release.reason}`;
  if (roundProof !== null) return `two ${slotOf(roundProof)}`;
  return proof === null ? "" : `two beacons ${proof.sequence} of epoch ${proof.epoch}`;
}

/** Where it may sign one message only. */
function slotOf({ message, round, view, task }: NonNullable<Case["roundProof"]>): string {
  const inView = view === null ? "" : ` in view ${view}`;
  return `${plainText(message)}s${inView} of round ${round} of task ${shortId(task)}`;
}

function drawDetails({ quarantine }: Quarantine): string {
  if (quarantine.length === 0)
    return "No such node is or was in quarantine: see meshctl quarantine list.\n";
  return quarantine.map((one) => linesOf(one).join("\n")).join("\n\n") + "\n";
}

function linesOf({
  name,
  nodeId,
  state,
  at,
  proofDigest,
  proof,
  roundProof,
  release,
}: Case): string[] {
  const lines = [
    `${plainText(name)} is ${state} since ${timeText(at)}`,
    `  node id   ${nodeId}`,
    `  proof     ${proofDigest} (SHA-256)`,
  ];
  if (proof !== null) {
    lines.push(`  signed    two different beacons ${proof.sequence} of epoch ${proof.epoch}`);
    for (const [index, addresses] of proof.addresses.entries())
      lines.push(
        `  beacon ${index + 1}  from ${plainText(addresses.join(" ") || "no address", 200)}`,
      );
  }
  if (roundProof !== null) lines.push(`  signed    two different ${slotOf(roundProof)}`);
  if (release !== null) {
    lines.push(
      `  released  by ${plainText(release.issuer)}, ${timeText(release.issuedAt)}`,
      `  reason    ${plainText(release.reason, 200)}`,
      `  from      epoch ${release.epochFloor} on`,
    );
  }
  return lines;
}
