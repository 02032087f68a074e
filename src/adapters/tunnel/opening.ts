// How a tunnel begins on its stream: one request that names a port, one answer that says yes or why not; after a yes the stream is the
// connection. Length-prefixed like all requests of the mesh; the version is in the protocol's name.

import { MeshError } from "../../foundation/index.ts";

export const TUNNEL_PROTOCOL = "/x0tta6bl4/tunnel/1.0.0";
/** A port, big-endian. */
export const OPENING_BYTES = 2;
/** One byte: an index of {@link TUNNEL_ANSWERS}. */
export const ANSWER_BYTES = 1;

/**
 * The answers in the order of their bytes. Who has no right to a port is told the same whether it is exposed or not.
 */
export const TUNNEL_ANSWERS = [
  "connected",
  "refused",
  "not-exposed",
  "unreachable",
  "busy",
] as const;
export type TunnelAnswer = (typeof TUNNEL_ANSWERS)[number];

export type TunnelErrorCode =
  | "tunnel/refused"
  | "tunnel/not-exposed"
  | "tunnel/unreachable"
  | "tunnel/busy"
  | "tunnel/bad-answer"
  | "tunnel/port-taken"
  | "tunnel/too-many"
  | "tunnel/unknown";

export function encodeOpening(port: number): Uint8Array {
  return new Uint8Array([port >> 8, port & 0xff]);
}

/** The port, or undefined for anything that is no opening. */
export function parseOpening(bytes: Uint8Array): number | undefined {
  const [high, low] = bytes;
  if (bytes.length !== OPENING_BYTES || high === undefined || low === undefined) return undefined;
  const port = high * 256 + low;
  return port === 0 ? undefined : port;
}

export function encodeAnswer(answer: TunnelAnswer): Uint8Array {
  return new Uint8Array([TUNNEL_ANSWERS.indexOf(answer)]);
}

/** @throws MeshError `tunnel/bad-answer` */
export function parseAnswer(bytes: Uint8Array): TunnelAnswer {
  const answer = bytes.length === ANSWER_BYTES ? TUNNEL_ANSWERS[bytes[0] ?? -1] : undefined;
  if (answer !== undefined) return answer;
  throw new MeshError<TunnelErrorCode>(
    "tunnel/bad-answer",
    "The peer's answer to a tunnel is none of those there are. Look at the version it runs.",
  );
}

/** What an answer other than "connected" means to who asked. */
export function refusal(
  answer: Exclude<TunnelAnswer, "connected">,
  peer: string,
  port: number,
): MeshError<TunnelErrorCode> {
  const reasons = {
    refused: `its policy gives this node no right to that port. Allow tunnel.connect:${port} to this node's SPIFFE id there`,
    "not-exposed": `nothing is exposed there. Run on ${peer}: meshctl expose ${port}`,
    unreachable: "what it exposes there does not answer. Start that service on the peer",
    busy: "it relays as many connections as it may. Close some or try later",
  } as const;
  return new MeshError<TunnelErrorCode>(
    `tunnel/${answer}`,
    `Cannot connect to port ${port} of ${peer}: ${reasons[answer]}.`,
    { peer, port },
  );
}
