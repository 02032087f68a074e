// meshctl forward | expose | tunnels: TCP ports through the mesh.

import { InvalidArgumentError } from "commander";
import type { Tunnels } from "../../control/index.ts";
import { answer } from "../answer.ts";
import { integer } from "../arguments.ts";
import type { RegisterCommand, Screen } from "../cli.ts";
import { cell, renderTable } from "../table.ts";

const PORT_MAX = 65_535;
const LOOPBACK = "127.0.0.1";
const port = integer(1, PORT_MAX);

/** A local address and a remote port. */
export interface ForwardSpec {
  readonly host: string;
  readonly port: number;
  readonly remotePort: number;
}

/** `LOCAL:REMOTE` or `HOST:LOCAL:REMOTE`; a host that has colons stands in brackets. */
export function parseForward(text: string): ForwardSpec {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5}):(\d{1,5})$/.exec(text);
  const [local, remotePort] = [Number(match?.[3]), Number(match?.[4])];
  if (local <= PORT_MAX && remotePort >= 1 && remotePort <= PORT_MAX)
    return { host: match?.[1] ?? match?.[2] ?? LOOPBACK, port: local, remotePort };
  throw new InvalidArgumentError("It must be LOCAL:REMOTE or HOST:LOCAL:REMOTE, such as 8080:80.");
}

/** Where connections go: `HOST:PORT`, or a port of this host. */
export function parseTarget(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5})$/.exec(text);
  const target = Number(match?.[3]);
  if (target >= 1 && target <= PORT_MAX)
    return { host: match?.[1] ?? match?.[2] ?? LOOPBACK, port: target };
  throw new InvalidArgumentError("It must be PORT or HOST:PORT, such as 127.0.0.1:80.");
}

/** Adds `forward`. */
export const forwardCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("forward")
    .description("lead a local TCP port to a port that a peer exposes, until the daemon stops")
    .argument("<peer>", "the peer's name or node id")
    .argument(
      "<ports>",
      "LOCAL:REMOTE or HOST:LOCAL:REMOTE; LOCAL 0 takes a free port",
      parseForward,
    );
  command.action((peer: string, spec: ForwardSpec) =>
    answer(cli, command, {
      call: (client) => client.forward({ peer, ...spec }),
      draw: ({ forwards }, screen) => drawForwards(forwards, screen),
    }),
  );
};

/** Adds `expose`. */
export const exposeCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("expose")
    .description(
      "let peers with the right tunnel.connect:<port> reach a TCP port, until the daemon stops",
    )
    .argument("<port>", "the port as peers name it", port)
    .option(
      "--to <target>",
      "where connections go: PORT or HOST:PORT (default: the same port here)",
      parseTarget,
    );
  command.action((exposed: number, { to }: { readonly to?: ReturnType<typeof parseTarget> }) =>
    answer(cli, command, {
      call: (client) =>
        client.expose({
          port: exposed,
          host: to?.host ?? LOOPBACK,
          targetPort: to?.port ?? exposed,
        }),
      draw: ({ exposed: all }, screen) => drawExposed(all, screen),
    }),
  );
};

/** Adds `tunnels` with its verb. */
export const tunnelsCommand: RegisterCommand = (parent, cli) => {
  const list = parent.command("tunnels").description("exposed and forwarded TCP ports");
  list.action(() => answer(cli, list, { call: (client) => client.tunnels(), draw: drawTunnels }));
  const close = list
    .command("close")
    .description("stop exposing or forwarding a port; connections that are open go on")
    .argument("<kind>", "expose or forward", kind)
    .argument("<port>", "the exposed port, or the local port of a forward", port);
  close.action((what: "exposed" | "forward", which: number) =>
    answer(cli, close, {
      call: (client) => client.closeTunnel({ kind: what, port: which }),
      draw: drawTunnels,
    }),
  );
};

function kind(text: string): "exposed" | "forward" {
  if (text === "expose" || text === "exposed") return "exposed";
  if (text === "forward") return text;
  throw new InvalidArgumentError("It must be expose or forward.");
}

function drawTunnels({ exposed, forwards }: Tunnels, screen: Screen): string {
  if (exposed.length + forwards.length === 0)
    return "No port is exposed or forwarded: see meshctl expose and meshctl forward.\n";
  return [
    ...(forwards.length > 0 ? [drawForwards(forwards, screen)] : []),
    ...(exposed.length > 0 ? [drawExposed(exposed, screen)] : []),
  ].join("\n");
}

function drawForwards(forwards: Tunnels["forwards"], screen: Screen): string {
  return renderTable(
    [
      { head: "LISTENS AT" },
      { head: "PEER" },
      { head: "ITS PORT", align: "right" },
      { head: "FROM" },
      { head: "PROBLEM", widthMax: 160 },
    ],
    forwards.map(({ host, port: local, peer, nodeId, remotePort, origin, problem }) => [
      cell(addressText(host, local)),
      cell(peer, nodeId === "" ? "warn" : "plain"),
      cell(String(remotePort)),
      cell(origin),
      cell(problem ?? (nodeId === "" ? "no member of that name yet" : ""), "warn"),
    ]),
    screen,
  );
}

function drawExposed(exposed: Tunnels["exposed"], screen: Screen): string {
  return renderTable(
    [
      { head: "EXPOSED", align: "right" },
      { head: "LEADS TO" },
      { head: "RIGHT THAT A PEER NEEDS" },
      { head: "FROM" },
    ],
    exposed.map(({ port: name, host, targetPort, origin }) => [
      cell(String(name)),
      cell(addressText(host, targetPort)),
      cell(`tunnel.connect:${name}`),
      cell(origin),
    ]),
    screen,
  );
}

function addressText(host: string, number: number): string {
  return host.includes(":") ? `[${host}]:${number}` : `${host}:${number}`;
}
