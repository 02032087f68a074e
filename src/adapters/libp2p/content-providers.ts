// Who has what belongs to a digest, by the DHT: members that provide it. What it answers is a hint from strangers: whoever is asked
// then is authenticated by the connection, and what it gives is verified.

import type { ContentRouting } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import { fromHex } from "../../foundation/index.ts";

/** Multicodec names of what a digest is of, and of SHA-256. */
const RAW = 0x55;
const SHA2_256 = 0x12;

/** How long a search or an announcement may take. */
const TIMEOUT_MS = 5_000;

/** Entries of the DHT are forgotten by others after this, and renewed when half of it is left; looked at so often. */
export const provideTimes = { validity: 3_600_000, threshold: 1_800_000, interval: 600_000 };

/** A peer that says to have it. */
export interface ContentProvider {
  readonly peerId: string;
  readonly addresses: readonly string[];
}

export class ContentProviders {
  readonly #routing: () => ContentRouting;

  /** @param routing of the network that runs; throws when none does */
  constructor(routing: () => ContentRouting) {
    this.#routing = routing;
  }

  /** Tells that this node has it, until {@link withdraw}. @throws what the DHT throws, for instance without any peer */
  async provide(digest: string): Promise<void> {
    await this.#routing().provide(cidOf(digest), { signal: AbortSignal.timeout(TIMEOUT_MS) });
  }

  /** Renews it no more: others forget it in time. */
  async withdraw(digest: string): Promise<void> {
    await this.#routing().cancelReprovide(cidOf(digest));
  }

  /** The first providers that are found in time, at most so many; what was found counts also when the search is cut off. */
  async find(digest: string, most: number): Promise<ContentProvider[]> {
    const found: ContentProvider[] = [];
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      for await (const provider of this.#routing().findProviders(cidOf(digest), { signal })) {
        const { id, multiaddrs } = provider;
        found.push({ peerId: id.toString(), addresses: multiaddrs.map(String) });
        if (found.length >= most) break;
      }
    } catch (error) {
      if (found.length === 0) throw error;
    }
    return found;
  }
}

function cidOf(digest: string): CID {
  return CID.createV1(RAW, Digest.create(SHA2_256, fromHex(digest)));
}
