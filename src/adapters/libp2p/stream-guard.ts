// Default deny for streams: whatever protocol a peer opens, or a service of ours opens to it, first passes
// here. libp2p runs middleware before the handler, but per protocol and in an array that it mutates
// (3.3.11 pushes each stream's handler onto the registered array), so the guard answers the registrar's
// look-up itself with a fresh array: one place for all protocols, also for those added later.

import type {
  Connection,
  MessageStream,
  Stream,
  StreamMiddleware,
  StreamMuxerFactory,
} from "@libp2p/interface";
import type { Registrar } from "@libp2p/interface-internal";
import { MeshError } from "../../foundation/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import { ATTESTATION_PROTOCOL, type PeerIdentity } from "../../identity/index.ts";
import { plainProtocol } from "./exchange.ts";
import { updateWindowRarely } from "./stream-window.ts";

/** Our own protocols, and those that spend this node's bandwidth or make it dial. */
const MEMBERS_ONLY = ["/x0tta6bl4/", "/libp2p/circuit/", "/libp2p/dcutr", "/libp2p/autonat/"];

/** Whether a peer may take part in a protocol, in either direction. */
export function mayOpen(
  peer: AuthenticatedPeer | undefined,
  protocol: string,
  allows: {
    /** Asked for each stream: a connection outlives a change of the policy. */
    readonly member: (identity: PeerIdentity) => boolean;
    readonly unauthenticated: () => boolean;
  },
): boolean {
  switch (peer?.kind) {
    case "svid":
      return allows.member(peer.identity);
    case "joining":
    case "unanchored":
      return plainProtocol(protocol) === ATTESTATION_PROTOCOL;
    case "interop":
      return allows.unauthenticated() && !MEMBERS_ONLY.some((start) => protocol.startsWith(start));
    case undefined:
      return false;
  }
}

/**
 * A libp2p service without an interface: it puts the guard in front of every stream.
 * @param watch is given each stream that may be, before anybody listens to it
 */
export function guardStreams(
  permitted: (connection: Connection, stream: Stream) => boolean,
  watch: (connection: Connection, stream: Stream) => void,
) {
  return ({ registrar }: { readonly registrar: Registrar }): Record<string, never> => {
    const guard: StreamMiddleware = (stream, connection, next) => {
      if (!permitted(connection, stream)) {
        throw new MeshError(
          "network/request-failed",
          `The peer has no right to ${stream.protocol}.`,
        );
      }
      watch(connection, stream);
      next(stream, connection);
    };
    const registered = registrar.getMiddleware.bind(registrar);
    registrar.getMiddleware = (protocol) => [guard, ...registered(protocol)];
    return {};
  };
}

/**
 * What may arrive on a raw connection before its handshake has ended: the negotiation and two handshake messages,
 * of which the longest has a certificate chain.
 */
export const UNAUTHENTICATED_BYTES_MAX = 64 * 1024;
/** What may arrive on a stream before its protocol is agreed on: some names of protocols. */
export const NEGOTIATION_BYTES_MAX = 16 * 1024;

/**
 * Aborts a stream on which more than `bytesMax` arrive before its negotiation is over. libp2p (multistream-select
 * with utils 7) reads the length of a name byte by byte and without a bound, so a stranger who sends length bytes
 * that never end would keep the event loop busy and fill memory. A listener cannot do this: libp2p drops what
 * arrives while it has not attached its own, so the guard stands in front of the dispatch.
 */
export function boundNegotiation(
  stream: Pick<MessageStream, "dispatchEvent" | "abort">,
  bytesMax: number,
  isOver: () => boolean,
): void {
  const dispatch = stream.dispatchEvent.bind(stream);
  let received = 0;
  stream.dispatchEvent = (event) => {
    if (event.type === "message" && received <= bytesMax && !isOver()) {
      received += (event as MessageStreamEvent).data.byteLength;
      if (received > bytesMax) {
        stream.abort(new MeshError("network/request-failed", "The peer negotiates for too long."));
        return true;
      }
    }
    return dispatch(event);
  };
}

type MessageStreamEvent = Event & { readonly data: { readonly byteLength: number } };

/** Yamux whose inbound streams are bounded until their protocol is agreed on, and whose streams spare window updates. */
export function boundMuxer<Components>(
  make: (components: Components) => StreamMuxerFactory,
): (components: Components) => StreamMuxerFactory {
  return (components) => {
    const factory = make(components);
    const create = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      const muxer = create(connection);
      const dispatch = muxer.dispatchEvent.bind(muxer);
      muxer.dispatchEvent = (event) => {
        if (event.type === "stream") {
          const { detail: stream } = event as CustomEvent<Stream>;
          boundNegotiation(stream, NEGOTIATION_BYTES_MAX, () => stream.protocol !== "");
          updateWindowRarely(stream);
        }
        return dispatch(event);
      };
      const open = muxer.createStream.bind(muxer);
      muxer.createStream = async (options) => {
        const stream = await open(options);
        updateWindowRarely(stream);
        return stream;
      };
      return muxer;
    };
    return factory;
  };
}
