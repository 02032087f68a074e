// Default deny for streams: whatever protocol a peer opens, or a service of ours opens to it, first passes
// here. libp2p runs middleware before the handler, but per protocol and in an array that it mutates
// (3.3.11 pushes each stream's handler onto the registered array), so the guard answers the registrar's
// look-up itself with a fresh array: one place for all protocols, also for those added later.

import type { Connection, StreamMiddleware } from "@libp2p/interface";
import type { Registrar } from "@libp2p/interface-internal";
import { MeshError } from "../../foundation/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import { ATTESTATION_PROTOCOL } from "../../identity/index.ts";

/** Whether a peer may take part in a protocol, in either direction. */
export function mayOpen(
  peer: AuthenticatedPeer | undefined,
  protocol: string,
  allowsUnauthenticated: boolean,
): boolean {
  switch (peer?.kind) {
    case "svid":
      return true;
    case "joining":
    case "unanchored":
      return protocol === ATTESTATION_PROTOCOL;
    case "interop":
      return allowsUnauthenticated && !protocol.startsWith("/x0tta6bl4/");
    case undefined:
      return false;
  }
}

/** A libp2p service without an interface: it puts the guard in front of every stream. */
export function guardStreams(permitted: (connection: Connection, protocol: string) => boolean) {
  return ({ registrar }: { readonly registrar: Registrar }): Record<string, never> => {
    const guard: StreamMiddleware = (stream, connection, next) => {
      if (!permitted(connection, stream.protocol)) {
        throw new MeshError(
          "network/request-failed",
          `The peer has no right to ${stream.protocol}.`,
        );
      }
      next(stream, connection);
    };
    const registered = registrar.getMiddleware.bind(registrar);
    registrar.getMiddleware = (protocol) => [guard, ...registered(protocol)];
    return {};
  };
}
