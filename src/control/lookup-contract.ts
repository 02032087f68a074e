// The control API's part for finding a node, also one of another zone.

import * as z from "zod";

/** A NodeId, a name or a SPIFFE id. */
export const lookupRequestSchema = z.strictObject({ target: z.string().min(1).max(2048) });

export const lookupFields = {
  node: z.object({
    nodeId: z.string(),
    name: z.string(),
    spiffeId: z.string(),
    peerId: z.string(),
    zone: z.string(),
    addresses: z.array(z.string()),
    epoch: z.int().min(0),
    sequence: z.int().min(0),
    /** `mesh`: known by its beacons; `dht`: from its record there. */
    source: z.enum(["mesh", "dht"]),
  }),
};

export type LookupRequest = z.infer<typeof lookupRequestSchema>;
