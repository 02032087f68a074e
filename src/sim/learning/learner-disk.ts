// What a participant of a training task finds again after a crash. A restored backup has it as well: who forgets what it
// signed could sign its opposite, so the daemon's store of rounds is no part of what `stale_disk` loses.

import type { NodeIndex } from "../node-types.ts";

/** A certified round, as the next one is computed from it. */
export interface LastRound {
  readonly round: number;
  /** Digest of the certificate. */
  readonly certificate: string;
  readonly model: string;
  /** Of the quantisation. */
  readonly stepSize: number;
}

/** One participant's disk. */
export interface LearnerDisk {
  journal: { readonly round: number; readonly bytes: Uint8Array }[];
  readonly certificates: Map<number, Uint8Array>;
  readonly proofs: Uint8Array[];
  /** Updates and models by their names; those of old rounds go. */
  readonly contents: Map<string, { readonly round: number; readonly bytes: Uint8Array }>;
  last: LastRound | undefined;
  /** The rounds from whose models an update may still count. */
  readonly past: Map<number, LastRound>;
}

/** The disks of all, by node and twin. */
export class LearnerDisks {
  readonly #disks = new Map<string, LearnerDisk>();

  of(node: NodeIndex, twin: number): LearnerDisk {
    const key = `${node}/${twin}`;
    const disk = this.#disks.get(key) ?? {
      ...{ journal: [], certificates: new Map<number, Uint8Array>(), proofs: [] },
      ...{ contents: new Map(), last: undefined, past: new Map<number, LastRound>() },
    };
    this.#disks.set(key, disk);
    return disk;
  }
}
