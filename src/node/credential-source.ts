// identity.source: workload-api. The node's SVID and its roots come from an agent on this host (SPIRE); the SVID's key signs the binding
// of the node's own keys and is forgotten. Every message is the whole state, so what was missed while the agent was away does not matter.

import {
  ENDPOINT_VARIABLE,
  parseEndpoint,
  type WorkloadEndpoint,
} from "../adapters/workload-api/endpoint.ts";
import { type ReceivedSvid, SvidStream } from "../adapters/workload-api/svid-stream.ts";
import type { StateStore, StoredCredential } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import { equalBytes, MeshError } from "../foundation/index.ts";
import {
  bindChain,
  bundleOfRoots,
  bundleToJson,
  type IdentityErrorCode,
  type NodeKeys,
  nodeNameOf,
  parseBundleJson,
  parseSpiffeId,
} from "../identity/index.ts";
import type { Clock, Logger, Random, WallMs } from "../ports/index.ts";

/** Why there is no news from the agent. */
export interface SourceProblem {
  readonly code: string;
  readonly message: string;
  /** Of the first failure in a row. */
  readonly sinceMs: WallMs;
}

export interface CredentialSourceDeps {
  readonly engine: CryptoEngine;
  readonly keys: NodeKeys;
  readonly store: Pick<StateStore, "credential">;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Verifies and takes a credential. */
  readonly take: (credential: StoredCredential) => Promise<void>;
}

export class CredentialSource {
  readonly #deps: CredentialSourceDeps;
  readonly #stream: SvidStream;
  #problem: SourceProblem | undefined;

  constructor(deps: CredentialSourceDeps, endpoint: WorkloadEndpoint) {
    this.#deps = deps;
    this.#stream = new SvidStream(
      {
        random: deps.random,
        onSvids: (svids) => this.#take(svids),
        onEnd: ({ code, message }) => {
          deps.logger.warn({ code, error: message }, "no SVID from the Workload API");
          const sinceMs = this.#problem?.sinceMs ?? deps.clock.now().wallMs;
          this.#problem = { code, message, sinceMs };
        },
      },
      endpoint,
    );
  }

  /** Undefined while the agent's last word was taken and its stream is open. */
  get problem(): SourceProblem | undefined {
    return this.#problem;
  }

  start(): void {
    this.#stream.start();
  }

  stop(): Promise<void> {
    return this.#stream.stop();
  }

  async #take(svids: readonly ReceivedSvid[]): Promise<void> {
    const credential = this.#credentialOf(nodeSvid(svids));
    await this.#deps.take(credential);
    this.#problem = undefined;
  }

  #credentialOf({ trustDomain, name, svid }: NodeSvid): StoredCredential {
    const { engine, keys, store } = this.#deps;
    const stored = store.credential();
    if (stored !== undefined && (stored.trustDomain !== trustDomain || stored.name !== name))
      throw new MeshError<IdentityErrorCode>(
        "identity/svid-not-ours",
        `The Workload API says that this node is '${svid.spiffeId}', but it has been '${stored.name}' of '${stored.trustDomain}'. Correct the registration entry, or remove the state directory.`,
        { spiffeId: svid.spiffeId },
      );
    // The sequence counts what this node has seen.
    const before = stored && parseBundleJson(trustDomain, stored.bundle);
    const known = before?.ok === true ? before.value : undefined;
    const same = bundleOfRoots(trustDomain, svid.bundle, known?.sequence ?? 1);
    const isSame = known !== undefined && bundleToJson(known) === bundleToJson(same);
    const bundle = isSame ? same : { ...same, sequence: (known?.sequence ?? 0) + 1 };
    const mldsa65 = keys.mldsa65.publicKey;
    const [top] = svid.chain.slice(-1);
    const isRooted = top !== undefined && svid.bundle.some((root) => equalBytes(root, top));
    const certificates = isRooted ? svid.chain.slice(0, -1) : svid.chain;
    const chain = bindChain(engine, certificates, { nodeId: keys.nodeId, mldsa65 }, svid.sign);
    return { trustDomain, name, bundle: bundleToJson(bundle), chain };
  }
}

/** Where the agent is; the environment says it where the file does not. @throws MeshError `identity/source-unknown` */
export function endpointOf(
  { socket }: Config["identity"],
  environment: Readonly<Record<string, string | undefined>>,
): WorkloadEndpoint {
  if (socket !== null) return { path: socket };
  const endpoint = parseEndpoint(environment[ENDPOINT_VARIABLE] ?? "");
  if (endpoint !== undefined) return endpoint;
  throw new MeshError<IdentityErrorCode>(
    "identity/source-unknown",
    `Cannot take the identity from a Workload API: neither identity.socket nor ${ENDPOINT_VARIABLE} says where it is. Set identity.socket in meshd.yml, such as /run/spire/agent/public/api.sock.`,
  );
}

interface NodeSvid {
  readonly trustDomain: string;
  readonly name: string;
  readonly svid: ReceivedSvid;
}

/** The first that names a node: the default identity when there is one alone. */
function nodeSvid(svids: readonly ReceivedSvid[]): NodeSvid {
  for (const svid of svids) {
    const id = parseSpiffeId(svid.spiffeId);
    const name = id.ok ? nodeNameOf(id.value) : id;
    if (id.ok && name.ok) return { trustDomain: id.value.trustDomain, name: name.value, svid };
  }
  const ids = svids.map(({ spiffeId }) => spiffeId).slice(0, 4);
  throw new MeshError<IdentityErrorCode>(
    "identity/not-a-node-id",
    `The Workload API gives ${ids.join(", ")}, none of which is spiffe://<trust domain>/node/<name>. Register this process under such an id.`,
    { ids },
  );
}
