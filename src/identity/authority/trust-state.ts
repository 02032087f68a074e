// What the holder of a trust domain's root keeps of it, and the bundle that follows from it. As JSON on its disk; the keys are elsewhere.

import * as z from "zod";
import { refuse, ok, type Result } from "../../foundation/index.ts";
import type { WallMs } from "../../ports/index.ts";
import { fromBase64, toBase64 } from "../base64.ts";
import { type BundleNotes, isEmptyNotes, ISSUERS_MAX, REVOKED_NODES_MAX } from "../bundle-notes.ts";
import type { NodeId } from "../peer-identity.ts";
import { BUNDLE_AUTHORITIES_MAX, type JwtAuthority, type TrustBundle } from "../trust-bundle.ts";
import { CERTIFICATE_BYTES_MAX } from "../x509/certificate.ts";
import type { AuthoritySet } from "./rotation.ts";

/** Keys of another issuer that the bundle carries: it signs for workloads by its own. */
export interface WorkloadKeys {
  readonly workloadRoot: Uint8Array;
  readonly jwt: JwtAuthority;
}

/** A node that issues beside the holder of the root. */
export interface GrantedIssuer {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly workloads: readonly WorkloadKeys[];
  /** Its keys sign as soon as they are published. */
  readonly force: boolean;
  /** When its intermediate ends: nothing that it signs for nodes is good for longer. */
  readonly untilMs: WallMs;
}

/** A node that is shut out, for as long as SVIDs of it may be good. */
export interface RevokedNode {
  readonly nodeId: NodeId;
  readonly name: string;
  readonly untilMs: WallMs;
}

export interface TrustState {
  readonly authorities: AuthoritySet;
  readonly revoked: readonly RevokedNode[];
  readonly issuers: readonly GrantedIssuer[];
}

/** Keys that an issuer publishes: prepared, active, old. */
export const WORKLOAD_KEYS_MAX = 3;

const bytes = z.string().transform((text, context) => {
  const read = fromBase64(text, CERTIFICATE_BYTES_MAX);
  if (read !== undefined && read.length > 0) return read;
  context.addIssue({ code: "custom", message: "no base64" });
  return z.NEVER;
});
const moment = z.int().transform((ms) => ms as WallMs);
const nodeId = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .transform((text) => text as NodeId);
const keyId = z.string().min(1).max(128);
const workloadKeys = { workloadRoot: bytes, jwt: z.strictObject({ keyId, publicKey: bytes }) };

const stateSchema = z.strictObject({
  authorities: z
    .array(
      z.strictObject({
        ...{ id: keyId, root: bytes, notAfterMs: moment, workloadRootId: keyId, ...workloadKeys },
        state: z.enum(["prepared", "active", "old", "tainted"]),
        ...{ sinceMs: moment, readyAtMs: moment, nodesUntilMs: moment, signedUntilMs: moment },
      }),
    )
    .max(BUNDLE_AUTHORITIES_MAX)
    .refine((set) => set.filter(({ state }) => state === "active").length === 1),
  revoked: z
    .array(z.strictObject({ nodeId, name: z.string(), untilMs: moment }))
    .max(REVOKED_NODES_MAX),
  issuers: z
    .array(
      z.strictObject({
        ...{ nodeId, name: z.string(), force: z.boolean(), untilMs: moment },
        workloads: z.array(z.strictObject(workloadKeys)).max(WORKLOAD_KEYS_MAX),
      }),
    )
    .max(ISSUERS_MAX - 1),
});

export function encodeTrustState(state: TrustState): string {
  return JSON.stringify(state, (_key, value: unknown) =>
    value instanceof Uint8Array ? toBase64(value) : value,
  );
}

/** Code: `identity/issuer-unusable`. */
export function parseTrustState(text: string): Result<TrustState, "identity/issuer-unusable"> {
  try {
    const parsed = stateSchema.safeParse(JSON.parse(text));
    return parsed.success ? ok(parsed.data) : refuse("identity/issuer-unusable", "fields");
  } catch {
    return refuse("identity/issuer-unusable", "no JSON");
  }
}

/** The bundle that says what is in the state. `self` holds the root. */
export function bundleOfState(
  { authorities, revoked, issuers }: TrustState,
  head: { readonly trustDomain: string; readonly sequence: number; readonly self: NodeId },
): TrustBundle {
  const { self, ...rest } = head;
  const workloads = [...authorities, ...issuers.flatMap((issuer) => issuer.workloads)];
  const notes: BundleNotes = {
    tainted: authorities
      .filter(({ state }) => state === "tainted")
      .flatMap(({ id, workloadRootId, jwt }) => [id, workloadRootId, jwt.keyId]),
    revoked: revoked.map((node) => node.nodeId),
    issuers: issuers.length === 0 ? [] : [self, ...issuers.map((issuer) => issuer.nodeId)],
  };
  return {
    ...rest,
    authorities: authorities.map(({ root }) => root),
    workloadAuthorities: workloads.map(({ workloadRoot }) => workloadRoot),
    jwtAuthorities: workloads.map(({ jwt }) => jwt),
    ...(isEmptyNotes(notes) ? {} : { notes }),
  };
}

/** Whether two bundles say the same, whatever their sequence. */
export function sameContent(a: TrustBundle, b: TrustBundle): boolean {
  const text = ({ sequence: _, ...rest }: TrustBundle): string =>
    JSON.stringify(rest, (_key, value: unknown) =>
      value instanceof Uint8Array ? toBase64(value) : value,
    );
  return text(a) === text(b);
}
