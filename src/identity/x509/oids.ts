// Object identifiers of the certificates we make and read.

/** id-ml-dsa-65 (RFC 9881 section 2): both the key and the signature algorithm; parameters absent. */
export const OID_ML_DSA_65 = "2.16.840.1.101.3.4.3.18";
/** id-ecPublicKey (RFC 5480 section 2.1.1): a key of a curve, which is its parameter. */
export const OID_EC_PUBLIC_KEY = "1.2.840.10045.2.1";
/** ecdsa-with-SHA256 (RFC 5758 section 3.2); parameters absent. */
export const OID_ECDSA_SHA256 = "1.2.840.10045.4.3.2";
/** id-at-commonName. */
export const OID_COMMON_NAME = "2.5.4.3";

/**
 * The extension that carries the NodeId: `2.25.<UUID as integer>` (ITU-T X.667), with the random UUID
 * b0b6e286-fe69-4588-a148-8260de715da0 drawn for this project. Its value is an OCTET STRING of the 32 bytes.
 */
export const OID_NODE_ID = "2.25.234893719806279192517747020295385996704";
/** The same as the ASN.1 library spells an arc of more than 53 bits when it reads one: raw base-128 digits in hex. */
export const OID_NODE_ID_AS_READ = "2.25.{02613671215f664a16112124204c0d73453b20}";

/** The extension that carries the node's selectors, the same way, with the UUID 4279e64c-d2b8-4f04-96b4-c35a567a412e. */
export const OID_NODE_SELECTORS = "2.25.88361986682451020287880819602896863534";
export const OID_NODE_SELECTORS_AS_READ = "2.25.{01047973131a2b423c09165a306b253369022e}";
