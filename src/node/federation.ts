// Federation with other trust domains: their bundles are fetched from the endpoints that an operator named, by the hint that
// each gives, kept over restarts, and never merged with ours. Our own bundle is served to them.

import {
  type BundleServer,
  fileCredentials,
  startBundleServer,
} from "../adapters/http/bundle-server.ts";
import { readFileSync } from "node:fs";
import { endpointUrl, fetchBundle, type SpiffeEndpoint } from "../adapters/http/bundle-client.ts";
import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { Config } from "../config/index.ts";
import type { Body, FederateRequest, Federation as FederationList } from "../control/index.ts";
import { errorCode, errorMessage, MeshError } from "../foundation/index.ts";
import {
  type AuditTrail,
  BUNDLE_MAP_DOMAINS_MAX,
  bundleMapToJson,
  bundleToJson,
  type ForeignBundle,
  formatSpiffeId,
  isBundleMap,
  isTrustDomain,
  parseBundleMap,
  parseSpiffeId,
  publicBundle,
  readForeignBundle,
  type TrustBundle,
} from "../identity/index.ts";
import type { EndpointSvid } from "./endpoint-svid.ts";
import type { Clock, Logger, Meter, MetricDeclaration } from "../ports/index.ts";

/** Most relationships. */
export const FEDERATIONS_MAX = BUNDLE_MAP_DOMAINS_MAX - 1;
/** Polled as often when the endpoint does not say (SPIFFE_Federation.md section 5.1). */
const POLL_MS = 300_000;
const POLL_MS_MIN = 60_000;
const POLL_MS_MAX = 86_400_000;
/** A bundle is stale after so many polls without success. */
const MISSED_MAX = 3;
const UPKEEP_MS = 5_000;

const FETCHES = "meshd_federation_fetches_total";
const FETCHED_AT = "meshd_federation_bundle_fetch_timestamp_seconds";

export const federationMetrics: readonly MetricDeclaration[] = [
  {
    name: FETCHES,
    kind: "counter",
    help: "One attempt to fetch the bundle of another trust domain.",
    labels: { result: ["ok", "failed"] },
  },
  {
    name: FETCHED_AT,
    kind: "gauge",
    help: "When the bundle of a trust domain was fetched last, in seconds since 1970 (UTC); 0 once it is federated with no longer.",
    labels: { trust_domain: null },
  },
];

export interface FederationDeps {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly logger: Logger;
  readonly audit: AuditTrail;
  /** This node's trust domain; `undefined` while it is in none. */
  readonly trustDomain: () => string | undefined;
  /** The document that is served. */
  readonly bundle: () => string | undefined;
  /** What the endpoint shows under https_spiffe. */
  readonly endpointSvid?: EndpointSvid;
}

/** As it is stored, in JSON. */
interface Relationship {
  readonly trustDomain: string;
  readonly url: string;
  readonly caFile: string | null;
  /** Of the profile https_spiffe; absent in what an older meshd stored. */
  readonly endpoint?: StoredEndpoint | null;
  readonly bundle: string;
  readonly fetchedAtMs: number;
}

/** Who the endpoint is, and the bundle of its trust domain that the operator gave. */
interface StoredEndpoint {
  readonly spiffeId: string;
  readonly bundle: string;
}

interface Fetched extends Relationship {
  readonly read: ForeignBundle;
}

interface Watched extends Fetched {
  /** Monotonic. */
  readonly dueMs: number;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export class Federation {
  readonly #deps: FederationDeps;
  readonly #config: Config["federation"];
  readonly #watched = new Map<string, Watched>();
  readonly #fetching = new Set<string>();
  #server: BundleServer | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: FederationDeps, config: Config["federation"]) {
    this.#deps = deps;
    this.#config = config;
    for (const text of deps.store.federations()) {
      const stored = JSON.parse(text) as Relationship;
      const { trustDomain } = stored;
      const read = readForeignBundle(trustDomain, stored.bundle);
      // After a restart all are asked at once: they may have changed meanwhile. One that an older meshd took and this one
      // does not is asked for again, and keeps no node from starting.
      this.#watched.set(trustDomain, {
        ...{ ...stored, dueMs: 0, error: null },
        read: read.ok
          ? read.value
          : {
              ...{ trustDomain, sequence: 0, refreshHintS: undefined, keys: {} },
              ...{ x509: [], jwks: '{"keys":[]}' },
            },
      });
      this.#meterFetched(stored);
    }
  }

  /** @throws MeshError `federation/bad-certificate`, `federation/cannot-listen` */
  async start(): Promise<void> {
    await this.#serve();
    this.#timer = setInterval(() => void this.upkeep(), UPKEEP_MS);
    void this.upkeep();
  }

  /** Under https_spiffe there is nothing to show before this node issues. */
  async #serve(): Promise<void> {
    const { listen, profile, certificateFile, keyFile } = this.#config;
    const { bundle, logger, endpointSvid } = this.#deps;
    if (listen === "off" || this.#server !== undefined) return;
    const isSpiffe = profile === "https_spiffe";
    if (isSpiffe ? endpointSvid?.isReady !== true : certificateFile === null || keyFile === null)
      return;
    const credentials =
      (isSpiffe ? endpointSvid : undefined) ??
      fileCredentials(certificateFile ?? "", keyFile ?? "");
    this.#server = await startBundleServer({ ...listen, credentials, bundle, logger });
    logger.info({ address: this.#server.address, profile }, "the trust bundle is served");
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server?.stop();
  }

  list(): Body<FederationList> {
    return {
      endpoint: this.#server?.address ?? null,
      federations: [...this.#watched.values()].map((one) => this.#view(one)),
    };
  }

  /** What is kept of a trust domain; undefined when it is not federated with. */
  documentOf(trustDomain: string): string | undefined {
    return this.#watched.get(trustDomain)?.bundle;
  }

  /** Fetches what is due, and takes a changed certificate; every five seconds. */
  async upkeep(): Promise<void> {
    if (this.#server === undefined) await this.#serveLater();
    else this.#server.renew();
    const now = this.#deps.clock.now().monoMs;
    const due = [...this.#watched.values()].filter(({ dueMs }) => now >= dueMs);
    await Promise.all(due.map((one) => this.#poll(one)));
  }

  async #serveLater(): Promise<void> {
    try {
      await this.#serve();
    } catch (error) {
      const fields = { code: errorCode(error), error: errorMessage(error) };
      this.#deps.logger.warn(fields, "the trust bundle is not served yet");
    }
  }

  /** The own document. @throws MeshError `control/not-enrolled` */
  ownBundle(): { readonly bundle: string } {
    const bundle = this.#deps.bundle();
    if (bundle !== undefined) return { bundle };
    throw new MeshError(
      "control/not-enrolled",
      "This node is in no mesh yet. Run meshctl init or meshctl join first.",
    );
  }

  /** The bundle map: our own document and those of all that we federate with. @throws MeshError `control/not-enrolled` */
  bundleMap(): { readonly bundle: string } {
    const { bundle } = this.ownBundle();
    const own: readonly [string, string] = [this.#deps.trustDomain() ?? "", bundle];
    const others = [...this.#watched.values()].map((one) => [one.trustDomain, one.bundle] as const);
    return { bundle: bundleMapToJson(new Map([own, ...others])) };
  }

  /** Trust domains whose bundle is older than three polls. */
  stale(): string[] {
    const now = this.#deps.clock.now().wallMs;
    return [...this.#watched.values()]
      .filter((one) => now - one.fetchedAtMs > MISSED_MAX * intervalOf(one))
      .map(({ trustDomain }) => trustDomain);
  }

  /**
   * Begins a relationship, or gives it another address. It counts once its bundle was fetched.
   * @throws MeshError `federation/*`, `identity/bundle-malformed`, `audit/write-failed`
   */
  async add(request: FederateRequest): Promise<Body<FederationList>> {
    const { trustDomain, url, caFile } = request;
    const own = this.#deps.trustDomain();
    if (!isTrustDomain(trustDomain) || trustDomain === own) throw notForeign(trustDomain);
    if (!this.#watched.has(trustDomain) && this.#watched.size >= FEDERATIONS_MAX) throw tooMany();
    const address = endpointUrl(url).href;
    const endpoint = request.endpoint === undefined ? null : storedEndpoint(request.endpoint);
    const fetched = await this.#fetch({
      ...{ trustDomain, url: address, caFile: caFile ?? null, endpoint },
      bundle: undefined,
    });
    const fields = { url: address, sequence: fetched.read.sequence };
    this.#deps.audit.record({ event: "federation.add", subject: idOf(trustDomain), fields });
    this.#keep(fetched);
    return this.#only(trustDomain);
  }

  /** Fetches now. @throws MeshError `federation/*`, `identity/bundle-malformed` */
  async refresh(trustDomain: string): Promise<Body<FederationList>> {
    const known = this.#known(trustDomain);
    await this.#poll(known);
    const { error } = this.#known(trustDomain);
    if (error !== null) throw new MeshError(error.code, error.message, { trustDomain });
    return this.#only(trustDomain);
  }

  /** Ends a relationship: its bundle is forgotten. @throws MeshError `federation/unknown` */
  remove(trustDomain: string): Body<FederationList> {
    this.#known(trustDomain);
    const { store, audit, meter } = this.#deps;
    audit.note({ event: "federation.remove", subject: idOf(trustDomain) });
    store.saveFederation(trustDomain, undefined);
    this.#watched.delete(trustDomain);
    meter.set(FETCHED_AT, 0, { trust_domain: trustDomain });
    return this.list();
  }

  async #poll(known: Watched): Promise<void> {
    const { trustDomain } = known;
    if (this.#fetching.has(trustDomain)) return;
    this.#fetching.add(trustDomain);
    try {
      const fetched = await this.#fetch(known);
      this.#refuseOlder(known, fetched);
      if (!this.#watched.has(trustDomain)) return; // removed meanwhile
      if (fetched.bundle !== known.bundle) {
        const fields = { sequence: fetched.read.sequence };
        this.#deps.audit.note({ event: "federation.update", subject: idOf(trustDomain), fields });
      }
      this.#keep(fetched);
    } catch (error) {
      const told = { code: errorCode(error), message: errorMessage(error) };
      this.#deps.logger.warn({ ...told, trustDomain }, "bundle not refreshed; it is tried again");
      const dueMs = this.#deps.clock.now().monoMs + intervalOf(known);
      const current = this.#watched.get(trustDomain);
      if (current !== undefined) this.#watched.set(trustDomain, { ...current, dueMs, error: told });
    } finally {
      this.#fetching.delete(trustDomain);
    }
  }

  /** @param known its `bundle` is undefined at first */
  async #fetch(
    known: Pick<Relationship, "trustDomain" | "url" | "caFile" | "endpoint"> & {
      readonly bundle: string | undefined;
    },
  ): Promise<Fetched> {
    const { trustDomain, url, caFile, endpoint = null } = known;
    const { meter, clock } = this.#deps;
    try {
      const spiffe = endpoint === null ? undefined : this.#spiffe(endpoint, known);
      const bundle = await fetchBundle({ url, caFile: caFile ?? undefined, spiffe });
      const read = readOrThrow({ trustDomain, bundle });
      meter.count(FETCHES, { result: "ok" });
      const fetchedAtMs = clock.now().wallMs;
      return { trustDomain, url, caFile, endpoint, bundle, fetchedAtMs, read };
    } catch (error) {
      meter.count(FETCHES, { result: "failed" });
      throw error;
    }
  }

  /**
   * What verifies an https_spiffe endpoint. One that serves its own trust domain is verified by what it gave last; others by what this
   * node fetches of their trust domain. What the operator gave counts until then.
   */
  #spiffe(
    { spiffeId, bundle: given }: StoredEndpoint,
    known: { readonly trustDomain: string; readonly bundle: string | undefined },
  ): SpiffeEndpoint {
    const id = parseSpiffeId(spiffeId);
    const trustDomain = id.ok ? id.value.trustDomain : "";
    const latest =
      trustDomain === known.trustDomain ? known.bundle : this.#watched.get(trustDomain)?.bundle;
    return { spiffeId, roots: readOrThrow({ trustDomain, bundle: latest ?? given }).x509 };
  }

  /** Who could put an old bundle back, could bring keys back that were revoked. */
  #refuseOlder(known: Fetched, fetched: Fetched): void {
    const [before, now] = [known.read.sequence, fetched.read.sequence];
    if (now >= before) return;
    throw new MeshError(
      "federation/rolled-back",
      `The endpoint of ${known.trustDomain} gives bundle ${now}, after ${before} was known. If its operator has begun to count anew, remove the relationship and add it again.`,
      { trustDomain: known.trustDomain },
    );
  }

  #keep(fetched: Fetched): void {
    const { store, clock } = this.#deps;
    const { read: _, ...stored } = fetched;
    store.saveFederation(fetched.trustDomain, JSON.stringify(stored));
    const dueMs = clock.now().monoMs + intervalOf(fetched);
    this.#watched.set(fetched.trustDomain, { ...fetched, dueMs, error: null });
    this.#meterFetched(fetched);
  }

  #meterFetched({ trustDomain, fetchedAtMs }: Relationship): void {
    this.#deps.meter.set(FETCHED_AT, fetchedAtMs / 1_000, { trust_domain: trustDomain });
  }

  #known(trustDomain: string): Watched {
    const known = this.#watched.get(trustDomain);
    if (known !== undefined) return known;
    throw new MeshError(
      "federation/unknown",
      `There is no federation with '${trustDomain}'. See meshctl trust federate list.`,
      { trustDomain },
    );
  }

  #only(trustDomain: string): Body<FederationList> {
    const { endpoint } = this.list();
    return { endpoint, federations: [this.#view(this.#known(trustDomain))] };
  }

  #view(one: Watched): FederationList["federations"][number] {
    const { trustDomain, url, caFile, endpoint, fetchedAtMs, error, read } = one;
    const { sequence, keys } = read;
    const endpointId = endpoint?.spiffeId ?? null;
    return {
      ...{ trustDomain, url, caFile, sequence, keys: { ...keys }, error, endpointId },
      profile: endpointId === null ? "https_web" : "https_spiffe",
      refreshSeconds: intervalOf(one) / 1_000,
      fetchedAt: new Date(fetchedAtMs).toISOString(),
    };
  }
}

/** The document for other trust domains: it asks them to come back as often as nobody tells them to. */
export function servedBundle(bundle: TrustBundle): string {
  return bundleToJson({
    ...publicBundle(bundle),
    refreshHintS: bundle.refreshHintS ?? POLL_MS / 1_000,
  });
}

function idOf(trustDomain: string): string {
  return `spiffe://${trustDomain}`;
}

function intervalOf({ read: { refreshHintS } }: Fetched): number {
  if (refreshHintS === undefined) return POLL_MS;
  return Math.min(POLL_MS_MAX, Math.max(POLL_MS_MIN, refreshHintS * 1_000));
}

/** Reads what the operator names for https_spiffe. @throws MeshError `federation/bad-endpoint`, `federation/bad-bundle` */
function storedEndpoint({
  spiffeId,
  bundleFile,
}: NonNullable<FederateRequest["endpoint"]>): StoredEndpoint {
  const id = parseSpiffeId(spiffeId);
  if (!id.ok || id.value.segments.length === 0)
    throw new MeshError(
      "federation/bad-endpoint",
      "Cannot use the endpoint's SPIFFE id: it must be spiffe://trust-domain/path. Ask the other trust domain's operator for it.",
    );
  const { trustDomain } = id.value;
  let bundle: string;
  try {
    bundle = readFileSync(bundleFile, "utf8");
  } catch (cause) {
    throw new MeshError(
      "federation/bad-bundle",
      `Cannot read the endpoint's first bundle: ${errorMessage(cause)}. Name a file on the daemon's host with the bundle of '${trustDomain}' in SPIFFE's JSON form.`,
      { file: bundleFile },
      { cause },
    );
  }
  if (isBundleMap(bundle)) bundle = inMap(trustDomain, bundle);
  readOrThrow({ trustDomain, bundle });
  return { spiffeId: formatSpiffeId(id.value), bundle };
}

/** The document of a trust domain in a bundle map. @throws MeshError `federation/bad-bundle` */
function inMap(trustDomain: string, text: string): string {
  const map = parseBundleMap(text);
  if (!map.ok) throw malformed(trustDomain, map.detail ?? "");
  const bundle = map.value.get(trustDomain);
  if (bundle === undefined) throw malformed(trustDomain, "the map has no such trust domain");
  return bundle;
}

/** @throws MeshError `federation/bad-bundle` */
function readOrThrow({
  trustDomain,
  bundle,
}: Pick<Relationship, "trustDomain" | "bundle">): ForeignBundle {
  const read = readForeignBundle(trustDomain, bundle);
  if (!read.ok) throw malformed(trustDomain, read.detail ?? "");
  return read.value;
}

function notForeign(trustDomain: string): MeshError {
  return new MeshError(
    "federation/bad-trust-domain",
    `Cannot federate with '${trustDomain}': it must be the name of another trust domain, a-z 0-9 . - _ alone. Leave spiffe:// out.`,
    { trustDomain },
  );
}

function tooMany(): MeshError {
  return new MeshError(
    "federation/too-many",
    `There are ${FEDERATIONS_MAX} federated trust domains already. Remove one first: meshctl trust federate remove.`,
  );
}

function malformed(trustDomain: string, detail: string): MeshError {
  return new MeshError(
    "federation/bad-bundle",
    `What was given for ${trustDomain} is no SPIFFE bundle (${detail}). Check the address or file; the bundle that is known stays.`,
    { trustDomain },
  );
}
