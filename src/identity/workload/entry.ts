// A registration entry: which processes on which nodes get which SPIFFE id, and how long its SVIDs live.

import * as z from "zod";
import { MeshError, refuse, ok, type Result } from "../../foundation/index.ts";
import { ATTESTOR_TYPES, isNodeSelector } from "../node-selectors.ts";
import type { PeerIdentity } from "../peer-identity.ts";
import { formatSpiffeId, isTrustDomain, parseSpiffeId } from "../spiffe-id.ts";
import { isSelector, selectorKinds, SELECTOR_CHARS_MAX, SELECTORS_MAX } from "./selectors.ts";
import type { CertificateAlgorithm } from "../x509/algorithm.ts";

/** Which X.509-SVIDs a workload gets. */
export const WORKLOAD_PROFILES = ["es256", "ml-dsa-65", "both"] as const;
export type WorkloadProfile = (typeof WORKLOAD_PROFILES)[number];

/** Most entries of one node: what a node keeps SVIDs for. */
export const ENTRIES_PER_NODE_MAX = 256;

/** Limits and defaults of entries; times in seconds. */
export const entryLimits = {
  x509TtlS: { min: 60, max: 7 * 86_400, default: 3_600 },
  jwtTtlS: { min: 60, max: 86_400, default: 300 },
  dnsNamesMax: 8,
  federatesWithMax: 16,
  /** The Workload API allows 1024 bytes; the profile's name may be put behind it. */
  hintBytesMax: 1_000,
} as const;

/** The first path segment of nodes' own SPIFFE ids: no workload may have one of these. */
const RESERVED_SEGMENT = "node";
const ID = /^[0-9a-f]{32}$/;
const PARENT = /^[A-Za-z0-9._*-]{1,63}$/;
const DNS_NAME =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const ttl = ({ min, max, default: standard }: { min: number; max: number; default: number }) =>
  z.int().min(min).max(max).default(standard);
const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

const fields = {
  spiffeId: z.string().max(2048),
  /** Name of the node that may have the SVIDs, where `*` stands for any characters; or a selector of such nodes. */
  parent: z
    .string()
    .refine(
      (text) => PARENT.test(text) || isNodeSelector(text),
      `must be a node's name, in which * stands for any characters, or a node's selector (${ATTESTOR_TYPES.join(", ")})`,
    ),
  selectors: z
    .array(
      z
        .string()
        .max(SELECTOR_CHARS_MAX)
        .refine(isSelector, `must be one of ${selectorKinds.join(", ")} with ':' and a value`),
    )
    .min(1)
    .max(SELECTORS_MAX)
    .refine(distinct, "must not repeat"),
  profile: z.enum(WORKLOAD_PROFILES).default("es256"),
  x509TtlS: ttl(entryLimits.x509TtlS),
  jwtTtlS: ttl(entryLimits.jwtTtlS),
  dnsNames: z
    .array(z.string().regex(DNS_NAME, "must be a host name in lower case, without wildcards"))
    .max(entryLimits.dnsNamesMax)
    .refine(distinct, "must not repeat")
    .default([]),
  federatesWith: z
    .array(z.string().refine(isTrustDomain, "must be a trust domain"))
    .max(entryLimits.federatesWithMax)
    .refine(distinct, "must not repeat")
    .default([]),
  /** Tells SVIDs apart for a workload that has several; empty: none. */
  hint: z
    .string()
    .regex(/^[\x21-\x7e]*$/, "must be visible ASCII")
    .max(entryLimits.hintBytesMax)
    .default(""),
};
const entrySchema = z.strictObject({ id: z.string().regex(ID), ...fields });

/** What an operator asks for. */
export type EntryDraft = Omit<z.input<typeof entrySchema>, "id">;
/** A checked entry. */
export type RegistrationEntry = z.output<typeof entrySchema>;

/**
 * A checked entry of `trustDomain` under a new id.
 * @throws MeshError `identity/entry-invalid` with `details.problems`
 */
export function entryFromDraft(
  draft: EntryDraft,
  id: string,
  trustDomain: string,
): RegistrationEntry {
  const parsed = parseEntry({ ...draft, id }, trustDomain);
  if (parsed.ok) return parsed.value;
  throw new MeshError(
    parsed.code,
    `Cannot make the entry: ${parsed.detail ?? ""}. Correct it; docs/workloads.md describes each field.`,
    { problems: (parsed.detail ?? "").split("; ") },
  );
}

/** Reads an entry of `trustDomain`. Code: `identity/entry-invalid`; `detail` says all problems. */
export function parseEntry(
  value: unknown,
  trustDomain: string,
): Result<RegistrationEntry, "identity/entry-invalid"> {
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success) return refuse("identity/entry-invalid", problemsOf(parsed.error));
  const entry = parsed.data;
  const id = parseSpiffeId(entry.spiffeId);
  if (!id.ok)
    return refuse("identity/entry-invalid", `spiffeId: ${id.detail ?? "is no SPIFFE id"}`);
  if (id.value.trustDomain !== trustDomain)
    return refuse("identity/entry-invalid", `spiffeId: must be in the trust domain ${trustDomain}`);
  if (id.value.segments.length === 0 || id.value.segments[0] === RESERVED_SEGMENT)
    return refuse("identity/entry-invalid", "spiffeId: needs a path, and not one under /node");
  if (entry.federatesWith.includes(trustDomain))
    return refuse("identity/entry-invalid", "federatesWith: must name other trust domains");
  return ok({ ...entry, spiffeId: formatSpiffeId(id.value) });
}

/** Whether a node may have an entry's SVIDs. */
export function isParent(
  { parent }: Pick<RegistrationEntry, "parent">,
  { name, selectors = [] }: Pick<PeerIdentity, "name" | "selectors">,
): boolean {
  if (isNodeSelector(parent)) return selectors.includes(parent);
  const [first = "", ...rest] = parent.split("*");
  if (rest.length === 0) return parent === name;
  const last = rest.pop() ?? "";
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

/** The kinds of certificates of a profile; the one that most software reads comes first. */
export function algorithmsOf(profile: WorkloadProfile): readonly CertificateAlgorithm[] {
  return profile === "both" ? ["es256", "ml-dsa-65"] : [profile];
}

/** The hint of one of an entry's SVIDs; where there are two, they differ. */
export function hintOf(
  { hint, profile }: Pick<RegistrationEntry, "hint" | "profile">,
  algorithm: CertificateAlgorithm,
): string {
  if (profile !== "both") return hint;
  if (hint === "") return algorithm;
  return algorithm === "es256" ? hint : `${hint}-${algorithm}`;
}

function problemsOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, 20)
    .map(({ path, message }) => `${path.map(String).join(".") || "entry"}: ${message}`)
    .join("; ");
}
