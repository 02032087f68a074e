// The control API's part for registration entries: which processes get which SPIFFE id. It bounds what it is given; what an entry may say,
// the identity room checks.

import * as z from "zod";

const entry = z.object({
  id: z.string(),
  spiffeId: z.string(),
  /** Name of the node; `*` stands for any characters. */
  parent: z.string(),
  selectors: z.array(z.string()),
  profile: z.enum(["es256", "ml-dsa-65", "both"]),
  x509TtlSeconds: z.int().min(1),
  jwtTtlSeconds: z.int().min(1),
  dnsNames: z.array(z.string()),
  federatesWith: z.array(z.string()),
  hint: z.string(),
  createdAt: z.iso.datetime(),
  /** SVIDs that the issuer's log has for it. */
  issued: z.int().min(0),
  lastIssuedAt: z.iso.datetime().nullable(),
});

export const entriesFields = { entries: z.array(entry) };

const text = z.string().min(1).max(4096);
const texts = z.array(text).max(64);

export const entryCreateRequestSchema = z.strictObject({
  spiffeId: text,
  parent: text,
  selectors: texts,
  profile: z.enum(["es256", "ml-dsa-65", "both"]).optional(),
  x509TtlSeconds: z.int().optional(),
  jwtTtlSeconds: z.int().optional(),
  dnsNames: texts.optional(),
  federatesWith: texts.optional(),
  hint: z.string().max(4096).optional(),
});

export const entryRequestSchema = z.strictObject({ id: z.string().min(1).max(64) });

export type EntryCreateRequest = z.infer<typeof entryCreateRequestSchema>;
export type EntryRequest = z.infer<typeof entryRequestSchema>;
