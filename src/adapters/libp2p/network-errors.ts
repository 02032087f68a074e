// What can go wrong between nodes, and what operators are told of it.

import { errorMessage, MeshError } from "../../foundation/index.ts";

export type NetworkErrorCode =
  | "network/port-taken"
  | "network/cannot-listen"
  | "network/not-connected"
  | "network/request-failed"
  | "network/graylisted"
  | "network/no-reservation"
  | "network/replaced"
  | "network/not-relayed"
  | "network/dial-failed";

/** libp2p puts the system's errors with their stacks into one message: only what the system said is for operators. */
export function cannotListen(
  listen: readonly string[],
  cause: unknown,
): MeshError<NetworkErrorCode> {
  const reason = /\b(?:listen|bind|getaddrinfo) (E[A-Z]+)[^\n]*/.exec(errorMessage(cause));
  const taken = reason?.[1] === "EADDRINUSE";
  const nextStep = taken
    ? "Free the port or change mesh.listen."
    : "Set mesh.listen to an address of this host and a port that the daemon's user may use.";
  return new MeshError<NetworkErrorCode>(
    taken ? "network/port-taken" : "network/cannot-listen",
    `Cannot listen on ${listen.join(", ")}: ${reason?.[0] ?? errorMessage(cause)}. ${nextStep}`,
    { listen },
    { cause },
  );
}
