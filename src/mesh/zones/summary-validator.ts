// Which summaries are believed: cheap checks first, the signature last, one code for each refusal. As with beacons, a
// message is charged to the peer that brought it until it is proven to be its publisher's.

import type { CryptoEngine } from "../../crypto/index.ts";
import { type Refusal, refuse } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Meter, MonoMs, Now } from "../../ports/index.ts";
import { RateLimiter } from "../beacons/rate-limiter.ts";
import type { SummaryRejectCode } from "../beacons/reject-codes.ts";
import { ownIntake } from "../intake.ts";
import type { Intake, MeshDeps } from "../machine-types.ts";
import type { MeshOptions } from "../options.ts";
import { isLastWord, summaryContext, type ZoneSummary } from "./summary.ts";
import type { Claim, SummaryTable } from "./summary-table.ts";

/** How far clocks may differ, beside the allowance for SVIDs, before a summary counts as held back. */
const CLOCK_TOLERANCE_MS = 60_000;

/** A refusal, with the publisher when it could be parsed. */
export type SummaryRefused = Refusal<SummaryRejectCode> & { readonly publisher?: NodeId };

export type SummaryCheck =
  | { readonly ok: true; readonly claim: Claim }
  | SummaryRefused
  | { readonly ok: "need-identity"; readonly nodeId: NodeId };

type ValidatorDeps = Pick<MeshDeps, "identities" | "allows" | "intake"> & {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly meter: Meter;
  readonly self: NodeId;
  readonly table: SummaryTable;
  /** Whether a node may speak for a zone, as far as this node can tell. */
  readonly mayPublish: (publisher: NodeId, zone: string) => boolean;
};

/** Checks summaries; changes nothing but its token buckets and the bars of the table. */
export class SummaryValidator {
  readonly #deps: ValidatorDeps;
  readonly #options: MeshOptions;
  readonly #intake: Intake;
  readonly #forwarders: RateLimiter;
  readonly #publishers: RateLimiter;

  constructor(deps: ValidatorDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#intake = deps.intake ?? ownIntake;
    const { forwarderBurst, forwarderPerSecond, bucketsMax, stateBurst } = options;
    this.#forwarders = new RateLimiter({
      ...{ burst: forwarderBurst, perSecond: forwarderPerSecond, bucketsMax },
    });
    const perSecond = 2000 / options.summaryMinIntervalMs;
    this.#publishers = new RateLimiter({ burst: stateBurst, perSecond, bucketsMax });
  }

  check(bytes: Uint8Array, from: NodeId, now: Now): SummaryCheck {
    if (!this.#forwarders.has(from, now.monoMs)) return refuse("mesh/forwarder-rate");
    const checked = this.#check(bytes, now);
    if (checked.ok !== true) this.#forwarders.take(from, now.monoMs);
    return checked;
  }

  #check(bytes: Uint8Array, now: Now): SummaryCheck {
    const decoded = this.#intake.decodeSummary(bytes);
    if (!decoded.ok) return decoded;
    const { summary, signed, signature } = decoded.value;
    const { zone, publisher } = summary;
    const { table, identities, engine } = this.#deps;
    const refused = (code: SummaryRejectCode): SummaryRefused => ({ ...refuse(code), publisher });
    if (publisher === this.#deps.self) return refused("mesh/own");
    if (!this.#publishers.has(publisher, now.monoMs)) return refused("mesh/origin-rate");
    if (table.isBarred(publisher)) return refused("mesh/summary-equivocation");
    const digest = this.#intake.digest(signed, engine);
    const replay = replayCode(table.get(publisher), summary, digest);
    if (replay !== undefined && replay !== "mesh/summary-equivocation") return refused(replay);
    if (this.#isHeldBack(summary, now)) return refused("mesh/summary-expired");
    const mayPublish = isLastWord(summary) || this.#deps.mayPublish(publisher, zone);
    if (!mayPublish) return refused("mesh/not-gateway");
    if (!table.hasRoom(summary, now.monoMs)) return refused("mesh/summary-outranked");
    const identity = identities.lookup(publisher);
    if (identity === undefined) return { ok: "need-identity", nodeId: publisher };
    const { clockSkewMs, svidGraceMs } = this.#options;
    if (identity.notAfterMs + clockSkewMs + svidGraceMs <= now.wallMs)
      return refused("mesh/identity-expired");
    if (!this.#deps.allows(identity.spiffeId, "beacon.publish")) return refused("mesh/not-allowed");
    const genuine = engine.mlDsa65.verify(identity.mldsa65, signed, signature, summaryContext);
    this.#deps.meter.count("meshd_mesh_beacon_signatures_total", {
      result: genuine ? "valid" : "invalid",
    });
    if (!genuine) return refused("mesh/bad-signature");
    if (replay !== undefined) {
      table.bar(publisher, now.monoMs);
      return refused(replay);
    }
    this.#publishers.take(publisher, now.monoMs);
    // As old as it says: pulled from table to table it must not live for ever.
    const issuedAtMs = (now.monoMs - Math.max(0, now.wallMs - summary.issuedAtMs)) as MonoMs;
    return { ok: true, claim: { summary, bytes: this.#intake.keep(bytes), digest, issuedAtMs } };
  }

  #isHeldBack({ issuedAtMs }: ZoneSummary, { wallMs }: Now): boolean {
    const ageMs = wallMs - issuedAtMs;
    const { summaryTtlMs, clockSkewMs } = this.#options;
    return ageMs >= summaryTtlMs || ageMs < -(CLOCK_TOLERANCE_MS + clockSkewMs);
  }
}

/** Whether a summary is new to what is known of its publisher; `undefined` when it is. */
function replayCode(
  known: Claim | undefined,
  { epoch, sequence }: ZoneSummary,
  digest: string,
): SummaryRejectCode | undefined {
  if (known === undefined || epoch > known.summary.epoch) return undefined;
  if (epoch < known.summary.epoch) return "mesh/stale-epoch";
  if (sequence > known.summary.sequence) return undefined;
  if (sequence < known.summary.sequence) return "mesh/old-sequence";
  return known.digest === digest ? "mesh/duplicate" : "mesh/summary-equivocation";
}
