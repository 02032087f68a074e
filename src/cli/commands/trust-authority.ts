// meshctl trust authority prepare | activate | taint | revoke | list, trust issuer add | list | remove, and trust revoke: the life of the
// authorities that sign for this trust domain, who signs under them, and nodes that are shut out. On the host that holds the root.

import type { Command } from "commander";
import type { Authorities, ControlClient } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { Cli, Screen } from "../cli.ts";
import { relativeText, shortId, timeText } from "../format.ts";
import { cell, plainText, renderTable } from "../table.ts";

type Shown = Authorities["authorities"][number];
/** Digits of an id that are shown, and that are enough to name it. */
const ID_DIGITS = 12;

export function authorityCommands(trust: Command, cli: Cli): void {
  const command = trust
    .command("authority")
    .description("the authorities that sign certificates and JWTs, and their replacement");
  const run = (verb: Command, call: (client: ControlClient) => Promise<Authorities>) =>
    answer(cli, verb, { call, draw });
  const list = command.command("list").description("list them, with who depends on each");
  list.action(() => run(list, (client) => client.authorities()));
  const prepare = command
    .command("prepare")
    .description("make a new one and publish it; it signs nothing yet");
  prepare.action(() => run(prepare, (client) => client.prepareAuthority()));
  const activate = command
    .command("activate")
    .description("let the prepared one sign, once every node with a certificate knows it")
    .option("--force", "now: nodes that are away may need a new token afterwards");
  activate.action(({ force = false }: { readonly force?: boolean }) =>
    run(activate, (client) => client.activateAuthority({ force })),
  );
  const taint = command
    .command("taint")
    .description("have everything that an old one signed renewed at once")
    .argument("<id>", "its id, or the beginning");
  taint.action((id: string) => run(taint, (client) => client.taintAuthority({ id })));
  const revoke = command
    .command("revoke")
    .description("take one out of the bundle: what it signed is invalid everywhere within seconds")
    .argument("<id>", "its id, or the beginning")
    .option("--force", "also while nodes have certificates of it");
  revoke.action((id: string, { force = false }: { readonly force?: boolean }) =>
    run(revoke, (client) => client.revokeAuthority({ id, force })),
  );
  issuerCommands(trust, cli);
  const shutOut = trust
    .command("revoke")
    .description("shut a node out: its certificate is invalid everywhere within seconds")
    .argument("<node>", "the node's name, or its id from the 8th digit on");
  shutOut.action((peer: string) => run(shutOut, (client) => client.revokeNode({ peer })));
}

function issuerCommands(trust: Command, cli: Cli): void {
  const command = trust
    .command("issuer")
    .description("nodes that issue beside the holder of the root, so that one can be lost");
  const list = command.command("list").description("list them");
  list.action(() =>
    answer(cli, list, { call: (client) => client.authorities(), draw: drawIssuers }),
  );
  const add = command
    .command("add")
    .description("let a node admit and renew nodes, and issue to workloads")
    .argument("<node>", "the node's name, or its id from the 8th digit on")
    .option("--force", "its P-256 and JWT keys sign at once, also before all nodes can know them");
  add.action((peer: string, { force = false }: { readonly force?: boolean }) =>
    answer(cli, add, { call: (client) => client.grantIssuer({ peer, force }), draw: drawIssuers }),
  );
  const remove = command
    .command("remove")
    .description("let it issue no longer: what it signed for workloads is replaced at once")
    .argument("<node>", "its name, or its id from the 8th digit on");
  remove.action((peer: string) =>
    answer(cli, remove, { call: (client) => client.withdrawIssuer({ peer }), draw: drawIssuers }),
  );
}

function drawIssuers({ issuers }: Authorities, screen: Screen): string {
  if (issuers.length === 0) return "This host alone issues.\n";
  return renderTable(
    [{ head: "ISSUER", widthMax: 40 }, { head: "ID" }, { head: "INTERMEDIATE ENDS" }],
    issuers.map(({ name, nodeId, until }) => [
      cell(plainText(name)),
      cell(shortId(nodeId)),
      cell(until === null ? "not asked for yet" : relativeText(until, screen.nowMs())),
    ]),
    screen,
  );
}

function draw(
  { sequence, authorities, replaceAt, revokedNodes }: Authorities,
  screen: Screen,
): string {
  const next =
    replaceAt === null
      ? "Authorities are replaced by hand alone"
      : `The active one is replaced ${relativeText(replaceAt, screen.nowMs())}`;
  const table = renderTable(
    [
      { head: "AUTHORITY" },
      { head: "STATE" },
      { head: "SINCE" },
      { head: "NODES", align: "right" },
      { head: "JWT KEY", widthMax: 32 },
      { head: "ENDS" },
      { head: "NEXT" },
    ],
    authorities.map((one) => [
      cell(one.id.slice(0, ID_DIGITS)),
      cell(one.state, one.state === "tainted" ? "warn" : "plain"),
      cell(relativeText(one.since, screen.nowMs())),
      cell(String(one.nodes)),
      cell(one.jwtKeyId),
      cell(timeText(one.notAfter)),
      cell(nextOf(one, screen)),
    ]),
    screen,
  );
  const out = revokedNodes.map(
    ({ nodeId, name, until }) =>
      `Shut out: ${plainText(name)} (${shortId(nodeId)}), kept in the bundle until ${timeText(until)}.\n`,
  );
  return `Bundle ${sequence}. ${next}.\n${table}${out.join("")}`;
}

function nextOf({ state, readyAt, goneAt }: Shown, screen: Screen): string {
  if (readyAt !== null) {
    const isReady = Date.parse(readyAt) <= screen.nowMs();
    return isReady
      ? "may be activated"
      : `may be activated ${relativeText(readyAt, screen.nowMs())}`;
  }
  if (goneAt !== null) return `goes ${relativeText(goneAt, screen.nowMs())}`;
  return state === "active" ? "signs" : "";
}
