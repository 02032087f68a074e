// What nodes ask of an issuer over the mesh: joining and renewing, their workloads' SVIDs, and what issuers say to one another.
// Every node answers on these protocols; one that does not issue refuses.

import type { Network } from "../../adapters/libp2p/network.ts";
import { MeshError } from "../../foundation/index.ts";
import type { AuthenticatedPeer } from "../../handshake/index.ts";
import {
  ATTESTATION_PROTOCOL,
  ATTESTATION_REQUEST_BYTES_MAX,
  type AttestationServer,
  encodeAttestationResponse,
  encodeSvidMessage,
  ISSUER_PROTOCOL,
  ISSUER_REQUEST_BYTES_MAX,
  type NodeId,
  type PeerIdentity,
  SVID_PROTOCOL,
  SVID_REQUEST_BYTES_MAX,
} from "../../identity/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { IssuerRole } from "./issuer-role.ts";

export interface ServeIssuerDeps {
  readonly network: Network;
  readonly issuer: IssuerRole;
  readonly server: AttestationServer;
  readonly clock: Clock;
  /** @throws MeshError for a node that may not come back */
  readonly refuseShutOut: (nodeId: NodeId) => void;
  /** The peer by the newest SVID that it shows. */
  readonly asOfNow: (peer: AuthenticatedPeer) => Promise<AuthenticatedPeer>;
}

/** Serves all three, until the network stops. */
export async function serveIssuer(deps: ServeIssuerDeps): Promise<void> {
  const { network, issuer, clock, asOfNow } = deps;
  await serveAttestation(deps);
  const member = async (peer: AuthenticatedPeer): Promise<PeerIdentity> => {
    const now = await asOfNow(peer);
    if (now.kind === "svid") return now.identity;
    throw new MeshError("identity/peer-not-entitled", "Only members have workloads or issue.");
  };
  await network.serve(
    ISSUER_PROTOCOL,
    { requestBytesMax: ISSUER_REQUEST_BYTES_MAX, streamsPerPeerMax: 8, relayed: true },
    async (peer, request) => issuer.answer(request, (await member(peer)).nodeId),
  );
  await network.serve(
    SVID_PROTOCOL,
    { requestBytesMax: SVID_REQUEST_BYTES_MAX, streamsPerPeerMax: 8, relayed: true },
    async (peer, request) => {
      const identity = await member(peer);
      const { desk } = issuer;
      if (desk !== undefined) return desk.handle(request, identity, clock.now());
      return encodeSvidMessage({ result: "refused", code: "identity/not-issuer" });
    },
  );
}

function serveAttestation(deps: ServeIssuerDeps): Promise<void> {
  const { network, issuer, server, clock, refuseShutOut, asOfNow } = deps;
  return network.serve(
    ATTESTATION_PROTOCOL,
    { requestBytesMax: ATTESTATION_REQUEST_BYTES_MAX, streamsPerPeerMax: 2, relayed: true },
    async (peer, request) => {
      if (peer.kind === "joining") {
        refuseShutOut(peer.nodeId);
        const code = await issuer.beforeJoin(request, peer.nodeId);
        if (code !== undefined) return encodeAttestationResponse({ result: "refused", code });
      }
      issuer.issuing?.keepIntermediate(clock.now().wallMs);
      return server.answer(request, await asOfNow(peer), () => clock.now());
    },
  );
}
