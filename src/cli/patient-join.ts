// Joining when many hosts join at once: an issuer turns strangers away who come too fast from one address, a NAT's for
// instance, and tells them nothing. A token belongs to the first node that used it, so the same join may be tried again.

import { setTimeout as wait } from "node:timers/promises";
import type { ControlClient, Enrolled, JoinRequest } from "../control/index.ts";
import { isMeshError } from "../foundation/index.ts";

/** Before the second try; doubled each time up to the longest, less up to a quarter so that hosts do not come in step. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 8_000;

/**
 * Joins; while no issuer can be reached, tries again as long as a try can begin within `patienceMs` (0: one try).
 * @throws MeshError `network/dial-failed` of the last try, and what {@link ControlClient.join} throws
 */
export async function joinPatiently(
  client: Pick<ControlClient, "join">,
  request: JoinRequest,
  patienceMs: number,
): Promise<Enrolled> {
  const end = performance.now() + patienceMs;
  for (let delayMs = RETRY_MS; ; delayMs = Math.min(2 * delayMs, RETRY_MS_MAX)) {
    try {
      return await client.join(request);
    } catch (error) {
      const pauseMs = delayMs * (1 - Math.random() / 4);
      if (!isMeshError(error, "network/dial-failed") || performance.now() + pauseMs > end)
        throw error;
      await wait(pauseMs);
    }
  }
}
