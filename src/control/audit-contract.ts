// The control API's part for the audit log: its entries, and whether it is as it was written.

import * as z from "zod";

/** Limits of the audit verbs. */
export const auditLimits = { entriesMax: 1_000, headsMax: 16, headCharsMax: 16 * 1024 } as const;

const count = z.int().min(0);

export const auditListFields = {
  entries: z.array(
    z.object({
      sequence: count,
      at: z.string(),
      event: z.string(),
      /** A SPIFFE id or a NodeId; may be empty. */
      subject: z.string(),
      fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
      previous: z.string(),
      hash: z.string(),
    }),
  ),
};

export const auditProblemKinds = [
  "edited",
  "removed",
  "reordered",
  "truncated",
  "torn",
  "restarted",
  "head-missing",
  "head-forged",
] as const;

export const auditVerifiedFields = {
  entries: count,
  segments: count,
  /** Sequence of the oldest and of the newest entry; 0 for none. */
  first: count,
  last: count,
  /** The newest entry that is signed for, and by whom; `null` without a good signature. */
  head: z
    .object({ nodeId: z.string(), sequence: count, hash: z.string(), at: z.string() })
    .nullable(),
  /** Empty: the log is as it was written. */
  problems: z.array(z.object({ kind: z.enum(auditProblemKinds), from: count, to: count })),
};

export const auditListRequestSchema = z.strictObject({
  limit: z.int().min(1).max(auditLimits.entriesMax),
  /** Entries with a greater sequence alone. */
  after: count.optional(),
  event: z.string().max(64).optional(),
});

/** Signed heads that were kept on other hosts, as their JSON texts. */
export const auditHeadsSchema = z
  .array(z.string().max(auditLimits.headCharsMax))
  .max(auditLimits.headsMax);

export const auditVerifyRequestSchema = z.strictObject({ heads: auditHeadsSchema });

export type AuditListRequest = z.infer<typeof auditListRequestSchema>;
export type AuditVerifyRequest = z.infer<typeof auditVerifyRequestSchema>;
