// How long a probe is waited for: as long as this link's round trips ask for (RFC 6298), doubled with each probe missed.
// The factor of the local health comes on top.

import { rttTimeoutMs } from "../links/rtt.ts";
import type { MeshOptions } from "../options.ts";
import type { Member } from "./member.ts";

type TimeoutOptions = Pick<
  MeshOptions,
  "probeTimeoutMs" | "probeTimeoutMinMs" | "probeTimeoutMaxMs"
>;
type Probed = Pick<Member, "link" | "probesMissed">;

/** Share of the probe timeout after which a helper says that it reached nobody (Lifeguard section IV-A). */
export const NACK_SHARE = 0.8;

/** min(max, RTO · 2^missed), RTO = SRTT + 4 RTTVAR at least min; before the first round trip the default. */
export function directTimeoutMs({ link, probesMissed }: Probed, options: TimeoutOptions): number {
  const { probeTimeoutMs, probeTimeoutMinMs, probeTimeoutMaxMs } = options;
  const rtt = link?.rtt;
  const firstMs =
    rtt === undefined ? probeTimeoutMs : rttTimeoutMs(rtt, probeTimeoutMinMs, probeTimeoutMaxMs);
  return Math.min(probeTimeoutMaxMs, firstMs * 2 ** probesMissed);
}

/** A helper's time to reach the target or to give up, and the way to the slowest helper and back. */
export function indirectTimeoutMs(helpers: readonly Probed[], options: TimeoutOptions): number {
  const slowestMs = Math.max(...helpers.map((helper) => directTimeoutMs(helper, options)));
  return NACK_SHARE * options.probeTimeoutMs + slowestMs;
}
