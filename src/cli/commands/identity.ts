// meshctl identity: this node's keys, its certificate chain and the trust bundle it holds.

import type { Identity } from "../../control/index.ts";
import { answer } from "../answer.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { relativeText, timeText } from "../format.ts";
import { type Cell, cell, paint, renderFields, renderTable } from "../table.ts";

/** Adds `identity`. */
export const identityCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("identity")
    .description("show this node's keys, certificate chain and trust bundle");
  command.action(() =>
    answer(cli, command, { call: (client) => client.identity(), draw: drawIdentity }),
  );
};

function drawIdentity(identity: Identity, screen: Screen): string {
  const { bundle, chain } = identity;
  const fields: [string, Cell][] = [
    ["SPIFFE id", cell(identity.spiffeId ?? "none yet: run meshctl init or meshctl join")],
    ["trust domain", cell(identity.trustDomain ?? "–")],
    ["node id", cell(identity.nodeId)],
    ["peer id", cell(identity.peerId)],
    ["Ed25519", cell(identity.ed25519PublicKey)],
    ["ML-DSA-65", cell(`SHA-256 ${identity.mldsa65PublicKeyDigest}`)],
    ["issuer", cell(identity.isIssuer ? "yes: this node admits others" : "no")],
    [
      "bundle",
      cell(
        bundle === null
          ? "none"
          : `sequence ${bundle.sequence}, authorities ${bundle.authorities}, digest ${bundle.digest}`,
      ),
    ],
  ];
  return renderFields(fields, screen.colours) + drawChain(chain, screen);
}

function drawChain(chain: Identity["chain"], screen: Screen): string {
  if (chain.length === 0) return "";
  const now = screen.nowMs();
  const rows = chain.map(({ subject, issuer, notAfter, serial }) => [
    cell(subject),
    cell(issuer),
    cell(timeText(notAfter)),
    cell(relativeText(notAfter, now), Date.parse(notAfter) <= now ? "bad" : "good"),
    cell(serial),
  ]);
  const columns = [
    { head: "SUBJECT" },
    { head: "ISSUER", widthMax: 40 },
    { head: "EXPIRES" },
    { head: "" },
    { head: "SERIAL", widthMax: 40 },
  ];
  const title = paint("Certificate chain, leaf first", "bold", screen.colours);
  return `\n${title}\n${renderTable(columns, rows, screen)}`;
}
