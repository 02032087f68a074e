// What follows from verified statements: a proof shuts a node out, a release lets it back in, and both are kept,
// handed on and shown. Nothing else in the mesh decides over a quarantine.

import type { CryptoEngine, MlDsaSigner } from "../crypto/index.ts";
import { ok, refuse, type Result, toHex } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";
import type { Meter, Now } from "../ports/index.ts";
import { type Digest, type DigestEntry, evidenceEntry, lacksEvidence } from "./beacons/digest.ts";
import type { ReadContradiction } from "./beacons/contradiction.ts";
import { decodeRelease, encodeRelease, isReason } from "./beacons/release.ts";
import type { MeshAction, QuarantineView, ReleaseRefusal } from "./machine-types.ts";
import { currentBeacon } from "./membership/member.ts";
import type { Quarantine, QuarantineCase } from "./membership/quarantine.ts";
import type { Roster } from "./membership/roster.ts";

/** An epoch has 32 bits. */
const EPOCH_MAX = 0xffff_ffff;

interface EvidenceDeps {
  readonly self: NodeId;
  readonly engine: Pick<CryptoEngine, "sha256">;
  readonly signer: MlDsaSigner;
  readonly quarantine: Quarantine;
  readonly roster: Roster;
  readonly read: ReadContradiction;
  readonly meter: Meter;
  readonly emit: (action: MeshAction) => void;
  /** A release of the own node: its epoch must not stay below this. */
  readonly onOwnFloor: (epochFloor: number, now: Now) => void;
}

/** Applies statements. */
export class Evidence {
  readonly #deps: EvidenceDeps;

  constructor(deps: EvidenceDeps) {
    this.#deps = deps;
  }

  /** Puts those of earlier runs back into the roster, where status and metrics see them. */
  start(now: Now): void {
    const { quarantine, roster } = this.#deps;
    for (const { nodeId, kind } of quarantine.all()) {
      if (kind !== "proof") continue;
      roster.apply(roster.admit(nodeId, now.monoMs, "equivocation"), "equivocation", now.monoMs);
    }
  }

  /** A verified proof: the node is shut out for good. False when it was already, or there is no room. */
  convict(nodeId: NodeId, proof: Uint8Array, now: Now): boolean {
    const { quarantine, roster, meter, emit } = this.#deps;
    if (quarantine.has(nodeId) || !quarantine.hasRoom(nodeId)) return false;
    const member = roster.admit(nodeId, now.monoMs, "equivocation");
    this.#keep(proof, now);
    roster.apply(member, "equivocation", now.monoMs);
    meter.count("meshd_mesh_equivocations_total");
    if (member.connected) emit({ kind: "disconnect", nodeId, code: "mesh/quarantined" });
    return true;
  }

  /** A verified release that stands above what was known. */
  takeRelease(nodeId: NodeId, epochFloor: number, bytes: Uint8Array, now: Now): void {
    const { self, roster, meter, onOwnFloor } = this.#deps;
    this.#keep(bytes, now);
    meter.count("meshd_mesh_releases_total");
    const member = roster.get(nodeId);
    if (member !== undefined) roster.apply(member, "released", now.monoMs);
    if (nodeId === self) onOwnFloor(epochFloor, now);
  }

  /** Signs a release and publishes it. Its floor is above every epoch that was seen or can have been used by now. */
  release(nodeId: NodeId, reason: string, now: Now): Result<void, ReleaseRefusal> {
    const { self, signer, quarantine, roster, emit } = this.#deps;
    const known = quarantine.get(nodeId);
    if (known?.kind !== "proof") return refuse("mesh/not-quarantined");
    if (!isReason(reason)) return refuse("mesh/bad-release");
    const member = roster.get(nodeId);
    const seen = member === undefined ? 0 : (currentBeacon(member)?.epoch ?? 0);
    const epochFloor = Math.max(known.epoch, seen, Math.floor(now.wallMs / 1000)) + 1;
    if (epochFloor > EPOCH_MAX) return refuse("mesh/epochs-used-up");
    const proofDigest = this.#digest(known.bytes);
    const release = { nodeId, proofDigest, epochFloor, issuer: self, issuedAtMs: now.wallMs };
    const bytes = encodeRelease({ ...release, reason }, signer);
    this.takeRelease(nodeId, epochFloor, bytes, now);
    emit({ kind: "publish", topic: "summary", bytes });
    return ok(undefined);
  }

  /** The statement about a node, published for who holds an older one. */
  remind(nodeId: NodeId): void {
    const known = this.#deps.quarantine.get(nodeId);
    if (known !== undefined)
      this.#deps.emit({ kind: "publish", topic: "summary", bytes: known.bytes });
  }

  /** What to tell peers that one has. */
  digest(): DigestEntry[] {
    return [...this.#deps.quarantine.all()].map(evidenceEntry);
  }

  /** Statements that the sender of a digest lacks. */
  missingFrom(digest: Digest): Uint8Array[] {
    const missing: Uint8Array[] = [];
    for (const known of this.#deps.quarantine.all())
      if (lacksEvidence(digest, known)) missing.push(known.bytes);
    return missing;
  }

  views(): QuarantineView[] {
    return [...this.#deps.quarantine.all()].map((known) => this.#view(known));
  }

  #keep(bytes: Uint8Array, now: Now): void {
    const { quarantine, emit } = this.#deps;
    const { kept, dropped } = quarantine.keep(bytes, now.wallMs);
    const { nodeId, atMs } = kept;
    if (dropped !== undefined) emit({ kind: "evidence", nodeId: dropped, statement: undefined });
    emit({ kind: "evidence", nodeId, statement: { bytes, atMs } });
  }

  #view({ nodeId, bytes, atMs }: QuarantineCase): QuarantineView {
    const release = decodeRelease(bytes);
    if (release.ok) {
      const { proofDigest } = release.value.release;
      return { nodeId, state: "released", atMs, proofDigest, release: release.value.release };
    }
    const read = this.#deps.read(bytes);
    const about = read.ok ? read.value.about : {};
    return { nodeId, state: "quarantined", atMs, proofDigest: this.#digest(bytes), ...about };
  }

  #digest(proof: Uint8Array): string {
    return toHex(this.#deps.engine.sha256(proof));
  }
}
