// meshctl peers: every member of the mesh that this node knows.

import { answer } from "../answer.ts";
import type { RegisterCommand } from "../cli.ts";
import { drawPeers } from "../status-screen.ts";

/** Adds `peers`. */
export const peersCommand: RegisterCommand = (parent, cli) => {
  const command = parent
    .command("peers")
    .description("list all peers with state, link, handshake suite and last beacon");
  command.action(() =>
    answer(cli, command, {
      call: (client) => client.peers(),
      draw: ({ peers }, screen) => drawPeers(peers, screen, peers.length),
    }),
  );
};
