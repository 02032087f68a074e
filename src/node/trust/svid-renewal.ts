// How this node's own SVID is renewed: by itself on an issuer, by an issuer elsewhere, and not at all where an agent
// brings SVIDs, which is only watched.

import type { Network } from "../../adapters/libp2p/network.ts";
import type { Config } from "../../config/index.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  acceptRenewal,
  ATTESTATION_PROTOCOL,
  ATTESTATION_RESPONSE_BYTES_MAX,
  type NodeId,
  type NodeKeys,
  renewalRequest,
  type SvidHolder,
} from "../../identity/index.ts";
import type { Clock, Logger, Tracer } from "../../ports/index.ts";
import type { Issuing } from "../issuing.ts";
import type { BundleSpread } from "./bundle-spread.ts";
import type { HeldBundle } from "./held-bundle.ts";
import type { Issuers } from "./issuers.ts";

const TIMEOUT_MS = 10_000;

export interface SvidRenewalDeps {
  readonly engine: CryptoEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly keys: NodeKeys;
  readonly svid: SvidHolder;
  readonly held: HeldBundle;
  readonly spread: BundleSpread;
  readonly issuers: Issuers;
  readonly issuing: () => Issuing | undefined;
  readonly request: Network["request"];
  /** Goes by a new chain, which is on disk when it returns. @throws MeshError the codes of chain verification */
  readonly adopt: (chain: readonly Uint8Array[]) => void;
}

export class SvidRenewal {
  readonly #deps: SvidRenewalDeps;
  readonly #source: Config["identity"]["source"];
  #running: Promise<void> | undefined;

  constructor(deps: SvidRenewalDeps, source: Config["identity"]["source"]) {
    this.#deps = deps;
    this.#source = source;
  }

  /** Begins a renewal when it is time; what fails is logged and tried again. */
  upkeep(): void {
    if (this.#source === "workload-api") return this.#expectPush();
    const { clock, svid } = this.#deps;
    // Its failure is logged, and the next attempt is set.
    if (svid.isDue(clock.now().wallMs)) this.renew().catch(() => undefined);
  }

  /** A peer is here. An issuer that was missed is asked at once: the wait until the next attempt was for its absence. */
  met(nodeId: NodeId): void {
    const { svid, issuers } = this.#deps;
    if (this.#source === "workload-api" || svid.outage === undefined) return;
    if (issuers.has(nodeId)) this.renew().catch(() => undefined);
  }

  /** One renewal at a time; who comes meanwhile waits for it. @throws MeshError why it failed */
  renew(): Promise<void> {
    this.#running ??= this.#attempt().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** An agent renews by itself, at half of the life or so: at two thirds something is wrong. */
  #expectPush(): void {
    const { clock, svid } = this.#deps;
    const now = clock.now().wallMs;
    const { notBeforeMs, notAfterMs } = svid.identity;
    const lateMs = notAfterMs - (notAfterMs - notBeforeMs) / 3;
    if (now >= lateMs && svid.isDue(now)) svid.failed(now, "workload/agent-silent");
  }

  async #attempt(): Promise<void> {
    const { logger, clock, tracer, svid } = this.#deps;
    try {
      await tracer.span("svid.renew", { parent: "root" }, () => this.#renew());
      logger.info({ notAfter: new Date(svid.identity.notAfterMs).toISOString() }, "SVID renewed");
    } catch (error) {
      svid.failed(clock.now().wallMs, errorCode(error));
      logger.warn(
        { code: errorCode(error), error: errorMessage(error) },
        "SVID renewal failed; it is tried again",
      );
      throw error;
    }
  }

  async #renew(): Promise<void> {
    const { adopt, keys, svid } = this.#deps;
    const issuing = this.#deps.issuing();
    if (issuing === undefined) return this.#renewElsewhere();
    try {
      adopt(issuing.issueTo(keys, svid.identity.name));
    } catch (error) {
      // One that holds no root, and that the holder of the root has not certified for long, is a node like others.
      if (issuing.keeper !== undefined || errorCode(error) !== "identity/issuer-unusable")
        throw error;
      await this.#renewElsewhere();
    }
  }

  async #renewElsewhere(): Promise<void> {
    const { issuers, adopt } = this.#deps;
    adopt(await issuers.ask((nodeId) => this.#renewAt(nodeId)));
  }

  /** With the newest bundle first: whoever has a live SVID knows every authority that was published before it was issued. */
  async #renewAt(nodeId: NodeId): Promise<readonly Uint8Array[]> {
    const { engine, svid, held, spread, request, clock } = this.#deps;
    await spread.tell(nodeId);
    const response = await request(nodeId, ATTESTATION_PROTOCOL, renewalRequest(), {
      timeoutMs: TIMEOUT_MS,
      responseBytesMax: ATTESTATION_RESPONSE_BYTES_MAX,
    });
    const renewed = acceptRenewal({
      engine,
      current: { identity: svid.identity, bundle: held.bundle },
      response,
      now: clock.now().wallMs,
    });
    if (renewed.ok) return renewed.value.identity.chain;
    throw new MeshError(renewed.code, `The issuer did not renew: ${renewed.code}.`);
  }
}
