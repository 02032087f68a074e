// The control API's part for zones: the own one by its members, the others by their gateways' summaries.

import * as z from "zod";

const count = z.int().min(0);

export const zonesFields = {
  /** What the configuration says: a name, or `auto`. */
  setting: z.string(),
  /** The zone this node is in. */
  zone: z.string(),
  zones: z.array(
    z.object({
      zone: z.string(),
      own: z.boolean(),
      members: count,
      /** Mean of the members, in [0, 1]. */
      load: z.number(),
      /** By rank; names where they are known. */
      gateways: z.array(z.object({ name: z.string(), nodeId: z.string() })),
      /** Zones that its gateway has a link to. */
      neighbours: z.array(z.object({ zone: z.string(), cost: z.number() })),
      /** The summary that this comes from; `null` of the own zone before its first. */
      summary: z
        .object({
          publisher: z.string(),
          sequence: count,
          ageMs: z.number(),
          /** SHA-256 over the members' NodeIds: equal views have equal digests. */
          membership: z.string(),
        })
        .nullable(),
      /** How this node gets there; `null` when it is there, or knows no way. */
      route: z
        .object({
          zones: z.array(z.string()),
          cost: z.number(),
          /** Names or NodeIds of the next hops, the best first. */
          via: z.array(z.string()),
        })
        .nullable(),
    }),
  ),
};
