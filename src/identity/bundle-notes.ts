// What a trust domain's bundle says beyond SPIFFE's standard, to the domain's own nodes alone: whose signatures are to be replaced,
// which nodes are shut out, and which nodes issue. Signed with the bundle; other trust domains are not given it.

import * as z from "zod";
import type { NodeId } from "./peer-identity.ts";

/** Most nodes that can be shut out at a time; each is forgotten when its last SVID has ended. */
export const REVOKED_NODES_MAX = 128;
/** Most nodes that issue. */
export const ISSUERS_MAX = 4;

/** The notes of a bundle. */
export interface BundleNotes {
  /** Key identifiers of roots, and `kid`s of JWT keys: what they signed is renewed at once. They vouch for no bundle. */
  readonly tainted: readonly string[];
  /** Nodes whose SVIDs are invalid although their chain is good. */
  readonly revoked: readonly NodeId[];
  /** Who issues, the holder of the root first. */
  readonly issuers: readonly NodeId[];
}

export const NO_NOTES: BundleNotes = { tainted: [], revoked: [], issuers: [] };

const nodeId = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => text as NodeId);
const shape = z.object({
  tainted: z.array(z.string().min(1).max(128)).max(16),
  revoked: z.array(nodeId).max(REVOKED_NODES_MAX),
  issuers: z.array(nodeId).max(ISSUERS_MAX),
});

/** Reads notes; absent ones are empty, broken ones undefined. */
export function parseBundleNotes(value: unknown): BundleNotes | undefined {
  if (value === undefined) return NO_NOTES;
  const parsed = shape.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

export function isEmptyNotes({ tainted, revoked, issuers }: BundleNotes): boolean {
  return tainted.length + revoked.length + issuers.length === 0;
}
