// A short-lived libp2p node that joins a mesh: it listens nowhere, offers no protocol, dials the issuers of a
// token one after another and speaks attestation with the first that answers.

import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import type { CryptoEngine } from "../../crypto/index.ts";
import { errorMessage, isMeshError, MeshError } from "../../foundation/index.ts";
import { HandshakeLimiter, type PeerVerifier } from "../../handshake/index.ts";
import {
  ATTESTATION_PROTOCOL,
  ATTESTATION_RESPONSE_BYTES_MAX,
  type Credential,
  type Evidence,
  type JoinAnchor,
  JoinClient,
  type JoinProof,
  nodeIdOf,
  type NodeKeys,
  parseLeafKey,
} from "../../identity/index.ts";
import type { Clock, Logger, Meter, Random, Tracer } from "../../ports/index.ts";
import { pqNoise } from "./encrypter.ts";
import { exchange } from "./exchange.ts";
import { PeerRegistry } from "./peer-registry.ts";

const DIAL_TIMEOUT_MS = 10_000;

export interface JoinDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  readonly keys: NodeKeys;
  readonly ed25519Seed: Uint8Array;
}

/** What a join brings: the credential, and the SPIFFE id of the issuer, verified to the token's root. */
export interface Joined extends Credential {
  readonly issuerSpiffeId: string;
}

/** What is shown: a token, or evidence that is made for the issuer's challenge. */
export type JoinMeans =
  | Extract<JoinProof, { kind: "token" }>
  | {
      readonly kind: "evidence";
      /** @throws MeshError when there is none */
      readonly prove: (challenge: Uint8Array) => Promise<Evidence>;
    };

/**
 * Joins by a token or by evidence.
 * @throws MeshError `network/dial-failed` when no issuer can be reached; the codes of the attestation client
 */
export async function joinMesh(
  deps: JoinDeps,
  anchor: JoinAnchor,
  means: JoinMeans,
): Promise<Joined> {
  const registry = new PeerRegistry();
  const node = await createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", deps.ed25519Seed),
    addresses: { listen: [] },
    transports: [tcp()],
    streamMuxers: [yamux()],
    connectionEncrypters: [joiningEncrypter(deps, anchor, registry)],
    connectionManager: { dialTimeout: DIAL_TIMEOUT_MS, reconnectRetries: 0 },
    connectionMonitor: { enabled: false },
  });
  try {
    const problems: string[] = [];
    for (const address of anchor.addresses) {
      try {
        const connection = await node.dial(multiaddr(address));
        return await attest(deps, connection, registry, anchor, means);
      } catch (error) {
        if (isMeshError(error) && error.code.startsWith("identity/")) throw error;
        problems.push(`${address}: ${errorMessage(error)}`);
      }
    }
    throw new MeshError(
      "network/dial-failed",
      `Cannot reach an issuer of the mesh: ${problems.join("; ")}. Check that the issuer runs, that its address is reachable from here, and that both clocks are right.`,
      { problems },
    );
  } finally {
    await node.stop();
  }
}

async function attest(
  { engine, clock, keys, tracer }: JoinDeps,
  connection: Connection,
  registry: PeerRegistry,
  anchor: JoinAnchor,
  means: JoinMeans,
): Promise<Joined> {
  const issuer = registry.of(connection);
  if (issuer?.kind !== "unanchored")
    throw new MeshError("internal/invariant", "The issuer's handshake left no chain.");
  const client = new JoinClient(
    { engine },
    {
      anchor,
      issuer,
      keys: { ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey },
      proof: means.kind === "token" ? means : { kind: "evidence" },
    },
  );
  let step = client.start(clock.now().wallMs);
  while (step.step === "send" || step.step === "prove") {
    if (step.step === "prove") {
      if (means.kind === "token") throw new MeshError("internal/invariant", "A token proves all.");
      step = client.prove(await means.prove(step.challenge));
      continue;
    }
    const response = await exchange(tracer, connection, ATTESTATION_PROTOCOL, step.request, {
      timeoutMs: DIAL_TIMEOUT_MS,
      responseBytesMax: ATTESTATION_RESPONSE_BYTES_MAX,
    });
    step = client.receive(response, clock.now().wallMs);
  }
  if (step.step === "done") {
    // The client has verified this very chain.
    const leaf = parseLeafKey({ engine, chain: issuer.chain, ed25519: issuer.ed25519 });
    if (!leaf.ok) throw new MeshError("internal/invariant", "A verified chain does not parse.");
    return { ...step.credential, issuerSpiffeId: leaf.value.spiffeId };
  }
  throw new MeshError(
    step.code,
    `Cannot join '${anchor.trustDomain}'${means.kind === "token" ? ` as '${means.name}'` : ""}: ${step.code}. ${NEXT_STEPS[step.code] ?? "Ask for a new token."}`,
    means.kind === "token" ? { name: means.name } : {},
  );
}

/** What helps, for the codes where a new token is not the answer. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  "identity/name-taken": "Choose another name with --name.",
  "identity/name-fixed": "This host has joined under another name before: use that one.",
  "identity/token-name-mismatch":
    "The token is bound to another name: use that one, or ask for a token without a name.",
  "identity/not-yet-valid": "Set this host's clock.",
  "identity/expired": "Set this host's clock, or look at the issuer's.",
  "identity/attestor-unknown":
    "The issuer takes no evidence of this kind: see attestors in its meshd.yml.",
  "identity/attestor-unavailable":
    "The issuer cannot judge the evidence now: its log says why. It is tried again.",
  "identity/challenge-unknown": "The evidence took too long. Try again.",
  "identity/evidence-refused":
    "The issuer takes the evidence for not genuine: its log says why. Check the files that join names.",
  "identity/evidence-not-allowed":
    "The issuer's configuration does not let this account, region, service account or cluster in: see attestors in its meshd.yml.",
  "identity/evidence-used":
    "Another node has joined with this evidence. If this host has lost its state, renew the evidence: a new certificate, pod or instance.",
  "identity/issuer-busy": "The issuer has signed as much as it may for now. Try again in a minute.",
  "identity/denied": "The issuer's policy gives the node no right mesh.join.",
  "identity/bundle-digest-mismatch":
    "This is not the mesh the token is for: somebody may be in between. Do not retry blindly.",
};

function joiningEncrypter(
  deps: JoinDeps,
  { trustDomain }: JoinAnchor,
  registry: PeerRegistry,
): ReturnType<typeof pqNoise> {
  const { engine, random, clock, logger, meter, tracer, keys } = deps;
  const verifier: PeerVerifier = {
    verifyChain: () => ({ ok: false, code: "identity/untrusted" }),
    parseLeafKey: (chain, ed25519) => parseLeafKey({ engine, chain, ed25519 }),
    nodeIdOf: (ed25519, mldsa65) => nodeIdOf(engine, ed25519, mldsa65),
    allowsJoin: () => false,
  };
  return pqNoise(
    {
      engine,
      random,
      clock,
      logger,
      meter,
      tracer,
      limiter: new HandshakeLimiter(clock.now().monoMs),
      verifier,
      credential: () => ({ ed25519: keys.ed25519, mldsa65: keys.mldsa65, svidChain: [] }),
    },
    {
      trustDomain,
      acceptUnanchored: true,
      onAuthenticated: (peer, _peerId, _ms, raw) => registry.remember(raw, peer),
    },
  );
}
