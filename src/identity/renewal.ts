// When an SVID is renewed: at half of its life, jittered so that nodes which joined together do not return together,
// and after failures with growing pauses. A holder keeps the current credential and what the operator is told of it.

import { MeshError } from "../foundation/index.ts";
import type { Meter, Random, WallMs } from "../ports/index.ts";
import { certificatesOf } from "./bound-chain.ts";
import type { IdentityErrorCode } from "./errors.ts";
import { NOT_BEFORE_BACKDATE_MS } from "./issuer.ts";
import {
  AUTHORITY_EXPIRY,
  SVID_EXPIRY,
  SVID_GRACE_END,
  SVID_ISSUE,
  SVID_RENEWALS,
} from "./metrics.ts";
import type { PeerIdentity } from "./peer-identity.ts";
import { describeCertificate } from "./x509/describe.ts";

/** At which share of its life an SVID is renewed, and by which share of that the moment moves at random. */
const RENEWAL_LIFE_RATIO = 0.5;
const RENEWAL_JITTER_RATIO = 0.1;

/** First pause after a failed renewal; doubles with each further failure. */
const RENEWAL_RETRY_MS_MIN = 5_000;
/** Longest pause: an issuer that comes back is found within it. */
const RENEWAL_RETRY_MS_MAX = 600_000;
/** A pause is never longer than this share of the life that is left. */
const RETRY_REMAINING_RATIO = 0.1;

/** What renewal needs of an identity. */
export type Validity = Pick<PeerIdentity, "notBeforeMs" | "notAfterMs">;

/** What an operator is told of a credential; in grace, it has expired and peers take it all the same. */
export type SvidHealth = "ok" | "renew-due" | "grace" | "expired";

/** A renewal that does not succeed. */
export interface RenewalOutage {
  /** Of the first attempt that failed. */
  readonly sinceMs: WallMs;
  /** Of the last one. */
  readonly code: string;
  readonly notAfterMs: WallMs;
  /** When peers drop this node. */
  readonly graceEndMs: WallMs;
}

/** When an identity was issued: its validity begins {@link NOT_BEFORE_BACKDATE_MS} earlier. */
function issueTime({ notBeforeMs, notAfterMs }: Validity): number {
  return Math.min(notBeforeMs + NOT_BEFORE_BACKDATE_MS, notAfterMs);
}

/** Share of its life, from the issue on, that an identity has left; 0 when it is over. */
export function lifeLeft(identity: Validity, nowMs: WallMs): number {
  const lifeMs = identity.notAfterMs - issueTime(identity);
  return lifeMs <= 0 ? 0 : Math.max(0, identity.notAfterMs - nowMs) / lifeMs;
}

/**
 * The wall time of renewal: 45 % to 55 % of the life since the issue. The validity begins earlier than that, by
 * {@link NOT_BEFORE_BACKDATE_MS}: counted from there, an SVID of some minutes would be due at once.
 */
export function renewalTime(identity: Validity, random: Pick<Random, "fraction">): WallMs {
  const issuedAtMs = issueTime(identity);
  const lifeMs = identity.notAfterMs - issuedAtMs;
  const jitter = (random.fraction() * 2 - 1) * RENEWAL_JITTER_RATIO;
  return Math.floor(issuedAtMs + lifeMs * RENEWAL_LIFE_RATIO * (1 + jitter)) as WallMs;
}

/**
 * The pause before the next attempt: 5 s doubled with each failure, at most 10 min and a tenth of the life that
 * is left, jittered by ±10 %, never under 5 s minus the jitter.
 * @param failures attempts that failed in a row, >= 1
 */
export function renewalRetryMs(
  failures: number,
  remainingMs: number,
  random: Pick<Random, "fraction">,
): number {
  const doubled = RENEWAL_RETRY_MS_MIN * 2 ** Math.min(failures - 1, 16);
  const bounded = Math.min(doubled, RENEWAL_RETRY_MS_MAX, remainingMs * RETRY_REMAINING_RATIO);
  const jitter = 1 + (random.fraction() * 2 - 1) * RENEWAL_JITTER_RATIO;
  return Math.floor(Math.max(bounded, RENEWAL_RETRY_MS_MIN) * jitter);
}

/** The health of a credential whose renewal is due at `dueAtMs`. */
export function svidHealth(
  identity: Validity,
  dueAtMs: WallMs,
  nowMs: WallMs,
  graceMs = 0,
): SvidHealth {
  if (nowMs > identity.notAfterMs + graceMs) return "expired";
  if (nowMs > identity.notAfterMs) return "grace";
  return nowMs >= dueAtMs ? "renew-due" : "ok";
}

/** Holds the credential in use. Replacing it needs no connection to be dropped: peers keep what they verified. */
export class SvidHolder {
  readonly #meter: Meter;
  readonly #random: Pick<Random, "fraction">;
  #identity: PeerIdentity;
  #dueAtMs: WallMs;
  #renewAtMs: WallMs;
  readonly #graceMs: number;
  readonly #clockSkewMs: number;
  #failures = 0;
  #failing: (Pick<RenewalOutage, "sinceMs" | "code"> & { readonly lastMs: WallMs }) | undefined;

  constructor(
    deps: { readonly meter: Meter; readonly random: Pick<Random, "fraction"> },
    identity: PeerIdentity,
    options: { readonly graceMs?: number; readonly clockSkewMs?: number } = {},
  ) {
    this.#meter = deps.meter;
    this.#random = deps.random;
    this.#identity = identity;
    this.#graceMs = options.graceMs ?? 0;
    this.#clockSkewMs = options.clockSkewMs ?? 0;
    this.#dueAtMs = renewalTime(identity, deps.random);
    this.#renewAtMs = this.#dueAtMs;
    this.#publishExpiry();
  }

  get identity(): PeerIdentity {
    return this.#identity;
  }

  /** When the next renewal is due; after a failure, when it is tried again. */
  get renewAtMs(): WallMs {
    return this.#renewAtMs;
  }

  /**
   * Whether to renew now. A clock that was put back makes it due, too: peers refuse an SVID of the future, and a pause until a time of
   * the old clock would be as long as the step.
   */
  isDue(nowMs: WallMs): boolean {
    if (nowMs >= this.#renewAtMs) return true;
    if (this.#failing !== undefined) return nowMs < this.#failing.lastMs;
    return nowMs < this.#identity.notBeforeMs - this.#clockSkewMs;
  }

  health(nowMs: WallMs): SvidHealth {
    return svidHealth(this.#identity, this.#dueAtMs, nowMs, this.#graceMs);
  }

  /** Since when renewal fails, and how long that can last; undefined while it does not. */
  get outage(): RenewalOutage | undefined {
    if (this.#failing === undefined) return undefined;
    const { sinceMs, code } = this.#failing;
    const { notAfterMs } = this.#identity;
    return { sinceMs, code, notAfterMs, graceEndMs: this.graceEndMs };
  }

  /** When peers drop this node unless it is renewed. */
  get graceEndMs(): WallMs {
    return (this.#identity.notAfterMs + this.#graceMs) as WallMs;
  }

  /**
   * Takes a renewed credential of the same node and name.
   * @throws MeshError `identity/svid-not-ours`; the old credential stays
   */
  renewed(identity: PeerIdentity): void {
    if (
      identity.nodeId !== this.#identity.nodeId ||
      identity.spiffeId !== this.#identity.spiffeId
    ) {
      throw new MeshError<IdentityErrorCode>(
        "identity/svid-not-ours",
        `Cannot take the SVID of '${identity.spiffeId}': this node is '${this.#identity.spiffeId}'. Check the issuer.`,
      );
    }
    this.#identity = identity;
    this.#failures = 0;
    this.#failing = undefined;
    this.#dueAtMs = renewalTime(identity, this.#random);
    this.#renewAtMs = this.#dueAtMs;
    this.#meter.count(SVID_RENEWALS, { result: "ok" });
    this.#publishExpiry();
  }

  /** Makes the renewal due: the credential is to be replaced before its time. */
  hurry(nowMs: WallMs): void {
    this.#renewAtMs = Math.min(this.#renewAtMs, nowMs) as WallMs;
  }

  /** Notes a failed renewal with its code, and sets the next attempt. */
  failed(nowMs: WallMs, code: string): void {
    this.#failures += 1;
    this.#failing = { sinceMs: this.#failing?.sinceMs ?? nowMs, code, lastMs: nowMs };
    const remainingMs = this.#identity.notAfterMs - nowMs;
    this.#renewAtMs = (nowMs + renewalRetryMs(this.#failures, remainingMs, this.#random)) as WallMs;
    this.#meter.count(SVID_RENEWALS, { result: "failed" });
  }

  #publishExpiry(): void {
    const { notAfterMs, chain } = this.#identity;
    this.#meter.set(SVID_EXPIRY, Math.floor(notAfterMs / 1000));
    this.#meter.set(SVID_GRACE_END, Math.floor(this.graceEndMs / 1000));
    this.#meter.set(SVID_ISSUE, Math.floor(issueTime(this.#identity) / 1000));
    const intermediates = certificatesOf(chain)
      .slice(1)
      .map((der) => describeCertificate(der).notAfterMs);
    if (intermediates.length === 0) return;
    const firstMs = Math.min(...intermediates);
    this.#meter.set(AUTHORITY_EXPIRY, Math.floor(firstMs / 1000), { authority: "intermediate" });
  }
}
