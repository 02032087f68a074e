// The control API's part for federation: the other trust domains whose bundles this node keeps.

import * as z from "zod";

const count = z.int().min(0);
const trustDomain = z.string().min(1).max(255);

export const federationFields = {
  /** Where this trust domain's own bundle is served; `null` when it is not. */
  endpoint: z.string().nullable(),
  federations: z.array(
    z.object({
      trustDomain,
      url: z.string(),
      profile: z.enum(["https_web", "https_spiffe"]),
      /** Of an https_spiffe endpoint; `null` for https_web. */
      endpointId: z.string().nullable(),
      caFile: z.string().nullable(),
      /** The bundle's own counter. */
      sequence: count,
      /** How many keys it has by their use. */
      keys: z.record(z.string(), count),
      fetchedAt: z.iso.datetime(),
      /** How often it is fetched. */
      refreshSeconds: count,
      /** Why the last attempt failed; `null` when it did not. */
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
};

export const ownBundleFields = {
  /** This trust domain's bundle in SPIFFE's JSON form. */
  bundle: z.string(),
};

export const federateRequestSchema = z.strictObject({
  trustDomain,
  url: z.string().min(1).max(2048),
  /** PEM file on the daemon's host: authorities trusted for this endpoint alone. */
  caFile: z.string().min(1).max(4096).optional(),
  /** The profile https_spiffe: who the endpoint is, and a file on the daemon's host with the bundle of its trust domain. */
  endpoint: z
    .strictObject({
      spiffeId: z.string().min(1).max(2048),
      bundleFile: z.string().min(1).max(4096),
    })
    .optional(),
});

export const federatedRequestSchema = z.strictObject({ trustDomain });

export type FederateRequest = z.infer<typeof federateRequestSchema>;
export type FederatedRequest = z.infer<typeof federatedRequestSchema>;
