// What the audit log says of a certificate: enough to find it again, wherever it turns up.

import type { NodeId } from "../peer-identity.ts";
import { describeCertificate } from "../x509/describe.ts";
import type { AuditRecord } from "./entry.ts";

/** The record of an SVID that was signed and not given out yet. */
export function issueRecord({
  cause,
  nodeId,
  chain: [leaf],
}: {
  /** `own`: an issuer's for itself. */
  readonly cause: "join" | "attest" | "renew" | "own";
  readonly nodeId: NodeId;
  readonly chain: readonly Uint8Array[];
}): AuditRecord {
  const { subject, serial, notAfterMs } = describeCertificate(leaf ?? new Uint8Array());
  return { event: "svid.issue", subject, fields: { cause, nodeId, serial, notAfterMs } };
}
