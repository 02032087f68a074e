// Summaries of other zones (and of the own one), verified, bounded and with an expiry. A zone has several claims: who
// may speak for it only its members can tell exactly, so of other zones the best ranked few publishers are kept.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs } from "../../ports/index.ts";
import type { MeshOptions } from "../options.ts";
import type { Rendezvous } from "./rendezvous.ts";
import { isLastWord, type ZoneSummary } from "./summary.ts";

/** Publishers kept per zone: one more than the default gateways, for the time of a handover. */
export const CLAIMS_PER_ZONE = 3;
/** A publisher silent for so many periods makes room for one of a lower rank. */
const QUIET_PERIODS = 1.5;

/** A verified summary. */
export interface Claim {
  readonly summary: ZoneSummary;
  /** The message, signature included. */
  readonly bytes: Uint8Array;
  /** SHA-256 of the signed part, hex. */
  readonly digest: string;
  /** When it was signed, as good as the clocks agree; never in the future. */
  readonly issuedAtMs: MonoMs;
}

type TableOptions = Pick<MeshOptions, "summariesMax" | "summaryTtlMs" | "summaryPeriodMs">;

/**
 * Claims by publisher and by zone. A publisher speaks for one zone at a time; its last word on one stands in no zone, and is
 * kept so that what it took back does not come again.
 */
export class SummaryTable {
  readonly #rendezvous: Rendezvous;
  readonly #options: TableOptions;
  readonly #byPublisher = new Map<NodeId, Claim>();
  readonly #byZone = new Map<string, Claim[]>();
  /** Publishers that contradicted themselves, until when they are not heard. */
  readonly #barred = new Map<NodeId, MonoMs>();

  constructor(rendezvous: Rendezvous, options: TableOptions) {
    this.#rendezvous = rendezvous;
    this.#options = options;
  }

  get(publisher: NodeId): Claim | undefined {
    return this.#byPublisher.get(publisher);
  }

  /** Every claim, in the order of arrival. */
  all(): IterableIterator<Claim> {
    return this.#byPublisher.values();
  }

  /** The claims of a zone, best ranked first. */
  of(zone: string): readonly Claim[] {
    return this.#byZone.get(zone) ?? [];
  }

  /** Names of the zones with a claim, ascending. */
  zones(): string[] {
    return [...this.#byZone.keys()].sort();
  }

  isBarred(publisher: NodeId): boolean {
    return this.#barred.has(publisher);
  }

  /** Whether such a summary would be kept. */
  hasRoom(summary: ZoneSummary, nowMs: MonoMs): boolean {
    const { zone, publisher } = summary;
    const known = this.#byPublisher.get(publisher)?.summary;
    if (isLastWord(summary)) return known !== undefined || this.#hasPlace();
    if (known?.zone === zone && !isLastWord(known)) return true;
    const claims = this.of(zone);
    if (claims.length >= CLAIMS_PER_ZONE)
      return this.#displaced(zone, publisher, nowMs) !== undefined;
    return known !== undefined || this.#hasPlace();
  }

  /** Keeps a summary that {@link hasRoom} has admitted, in the place of the publisher's last. */
  put(claim: Claim, nowMs: MonoMs): void {
    const { zone, publisher } = claim.summary;
    this.drop(publisher);
    if (isLastWord(claim.summary)) {
      this.#byPublisher.set(publisher, claim);
      return;
    }
    if (this.of(zone).length >= CLAIMS_PER_ZONE) {
      const displaced = this.#displaced(zone, publisher, nowMs);
      if (displaced === undefined) return;
      this.drop(displaced.summary.publisher);
    }
    this.#byPublisher.set(publisher, claim);
    // No spread: it leaves room for 17 claims, in every zone.
    const claims = this.of(zone).concat(claim);
    claims.sort((a, b) => this.#rendezvous.compare(zone, a.summary.publisher, b.summary.publisher));
    this.#byZone.set(zone, claims);
  }

  drop(publisher: NodeId): void {
    const claim = this.#byPublisher.get(publisher);
    if (claim === undefined) return;
    this.#byPublisher.delete(publisher);
    const { zone } = claim.summary;
    const left = this.of(zone).filter((one) => one !== claim);
    if (left.length === 0) this.#byZone.delete(zone);
    else this.#byZone.set(zone, left);
  }

  /** Forgets what the publisher said and hears it no more for as long as a summary lives. */
  bar(publisher: NodeId, nowMs: MonoMs): void {
    this.drop(publisher);
    const oldest = this.#barred.keys().next();
    if (this.#barred.size >= this.#options.summariesMax && oldest.done !== true)
      this.#barred.delete(oldest.value);
    this.#barred.set(publisher, (nowMs + this.#options.summaryTtlMs) as MonoMs);
  }

  /** Forgets what has not been renewed in time. */
  expire(nowMs: MonoMs): void {
    for (const [publisher, claim] of [...this.#byPublisher])
      if (nowMs - claim.issuedAtMs >= this.#options.summaryTtlMs) this.drop(publisher);
    for (const [publisher, untilMs] of [...this.#barred])
      if (nowMs >= untilMs) this.#barred.delete(publisher);
  }

  /**
   * The claim to believe: the best ranked one, unless a gateway that it names itself has since spoken for the zone
   * without naming it any more. So a dead gateway's word ends with its successor's first, while a stranger to the
   * best ranked publisher cannot take its place by being newer.
   */
  best(zone: string): Claim | undefined {
    const claims = this.of(zone);
    let best = claims[0];
    for (const claim of claims.slice(1))
      if (best !== undefined && succeeds(claim, best)) best = claim;
    return best;
  }

  #hasPlace(): boolean {
    return this.#byPublisher.size < this.#options.summariesMax;
  }

  /** Who has to go for the publisher: who is long silent, or the last ranked one if that is behind it. */
  #displaced(zone: string, publisher: NodeId, nowMs: MonoMs): Claim | undefined {
    const claims = this.of(zone);
    const quietMs = QUIET_PERIODS * this.#options.summaryPeriodMs;
    const quiet = claims.find((claim) => nowMs - claim.issuedAtMs > quietMs);
    if (quiet !== undefined) return quiet;
    const last = claims.at(-1);
    const isBehind =
      last !== undefined && this.#rendezvous.compare(zone, publisher, last.summary.publisher) < 0;
    return isBehind ? last : undefined;
  }
}

function succeeds(claim: Claim, before: Claim): boolean {
  const names = (by: Claim, whom: Claim): boolean =>
    by.summary.gateways.some(({ nodeId }) => nodeId === whom.summary.publisher);
  return claim.issuedAtMs > before.issuedAtMs && names(before, claim) && !names(claim, before);
}
