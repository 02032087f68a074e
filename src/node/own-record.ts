// This node's record in the DHT, by which nodes of other zones find it: written anew before it ends, and when it is out of date.

import type { Network } from "../adapters/libp2p/network.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import type { NodeKeys, PeerIdentity } from "../identity/index.ts";
import type { Clock, Logger } from "../ports/index.ts";
import { type NodeRecords, RECORD_LIFE_MS } from "./node-record.ts";

/** After a change of addresses, or when it could not be stored, the record goes to the DHT after this. */
const RETRY_MS = 10_000;

export interface OwnRecordDeps {
  readonly records: NodeRecords;
  readonly network: Pick<Network, "connectedPeers" | "putRecord">;
  readonly keys: NodeKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: () => PeerIdentity;
  /** Where the node is, and in which life. */
  readonly place: () => {
    readonly epoch: number;
    readonly zone: string;
    readonly addresses: readonly string[];
  };
}

export class OwnRecord {
  readonly #deps: OwnRecordDeps;
  /** 0: as soon as it can. */
  #dueMs = 0;
  #sequence = 0;

  constructor(deps: OwnRecordDeps) {
    this.#deps = deps;
  }

  /** What it tells has changed; a change of addresses seldom comes alone. */
  changed(when: "now" | "soon"): void {
    const soonMs = this.#deps.clock.now().monoMs + RETRY_MS;
    this.#dueMs = when === "now" ? 0 : Math.min(this.#dueMs, soonMs);
  }

  /** Writes it when it is time. */
  upkeep(): void {
    if (this.#deps.clock.now().monoMs >= this.#dueMs) void this.#put();
  }

  async #put(): Promise<void> {
    const { records, network, keys, clock, logger, identity, place } = this.#deps;
    if (network.connectedPeers().length === 0) return;
    this.#dueMs = clock.now().monoMs + RECORD_LIFE_MS / 4;
    const own = identity();
    const sequence = this.#sequence++;
    const record = records.make(keys.mldsa65, own, { ...place(), sequence });
    try {
      await network.putRecord(records.keyOfNode(own.nodeId), record);
      await network.putRecord(records.keyOfSpiffeId(own.spiffeId), record);
    } catch (error) {
      this.#dueMs = clock.now().monoMs + RETRY_MS;
      logger.debug(
        { code: errorCode(error), error: errorMessage(error) },
        "node record not stored yet",
      );
    }
  }
}
