// Every code this room can give, with its meaning. Codes are also log fields, metric labels and API errors.

/** Codes of a SPIFFE id or a policy that breaks its rules: configuration or a peer's certificate is wrong. */
type NameErrorCode =
  /** The text is no SPIFFE id (SPIFFE-ID section 2). */
  | "identity/spiffe-id-invalid"
  /** The SPIFFE id is valid and does not have the form `spiffe://<trust domain>/node/<name>`. */
  | "identity/not-a-node-id"
  /** A policy rule has an unknown right, a malformed pattern, or there are too many rules. */
  | "identity/policy-invalid";

/** Codes of keys and certificates that cannot be read or made. */
type CertificateErrorCode =
  /** A public key or seed has the wrong length. */
  | "identity/key-invalid"
  /** Bytes are not strict DER of an X.509 v3 certificate within our bounds. */
  | "identity/certificate-malformed"
  /** The certificate's key or signature is not ML-DSA-65 with absent parameters (RFC 9881). */
  | "identity/algorithm-unsupported"
  /** The issuer has no usable authority: expired, without the root key, or options contradict each other. */
  | "identity/issuer-unusable";

/** Codes of chain verification. */
export type ChainErrorCode =
  | CertificateErrorCode
  /** No certificate, more than four, one over 8 KiB, or a self-signed one inside the chain. */
  | "identity/chain-malformed"
  /** The leaf breaks the X.509-SVID profile: SAN, basic constraints, key usage, extended key usage. */
  | "identity/leaf-profile"
  /** A certificate authority was presented where a leaf must be. */
  | "identity/ca-as-leaf"
  /** A signing certificate breaks the profile of a certificate authority. */
  | "identity/ca-profile"
  /** The SPIFFE id in the leaf is no node id of ours. */
  | "identity/spiffe-id-invalid"
  | "identity/not-a-node-id"
  /** The leaf or an authority belongs to another trust domain than the bundle. */
  | "identity/trust-domain-mismatch"
  /** The bundle has no usable authority: every SVID of that trust domain is invalid. */
  | "identity/bundle-empty"
  /** No authority of the bundle issued the top of the chain, or two neighbours do not belong together. */
  | "identity/untrusted"
  /** A certificate's signature does not verify. */
  | "identity/signature-invalid"
  /** An authority signs for a longer path than its certificate permits. */
  | "identity/path-too-long"
  /** A certificate of the chain, or its root, is past its validity. */
  | "identity/expired"
  /** A certificate of the chain, or its root, is not valid yet: often a wrong clock. */
  | "identity/not-yet-valid"
  /** The NodeId in the leaf is missing or is not the hash of the two keys. */
  | "identity/node-id-mismatch"
  /** A certificate of the chain was revoked. */
  | "identity/revoked"
  /** The chain is of P-256, and the policy gives its holder no right mesh.classical. */
  | "identity/classical-denied";

/** Codes of trust bundles. */
export type BundleErrorCode =
  /** The document is no SPIFFE bundle, or an authority in it is no root of the trust domain. */
  | "identity/bundle-malformed"
  /** The bundle's digest is not the one in the join token. */
  | "identity/bundle-digest-mismatch";

/** Codes of join tokens. */
export type TokenErrorCode =
  /** The text is no join token, or was damaged while it was copied. */
  | "identity/token-malformed"
  /** No such token was issued here. */
  | "identity/token-unknown"
  /** The token's time is over. */
  | "identity/token-expired"
  /** Another node has used the token. */
  | "identity/token-spent"
  /** The token is bound to another name. */
  | "identity/token-name-mismatch"
  /** The token is for another trust domain. */
  | "identity/token-trust-domain"
  /** As many unexpired tokens exist as the store may hold. */
  | "identity/token-store-full";

/** Codes with which an attestation server refuses; they travel to the peer. */
export type AttestationRefusalCode =
  | "identity/token-unknown"
  | "identity/token-expired"
  | "identity/token-spent"
  | "identity/token-name-mismatch"
  /** The request does not parse or is too large. */
  | "identity/request-malformed"
  /** This issuer does not take this kind of evidence. */
  | "identity/attestor-unknown"
  /** Whoever has to be asked about the evidence does not answer, or too many ask at once. */
  | "identity/attestor-unavailable"
  /** There is no open challenge for this node: it was used, or a minute has passed. */
  | "identity/challenge-unknown"
  /** The evidence is not genuine: a signature, a chain, or the word of who was asked. */
  | "identity/evidence-refused"
  /** The evidence is genuine and of something that the issuer's configuration does not let in. */
  | "identity/evidence-not-allowed"
  /** Another node has joined with this evidence. */
  | "identity/evidence-used"
  /** The name is no valid node name. */
  | "identity/not-a-node-id"
  /** Another node holds the name. */
  | "identity/name-taken"
  /** This node already holds another name. */
  | "identity/name-fixed"
  /** This node issues no credentials, or cannot now. */
  | "identity/not-issuer"
  /** The kind of peer may not do this: `join` is for joining peers, `renew` for holders of an SVID. */
  | "identity/peer-not-entitled"
  /** The policy gives the peer no right to be in the mesh. */
  | "identity/denied"
  /** The peer renewed moments ago. */
  | "identity/renewed-too-recently"
  /** This issuer has signed as much as it does in a while, for all together. */
  | "identity/issuer-busy";

/** Codes of the attestation client. */
export type AttestationClientErrorCode =
  | ChainErrorCode
  | BundleErrorCode
  | AttestationRefusalCode
  | TokenErrorCode
  /** The answer does not parse, is too large, or is not what was asked for. */
  | "identity/response-malformed"
  /** The issuer knows a root that this node does not: its bundle has to come first, signed. */
  | "identity/bundle-behind"
  /** The certificate we got is for another name or other keys than ours. */
  | "identity/svid-not-ours"
  /** Nothing says where the Workload API is that the identity is to come from. */
  | "identity/source-unknown"
  /** The identity comes from a Workload API, and is neither made nor joined for here. */
  | "identity/source-external"
  /** What this node is to show cannot be read or made. */
  | "identity/evidence-missing"
  /** A message came in a state that expects none. */
  | "identity/unexpected-message";

/** Codes of registration entries. */
type EntryErrorCode =
  /** As many issuers exist as a bundle names. */
  | "identity/issuers-full"
  /** An entry's field breaks its rule; `details.problems` has all of them. */
  | "identity/entry-invalid"
  /** The entry gives nothing that another does not. */
  | "identity/entry-exists"
  /** There is no such entry. */
  | "identity/entry-unknown"
  /** As many entries exist as an issuer holds. */
  | "identity/entries-full"
  /** A stored entry is not what its author signed. */
  | "identity/entry-record-invalid";

/** Why a step of an authority is refused. */
export type RotationRefusal =
  | "identity/authority-unknown"
  /** One is prepared already. */
  | "identity/authority-prepared"
  /** There is none to activate. */
  | "identity/authority-not-prepared"
  /** Nodes may have live SVIDs and not the new authority. */
  | "identity/authority-not-spread"
  /** It signs; another has to be activated first. */
  | "identity/authority-active"
  /** As many as a bundle holds. */
  | "identity/authorities-full";

/** Every code of this room. */
export type IdentityErrorCode =
  | NameErrorCode
  | AttestationClientErrorCode
  | EntryErrorCode
  | RotationRefusal;
