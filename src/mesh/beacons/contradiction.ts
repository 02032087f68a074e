// Proofs that a node contradicted itself, of this room and of others, in the one form in which a node is judged by them. What another
// protocol's proof says, its own room reads (`MeshDeps.readForeignProof`); it travels here behind a head of two bytes.
// kind (1) | version (1) | the other protocol's bytes

import { concatBytes, ok, refuse, type Result } from "../../foundation/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { ForeignProof, QuarantineView, ReadForeignProof } from "../machine-types.ts";
import { decodeProof } from "./equivocation.ts";
import type { BeaconRejectCode } from "./reject-codes.ts";
import { BEACON_VERSION, beaconContext, beaconKinds } from "./state-beacon.ts";

const HEAD_BYTES = 2;
/** So that its topic carries it. */
export const FOREIGN_PROOF_BYTES_MAX = 16 * 1024;

/** What a node is said to have contradicted itself about; the signatures are still to be checked. */
export interface Contradiction {
  readonly nodeId: NodeId;
  /** A release whose floor is above this makes it prove nothing. */
  readonly epoch: number;
  readonly parts: ForeignProof["parts"];
  readonly context: Uint8Array;
  readonly about: Pick<QuarantineView, "proof" | "roundProof">;
}

/** Codes: `mesh/too-large`, `mesh/malformed`, and `mesh/not-a-proof` for what contradicts nothing. */
export type ReadContradiction = (bytes: Uint8Array) => Result<Contradiction, BeaconRejectCode>;

/** The bytes of another protocol's proof, ready to publish. */
export function encodeForeignProof(body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(beaconKinds.foreign, BEACON_VERSION), body);
}

/** Whether these bytes say that they are a proof. */
export function isProof([kind]: Uint8Array): boolean {
  return kind === beaconKinds.proof || kind === beaconKinds.foreign;
}

/** Reads proofs of either kind; without a reader, foreign ones prove nothing here. */
export function contradictionReader(readForeign: ReadForeignProof | undefined): ReadContradiction {
  return (bytes) =>
    bytes[0] === beaconKinds.foreign ? foreignProof(bytes, readForeign) : beaconProof(bytes);
}

function foreignProof(
  bytes: Uint8Array,
  read: ReadForeignProof | undefined,
): Result<Contradiction, BeaconRejectCode> {
  if (bytes.length > FOREIGN_PROOF_BYTES_MAX) return refuse("mesh/too-large");
  if (bytes[1] !== BEACON_VERSION) return refuse("mesh/malformed", "another version");
  const proof = read?.(bytes.subarray(HEAD_BYTES));
  if (proof === undefined) return refuse("mesh/not-a-proof");
  const { about, ...rest } = proof;
  return ok({ ...rest, about: { roundProof: about } });
}

function beaconProof(bytes: Uint8Array): Result<Contradiction, BeaconRejectCode> {
  const decoded = decodeProof(bytes);
  if (!decoded.ok) return decoded;
  const { first, second } = decoded.value;
  const { nodeId, epoch, sequence } = first.beacon;
  const addresses = [first.beacon.addresses, second.beacon.addresses] as const;
  const about = { proof: { epoch, sequence, addresses } };
  return ok({ nodeId, epoch, parts: [first, second], context: beaconContext, about });
}
