// Tunnels as the control API shows them.

import type { ListedForward } from "../adapters/tunnel/tunnels.ts";
import type { Body, Tunnels } from "../control/index.ts";
import type { Member } from "./member.ts";

/** All ports that are exposed, and these forwards; none of a node that is in no mesh. */
export function tunnelsOf(
  member: Member | undefined,
  forwards: readonly ListedForward[],
): Body<Tunnels> {
  return {
    exposed: (member?.tunnels.exposed ?? []).map(({ port, target, origin }) => ({
      port,
      host: target.host,
      targetPort: target.port,
      origin,
    })),
    forwards: forwards.map(({ listen, peer, remotePort, origin, problem }) => ({
      host: listen.host,
      port: listen.port,
      ...(member?.peerOf(peer) ?? { peer, nodeId: "" }),
      remotePort,
      origin,
      problem: problem ?? null,
    })),
  };
}
