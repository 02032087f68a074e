// Whether this node issues, and what it needs for that: as the holder of the root from its start, or since the bundle has named it.

import type { KeyFiles } from "../../adapters/key-files.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import {
  type AttestationRefusalCode,
  type AuditTrail,
  type EntryBook,
  IssuerDesk,
  type NodeId,
  type NodeKeys,
  parseAttestationRequest,
  type Policy,
  type WorkloadDesk,
} from "../../identity/index.ts";
import type { Clock, Logger, Meter, Random } from "../../ports/index.ts";
import { Issuing } from "../issuing.ts";
import { GrantedAuthority } from "./granted-authority.ts";
import type { HeldBundle } from "./held-bundle.ts";
import { IssuerLinks, type IssuerLinksDeps } from "./issuer-links.ts";

export interface IssuerRoleDeps extends Pick<IssuerLinksDeps, "request"> {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly store: StateStore;
  readonly keyFiles: KeyFiles;
  readonly audit: AuditTrail;
  readonly keys: NodeKeys;
  readonly policy: Pick<Policy, "allows">;
  /** The document of another trust domain that this node federates with. */
  readonly foreign: (trustDomain: string) => string | undefined;
  readonly held: HeldBundle;
  readonly svidLifetimeMs: number;
  /** The holder of the root; undefined on all other nodes. */
  readonly issuing: Issuing | undefined;
  /** It has become an issuer, or is none any more. */
  readonly onChange: () => void;
}

interface Working {
  readonly issuing: Issuing;
  readonly desk: WorkloadDesk;
  readonly book: EntryBook;
  readonly others: IssuerDesk;
}

export class IssuerRole {
  readonly #deps: IssuerRoleDeps;
  readonly #links: IssuerLinks;
  #working: Working | undefined;
  #granted: GrantedAuthority | undefined;
  #isBusy = false;

  /** @throws MeshError `identity/entry-record-invalid` */
  constructor(deps: IssuerRoleDeps) {
    this.#deps = deps;
    const { logger, request, keys } = deps;
    const issuers = (): readonly NodeId[] => this.issuers;
    this.#links = new IssuerLinks({ self: keys.nodeId, issuers, logger, request });
    if (deps.issuing !== undefined) this.#begin(deps.issuing);
    else if (this.#mayIssue) this.#beginUnder(this.#grantedAuthority());
  }

  /** Who issues, as the bundle says, the holder of the root first; none while there is one alone. */
  get issuers(): readonly NodeId[] {
    return this.#deps.held.bundle.notes?.issuers ?? [];
  }

  get issuing(): Issuing | undefined {
    return this.#working?.issuing;
  }

  get desk(): WorkloadDesk | undefined {
    return this.#working?.desk;
  }

  get book(): EntryBook | undefined {
    return this.#working?.book;
  }

  /** What is due; every few seconds and with each bundle. What fails is tried again. */
  async upkeep(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      this.issuing?.keeper?.upkeep();
      await this.#keepGrant();
      if (this.#working !== undefined) await this.#links.exchange(this.#working.book);
    } catch (error) {
      const fields = { code: errorCode(error), error: errorMessage(error) };
      this.#deps.logger.warn(fields, "this issuer was not certified; it is tried again");
    } finally {
      this.#isBusy = false;
    }
  }

  /** Answers another issuer. @throws MeshError `control/not-issuer` */
  answer(request: Uint8Array, from: NodeId): Uint8Array {
    return this.#required().others.handle(request, from, this.#deps.clock.now());
  }

  /**
   * Before a join is decided here: a token of another issuer is used there, and the name is taken at all that are in reach.
   * @returns why it must be refused; undefined when this issuer may decide
   */
  async beforeJoin(
    request: Uint8Array,
    nodeId: NodeId,
  ): Promise<AttestationRefusalCode | undefined> {
    const parsed = parseAttestationRequest(request);
    if (this.#working === undefined || !parsed.ok || parsed.value.op !== "join") return undefined;
    const { ledger, names } = this.#working.issuing;
    const { secret, name } = parsed.value;
    const nowMs = this.#deps.clock.now().wallMs;
    await this.#links.redeem(ledger, { secret, nodeId, name }, nowMs);
    const isGood = ledger.check({ secret, nodeId, name, nowMs }).ok;
    if (!isGood || names.check(name, nodeId) !== "held") return undefined;
    return (await this.#links.claim(name, nodeId)) ? undefined : "identity/name-taken";
  }

  /** Takes a name that evidence gave at all issuers in reach. @returns whether it is free, or that node's */
  claim(name: string, nodeId: NodeId): Promise<boolean> {
    return this.#links.claim(name, nodeId);
  }

  get #mayIssue(): boolean {
    const { nodeId } = this.#deps.keys;
    return this.issuers.includes(nodeId) && this.issuers[0] !== nodeId;
  }

  async #keepGrant(): Promise<void> {
    const { store, held, issuing, logger } = this.#deps;
    if (issuing !== undefined) return;
    if (!this.#mayIssue) {
      if (store.grantedKeys() !== undefined) this.#end();
      return;
    }
    const [holder] = this.issuers;
    const granted = this.#grantedAuthority();
    if (holder !== undefined && granted.isDue(held.bundle.notes?.tainted ?? [])) {
      granted.accept(await this.#links.ask(holder, granted.request()));
      logger.info({}, "this issuer has a new intermediate");
    }
    if (this.#working !== undefined) return;
    this.#beginUnder(granted);
    this.#deps.onChange();
  }

  #grantedAuthority(): GrantedAuthority {
    const { keys, held } = this.#deps;
    const { trustDomain } = held.bundle;
    return (this.#granted ??= new GrantedAuthority({
      ...this.#deps,
      ...{ self: keys.nodeId, trustDomain },
    }));
  }

  #beginUnder(granted: GrantedAuthority): void {
    if (granted.id === "") return;
    const { held, svidLifetimeMs } = this.#deps;
    this.#begin(new Issuing(this.#deps, held, granted, svidLifetimeMs));
  }

  #begin(issuing: Issuing): void {
    const { engine } = this.#deps;
    const { desk, book } = issuing.openDesk(this.#deps);
    const { ledger, names, certify } = issuing;
    const isIssuer = (nodeId: NodeId): boolean => this.issuers.includes(nodeId);
    const others = new IssuerDesk({ engine, ledger, names, book, isIssuer, certify });
    this.#working = { issuing, desk, book, others };
  }

  #end(): void {
    const { store, keyFiles, logger } = this.#deps;
    store.forgetGranted();
    for (const name of keyFiles.names())
      if (/^(intermediate|workload-root|jwt)-/.test(name)) keyFiles.remove(name);
    this.#granted = undefined;
    this.#working = undefined;
    logger.info({}, "this node issues no longer");
    this.#deps.onChange();
  }

  #required(): Working {
    if (this.#working !== undefined) return this.#working;
    throw new MeshError(
      "control/not-issuer",
      "This node issues no credentials. Run the command on an issuer: meshctl peers shows the roles.",
    );
  }
}
