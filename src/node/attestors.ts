// Evidence by which nodes join without a token: who judges it on an issuer, and how this node makes its own. As configured.

import { AwsIidVerifier, proveInstance } from "../adapters/attestors/aws-iid.ts";
import { K8sPsatVerifier, proveServiceAccount } from "../adapters/attestors/k8s-psat.ts";
import { provePossession, X509PopVerifier } from "../adapters/attestors/x509pop.ts";
import type { Config } from "../config/index.ts";
import { MeshError, refuse } from "../foundation/index.ts";
import {
  ATTESTOR_TYPES,
  type Evidence,
  type EvidenceVerifier,
  type IdentityErrorCode,
} from "../identity/index.ts";
import type { Clock } from "../ports/index.ts";

/** The attestors of an issuer; undefined when none is configured. */
export function attestorsOf(
  { x509pop, k8sPsat, awsIid }: Config["attestors"],
  clock: Clock,
): EvidenceVerifier | undefined {
  const wallMs = (): number => clock.now().wallMs;
  const pop = x509pop && new X509PopVerifier({ ...x509pop, wallMs });
  const psat = k8sPsat && new K8sPsatVerifier(k8sPsat);
  const iid = awsIid && new AwsIidVerifier(awsIid);
  const configured = { x509pop: pop, k8s_psat: psat, aws_iid: iid };
  const types = ATTESTOR_TYPES.filter((type) => configured[type] !== null);
  if (types.length === 0) return undefined;
  const unknown = refuse("identity/attestor-unknown");
  return {
    types,
    verify: async (evidence, challenge) => {
      switch (evidence.type) {
        case "x509pop":
          return pop?.verify(evidence, challenge) ?? unknown;
        case "k8s_psat":
          return psat?.verify(evidence) ?? unknown;
        case "aws_iid":
          return iid?.verify(evidence) ?? unknown;
      }
    },
  };
}

/**
 * The evidence of this node.
 * @throws MeshError `identity/evidence-missing`
 */
export async function proveSelf(join: Config["join"], challenge: Uint8Array): Promise<Evidence> {
  const { attestor, certificateFile, keyFile, tokenFile, metadataUrl } = join;
  if (attestor === "x509pop" && certificateFile !== null && keyFile !== null)
    return provePossession({ certificateFile, keyFile }, challenge);
  if (attestor === "k8s_psat") return proveServiceAccount(tokenFile);
  if (attestor === "aws_iid") return proveInstance(metadataUrl);
  throw new MeshError<IdentityErrorCode>(
    "identity/evidence-missing",
    "An anchor is no token: this node has to show something of its own. Set join.attestor in meshd.yml, or use a token of meshctl token create.",
  );
}
