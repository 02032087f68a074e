// The prologue separates our handshake from stock XXhfs, from later versions and from other meshes.

import { concatBytes, uint16be, utf8Bytes } from "../foundation/index.ts";
import { MESH_PROTOCOL_ID } from "./authenticated-peer.ts";

function lengthPrefixed(text: string): Uint8Array {
  const bytes = utf8Bytes(text);
  return concatBytes(uint16be(bytes.length), bytes);
}

/** `LP("x0tta6bl4 handshake prologue v1") || LP(protocol id) || LP(trust domain)`, LP = uint16 BE length, bytes. */
export function meshPrologue(
  trustDomain: string,
  protocolId: string = MESH_PROTOCOL_ID,
): Uint8Array {
  return concatBytes(
    lengthPrefixed("x0tta6bl4 handshake prologue v1"),
    lengthPrefixed(protocolId),
    lengthPrefixed(trustDomain),
  );
}
