// A stand-in for a SPIRE agent: our server of the Workload API, whose wire is the standard's, over an authority of P-256. What it hands
// out is set by the test.

import { newWorkloadKey } from "../../../src/adapters/crypto/workload-key.ts";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import type { RunningServer } from "../../../src/adapters/http/running-server.ts";
import { startWorkloadApi } from "../../../src/adapters/workload-api/server.ts";
import type { WorkloadSource, WorkloadView } from "../../../src/adapters/workload-api/source.ts";
import { concatBytes, MeshError, ok, refuse } from "../../../src/foundation/index.ts";
import { createWorkloadRoot, type Es256Signer } from "../../../src/identity/index.ts";
import { es256Certificates } from "../../../src/identity/x509/algorithm.ts";
import { signCertificate } from "../../../src/identity/x509/encode.ts";
import { parseCertificate } from "../../../src/identity/x509/parse.ts";
import { nativeEs256 } from "../../../src/adapters/crypto/es256.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const engine = createNativeEngine();
const random = systemRandom;

/** An authority of a trust domain. */
export class Authority {
  readonly root: Uint8Array;
  readonly #trustDomain: string;
  readonly #signer: Es256Signer;

  constructor(trustDomain: string) {
    this.#trustDomain = trustDomain;
    const signer = nativeEs256.signer(random.bytes(32));
    if (signer === undefined) throw new Error("no scalar of the curve: once in 2^32");
    this.#signer = signer;
    const nowMs = Date.now() as WallMs;
    this.root = createWorkloadRoot({ engine, random }, this.#signer, { trustDomain, nowMs });
  }

  /** An SVID with a new key, as the Workload API hands it out. */
  issue(path: string, lifetimeMs = 3_600_000): WorkloadView["svids"][number] {
    const key = newWorkloadKey({ engine, random }, "es256");
    const issuer = parseCertificate(this.root, "es256");
    if (!issuer.ok) throw new MeshError(issuer.code, "The root does not parse.");
    const spiffeId = `spiffe://${this.#trustDomain}${path}`;
    const nowMs = Date.now();
    const chain = signCertificate(
      { engine, random, signer: es256Certificates(this.#signer) },
      {
        ...{ role: { kind: "workload", dnsNames: [] }, spiffeId, publicKey: key.publicKey },
        ...{ notBeforeMs: (nowMs - 1_000) as WallMs, notAfterMs: (nowMs + lifetimeMs) as WallMs },
        issuer: issuer.value.subject,
      },
    );
    return { spiffeId, chain, key: key.pkcs8, hint: "" };
  }
}

/** The agent of one host. */
export class StandInAgent {
  readonly #socketPath: string;
  readonly #listeners = new Set<() => void>();
  #view: WorkloadView | undefined;
  #server: RunningServer | undefined;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async start(): Promise<void> {
    const { meter, logger } = silent;
    this.#server = await startWorkloadApi(
      { source: this.#source, meter, logger },
      this.#socketPath,
    );
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** What callers have from now on; none: they have no entry. */
  give(svids: WorkloadView["svids"], roots: readonly Uint8Array[], trustDomain: string): void {
    const bundle = { trustDomain, x509: concatBytes(...roots), jwks: '{"keys":[]}' };
    this.#view = svids.length === 0 ? undefined : { svids, bundle, federated: [] };
    for (const listener of this.#listeners) listener();
  }

  readonly #source: WorkloadSource = {
    wantsDigest: false,
    view: () => (this.#view === undefined ? refuse("workload/no-identity") : ok(this.#view)),
    jwt: () => Promise.resolve(refuse("workload/no-identity")),
    validateJwt: () => refuse("workload/no-identity"),
    onChange: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
  };
}

const nothing = (): void => undefined;
const silent = {
  meter: { count: nothing, set: nothing, observe: nothing },
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
};
