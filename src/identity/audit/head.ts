// The signed head: which entry was the newest, signed with both of the node's keys. A chain alone cannot tell that its end
// was cut off; a head can, and one that is kept on another host can for ever.

import {
  compositeSign,
  compositeVerify,
  type CryptoEngine,
  ED25519,
  ML_DSA_65,
} from "../../crypto/index.ts";
import {
  fromBase64Url,
  ok,
  refuse,
  type Result,
  toBase64Url,
  utf8Bytes,
} from "../../foundation/index.ts";
import { isNodeId, nodeIdOf, type NodeKeys } from "../node-keys.ts";

/** Which entry was the newest. */
export interface AuditHead {
  readonly nodeId: string;
  readonly sequence: number;
  /** Hash of that entry. */
  readonly hash: string;
  /** When it was signed; ISO 8601, UTC. */
  readonly at: string;
}

/** Longest head, in characters: two keys and two signatures take 7,300. */
export const AUDIT_HEAD_CHARS_MAX = 16 * 1024;

const CONTEXT = utf8Bytes("x0tta6bl4 audit head v1");

/** The JSON text of a signed head. */
export function signAuditHead(
  engine: Pick<CryptoEngine, "sha512">,
  keys: Pick<NodeKeys, "nodeId" | "ed25519" | "mldsa65">,
  head: Omit<AuditHead, "nodeId">,
): string {
  const signed = { nodeId: keys.nodeId, ...head };
  return JSON.stringify({
    ...signed,
    ed25519: toBase64Url(keys.ed25519.publicKey),
    mldsa65: toBase64Url(keys.mldsa65.publicKey),
    signature: toBase64Url(compositeSign(keys, engine, messageOf(signed), CONTEXT)),
  });
}

/**
 * Reads a signed head: the NodeId commits to both keys, and both signatures verify. Whose head it is, the caller decides.
 * Code: `audit/head-forged`.
 */
export function readAuditHead(
  engine: Pick<CryptoEngine, "sha256" | "sha512" | "mlDsa65" | "ed25519">,
  text: string,
): Result<AuditHead, "audit/head-forged"> {
  if (text.length > AUDIT_HEAD_CHARS_MAX) return refuse("audit/head-forged", "too long");
  const read = parseHead(text);
  if (read === undefined) return refuse("audit/head-forged", "not a head");
  const { head, ed25519, mldsa65, signature } = read;
  const isSigned =
    ed25519.length === ED25519.publicKeyBytes &&
    mldsa65.length === ML_DSA_65.publicKeyBytes &&
    nodeIdOf(engine, ed25519, mldsa65) === head.nodeId &&
    compositeVerify(engine, { ed25519, mldsa65 }, messageOf(head), CONTEXT, signature);
  return isSigned ? ok(head) : refuse("audit/head-forged", "signature");
}

interface SignedHead {
  readonly head: AuditHead;
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
  readonly signature: Uint8Array;
}

function parseHead(text: string): SignedHead | undefined {
  try {
    const { nodeId, sequence, hash, at, ed25519, mldsa65, signature } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    if (typeof nodeId !== "string" || !isNodeId(nodeId) || !isCount(sequence)) return undefined;
    if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) return undefined;
    if (typeof at !== "string" || at.length > 64 || at.includes("\n")) return undefined;
    const bytes = (value: unknown): Uint8Array => fromBase64Url(String(value));
    return {
      head: { nodeId, sequence, hash, at },
      ed25519: bytes(ed25519),
      mldsa65: bytes(mldsa65),
      signature: bytes(signature),
    };
  } catch {
    return undefined; // not JSON, or not base64url: no head
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}

/** Every part has a fixed alphabet without newlines, so no two heads share a message. */
function messageOf({ nodeId, sequence, hash, at }: AuditHead): Uint8Array {
  return utf8Bytes([nodeId, sequence, hash, at].join("\n"));
}
