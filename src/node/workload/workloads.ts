// The identities of this node's workloads: which entries there are, their SVIDs, and who gets what. It asks the issuer every few
// seconds for what is new, so an entry works within that time on every node; what it holds outlasts the issuer's absence.

import { nativeEs256 } from "../../adapters/crypto/es256.ts";
import type {
  DomainBundle,
  JwtSvid,
  WorkloadCode,
  WorkloadSource,
  WorkloadView,
} from "../../adapters/workload-api/source.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import {
  concatBytes,
  errorCode,
  errorMessage,
  MeshError,
  ok,
  refuse,
  type Result,
} from "../../foundation/index.ts";
import {
  algorithmsOf,
  encodeSvidMessage,
  entriesDigest,
  hintOf,
  jwtBundleToJson,
  type NodeId,
  parseEntry,
  parseSvidResponse,
  type RegistrationEntry,
  selects,
  type SvidRequest,
  type SvidResponse,
  type TrustBundle,
  type ValidatedJwt,
  validateJwtSvid,
} from "../../identity/index.ts";
import type { Clock, Logger, Meter, Random } from "../../ports/index.ts";
import { SocketPart } from "../socket-part.ts";
import { ForeignBundles } from "./foreign-bundles.ts";
import { HeldSvids } from "./held-svids.ts";
import { HeldTokens } from "./held-tokens.ts";
import { ISSUER_CONTACT, ROTATIONS, SVIDS, WORKLOAD_SVID_EXPIRY } from "./metrics.ts";

/** How often the issuer is asked for what is new; jittered by a tenth. */
const SYNC_MS = 5_000;
/** The same until the first answer: a node that has just started soon meets its issuer. */
const FIRST_SYNC_MS = 500;

export interface WorkloadsDeps {
  readonly engine: CryptoEngine;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly self: NodeId;
  readonly bundle: () => TrustBundle;
  /** Takes a signed bundle; whether it is newer than the one that is held. */
  readonly adopt: (signed: Uint8Array) => boolean;
  /** Sends a request to an issuer. */
  readonly ask: (request: Uint8Array) => Promise<Uint8Array>;
  /** Hears of changed entries, where this node is the issuer. */
  readonly onEntries?: (listener: () => void) => unknown;
}

export class Workloads implements WorkloadSource {
  readonly #deps: WorkloadsDeps;
  readonly #options: { readonly trustDomain: string; readonly clockSkewMs: number };
  readonly #svids: HeldSvids;
  readonly #tokens: HeldTokens;
  readonly #foreign: ForeignBundles;
  readonly #listeners = new Set<() => void>();
  #entries: readonly RegistrationEntry[] = [];
  #isSynced = false;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #isStopped = false;
  #again = false;
  #socket: SocketPart | undefined;
  /** Since when the issuer has not answered; undefined while it does. */
  #silentSinceMs: number | undefined;

  constructor(deps: WorkloadsDeps, options: { trustDomain: string; clockSkewMs: number }) {
    this.#deps = deps;
    this.#options = options;
    const ask = (request: SvidRequest): Promise<SvidResponse> => this.#ask(request);
    this.#tokens = new HeldTokens({ clock: deps.clock, ask });
    this.#foreign = new ForeignBundles({ ...deps, ask });
    this.#svids = new HeldSvids({
      ...deps,
      ask,
      attempted: (result, entry, error) => {
        deps.meter.count(ROTATIONS, { result });
        if (result === "ok") deps.logger.debug({ entry }, "workload SVID issued");
        else
          deps.logger.warn(
            { code: errorCode(error), error: errorMessage(error), entry },
            "workload SVID not issued; it is tried again",
          );
      },
    });
    deps.onEntries?.(() => this.#work());
  }

  /** Serves the Workload API. @throws MeshError `control/bad-socket-path` and the like */
  async start(socketPath: string): Promise<void> {
    const { startWorkloadApi } = await import("../../adapters/workload-api/server.ts");
    this.#socket = new SocketPart(socketPath, () =>
      startWorkloadApi({ ...this.#deps, source: this }, socketPath),
    );
    await this.#socket.start();
    this.#work();
  }

  /** Where workloads call, once it is served. */
  get socket(): SocketPart | undefined {
    return this.#socket;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#socket?.stop();
  }

  /** How long the issuer has not answered, and until when the first SVID lasts; undefined while it answers. */
  outage(): { readonly sinceMs: number; readonly untilMs: number | undefined } | undefined {
    if (this.#silentSinceMs === undefined) return undefined;
    return { sinceMs: this.#silentSinceMs, untilMs: this.#firstExpiryMs() };
  }

  /** Another bundle counts: workloads are told, and SVIDs of an authority that is tainted or gone are replaced. */
  bundleChanged(): void {
    this.#tokens.forget();
    this.#svids.bundleChanged();
    for (const listener of this.#listeners) listener();
    this.#work();
  }

  get wantsDigest(): boolean {
    return this.#entries.some(({ selectors }) =>
      selectors.some((selector) => selector.startsWith("unix:sha256:")),
    );
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  view(selectors: ReadonlySet<string>): Result<WorkloadView, WorkloadCode> {
    const entries = this.#entriesOf(selectors);
    if (!entries.ok) return entries;
    const hints = new Set<string>();
    const svids = entries.value.flatMap((entry) =>
      algorithmsOf(entry.profile).flatMap((algorithm) => {
        const held = this.#svids.find(entry, algorithm);
        if (held === undefined) return [];
        const hint = onlyOnce(hints, hintOf(entry, algorithm));
        return [{ spiffeId: entry.spiffeId, chain: held.chain, key: held.key, hint }];
      }),
    );
    const federated = this.#foreign.of(entries.value);
    return ok({ svids, bundle: domainBundle(this.#deps.bundle()), federated });
  }

  async jwt(
    selectors: ReadonlySet<string>,
    { audience, spiffeId }: { readonly audience: readonly string[]; readonly spiffeId: string },
  ): Promise<Result<readonly JwtSvid[], WorkloadCode>> {
    const all = this.#entriesOf(selectors);
    if (!all.ok) return all;
    const entries = all.value.filter((entry) => spiffeId === "" || entry.spiffeId === spiffeId);
    if (entries.length === 0) return refuse("workload/no-identity");
    const hints = new Set<string>();
    try {
      const tokens = await Promise.all(entries.map((entry) => this.#tokens.get(entry, audience)));
      const svids = entries.map(({ spiffeId: id, hint }, index) => ({
        ...{ spiffeId: id, token: tokens[index] ?? "", hint: onlyOnce(hints, hint) },
      }));
      return ok(svids);
    } catch (error) {
      this.#deps.logger.warn(
        { code: errorCode(error), error: errorMessage(error) },
        "JWT-SVID not issued",
      );
      return refuse("workload/not-ready");
    }
  }

  validateJwt(
    selectors: ReadonlySet<string>,
    { audience, token }: { readonly audience: string; readonly token: string },
  ): Result<ValidatedJwt, WorkloadCode> {
    const entries = this.#entriesOf(selectors);
    if (!entries.ok) return entries;
    const bundle = this.#deps.bundle();
    const valid = validateJwtSvid({
      ...{ es256: nativeEs256, token, audience, clockSkewMs: this.#options.clockSkewMs },
      bundleOf: (trustDomain) =>
        trustDomain === bundle.trustDomain
          ? bundle
          : this.#foreign.find(entries.value, trustDomain),
      nowMs: this.#deps.clock.now().wallMs,
    });
    return valid.ok ? valid : refuse("workload/jwt-invalid", valid.code);
  }

  /** The entries of a process; none is a refusal once this node knows what there is. */
  #entriesOf(selectors: ReadonlySet<string>): Result<RegistrationEntry[], WorkloadCode> {
    const entries = this.#entries.filter((entry) => selects(entry.selectors, selectors));
    if (entries.length > 0) return ok(entries);
    return refuse(this.#isSynced ? "workload/no-identity" : "workload/not-ready");
  }

  /** One round of asking; while it is under way, another one is put behind it. */
  #work(): void {
    this.#again = true;
    this.#working ??= this.#rounds().finally(() => (this.#working = undefined));
  }

  async #rounds(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#again && !this.#isStopped) {
      this.#again = false;
      await this.#round();
    }
    if (this.#isStopped) return;
    const jitter = 0.9 + this.#deps.random.fraction() / 5;
    this.#timer = setTimeout(
      () => this.#work(),
      (this.#isSynced ? SYNC_MS : FIRST_SYNC_MS) * jitter,
    );
  }

  async #round(): Promise<void> {
    const { logger, clock } = this.#deps;
    let isChanged = false;
    try {
      isChanged = await this.#sync();
      isChanged = (await this.#foreign.sync(this.#entries)) || isChanged;
      this.#silentSinceMs = undefined;
    } catch (error) {
      this.#silentSinceMs ??= clock.now().wallMs;
      logger.debug(
        { code: errorCode(error), error: errorMessage(error) },
        "no issuer told of workloads; it is asked again",
      );
    }
    isChanged = (await this.#svids.keep(this.#entries)) || isChanged;
    this.#publish();
    if (isChanged) for (const listener of this.#listeners) listener();
  }

  /** @returns whether bundle or entries have changed @throws MeshError when no issuer gave a good answer */
  async #sync(): Promise<boolean> {
    const { engine, bundle, adopt } = this.#deps;
    const answer = await this.#ask({
      op: "sync",
      bundleSequence: bundle().sequence,
      entriesDigest: entriesDigest(engine, this.#entries),
    });
    if (answer.result !== "sync")
      throw new MeshError(
        answer.result === "refused" ? answer.code : "identity/response-malformed",
        "The issuer told no entries.",
      );
    const isNewBundle = answer.bundle !== undefined && adopt(answer.bundle);
    if (answer.entries !== undefined) this.#entries = this.#checked(answer.entries);
    const isFirst = !this.#isSynced;
    this.#isSynced = true;
    return isNewBundle || isFirst || answer.entries !== undefined;
  }

  /** What an issuer tells is checked as if an operator had written it here. */
  #checked(entries: readonly unknown[]): RegistrationEntry[] {
    return entries.map((value) => {
      const entry = parseEntry(value, this.#options.trustDomain);
      if (entry.ok) return entry.value;
      throw new MeshError(entry.code, `The issuer told of a bad entry: ${entry.detail ?? ""}.`);
    });
  }

  async #ask(request: SvidRequest): Promise<SvidResponse> {
    const response = parseSvidResponse(await this.#deps.ask(encodeSvidMessage(request)));
    if (response.ok) return response.value;
    throw new MeshError(response.code, "The issuer's answer is malformed.");
  }

  #firstExpiryMs(): number | undefined {
    const all = this.#svids.all();
    return all.length === 0 ? undefined : Math.min(...all.map(({ notAfterMs }) => notAfterMs));
  }

  #publish(): void {
    const { meter } = this.#deps;
    meter.set(SVIDS, this.#svids.all().length);
    meter.set(WORKLOAD_SVID_EXPIRY, Math.floor((this.#firstExpiryMs() ?? 0) / 1000));
    meter.set(ISSUER_CONTACT, this.#silentSinceMs === undefined ? 1 : 0);
  }
}

function domainBundle(bundle: TrustBundle): DomainBundle {
  const { trustDomain, authorities, workloadAuthorities = [] } = bundle;
  return {
    trustDomain,
    x509: concatBytes(...workloadAuthorities, ...authorities),
    jwks: jwtBundleToJson(bundle),
  };
}

/** A hint that another SVID has already is left out: hints tell SVIDs apart. */
function onlyOnce(hints: Set<string>, hint: string): string {
  if (hints.has(hint)) return "";
  hints.add(hint);
  return hint;
}
