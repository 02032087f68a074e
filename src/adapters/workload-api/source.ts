// What the Workload API needs of a node: which identities a process has, as selectors describe it.

import type { Result } from "../../foundation/index.ts";
import type { ValidatedJwt } from "../../identity/index.ts";

/** An X.509-SVID as it is handed out. */
export interface X509Svid {
  readonly spiffeId: string;
  /** DER certificates one after another, leaf first. */
  readonly chain: Uint8Array;
  /** PKCS#8 in DER, not encrypted. */
  readonly key: Uint8Array;
  readonly hint: string;
}

export interface JwtSvid {
  readonly spiffeId: string;
  readonly token: string;
  readonly hint: string;
}

/** The authorities of one trust domain. */
export interface DomainBundle {
  readonly trustDomain: string;
  /** DER certificates one after another. */
  readonly x509: Uint8Array;
  /** A JWK set. */
  readonly jwks: string;
}

/** All that a process may have at one time. */
export interface WorkloadView {
  /** The first is the default identity. */
  readonly svids: readonly X509Svid[];
  readonly bundle: DomainBundle;
  readonly federated: readonly DomainBundle[];
}

/** Why a workload gets nothing now. */
export type WorkloadCode =
  /** No entry is the process's. */
  | "workload/no-identity"
  /** It has one, and its SVIDs are not here yet, or no more. */
  | "workload/not-ready"
  /** The token is not to be believed. */
  | "workload/jwt-invalid";

export interface WorkloadSource {
  /** Whether any entry asks for the digest of an executable. */
  readonly wantsDigest: boolean;
  /** What a process has. An entry is enough: its SVIDs may be to come. */
  view(selectors: ReadonlySet<string>): Result<WorkloadView, WorkloadCode>;
  /** A token for each identity, or for the one that is named. */
  jwt(
    selectors: ReadonlySet<string>,
    request: { readonly audience: readonly string[]; readonly spiffeId: string },
  ): Promise<Result<readonly JwtSvid[], WorkloadCode>>;
  validateJwt(
    selectors: ReadonlySet<string>,
    request: { readonly audience: string; readonly token: string },
  ): Result<ValidatedJwt, WorkloadCode>;
  /** Hears of everything that may change a view; gives the way to stop hearing. */
  onChange(listener: () => void): () => void;
}
