// The way into the mesh and back into it: bootstrap addresses are dialled for as long as the node behind them is
// away, and the address book (where members were met) when no peer is left. Every address has its own backoff,
// and none is ever given up.

import type { Network } from "../adapters/libp2p/network.ts";
import { PEERS_KEPT, type StateStore } from "../adapters/sqlite/state-store.ts";
import { errorCode, errorMessage, MeshError } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";
import type { MemberView, MeshProtocol } from "../mesh/index.ts";
import type { Clock, Logger, MonoMs, Random } from "../ports/index.ts";

/** An address that failed is dialled again after this; doubled each time, up to the longest, less up to a quarter. */
const RETRY_MS = 5_000;
const RETRY_MS_MAX = 60_000;
/** An entry of the book is written again after this for a change, and after this without one: SD cards wear out. */
const REWRITE_MS = 600_000;
const REFRESH_MS = 86_400_000;
/** Addresses kept of one member. */
const ADDRESSES_KEPT = 8;

export interface RejoinDeps {
  readonly network: Pick<Network, "dial" | "connectedPeers">;
  readonly mesh: Pick<MeshProtocol, "members" | "zones">;
  readonly store: Pick<StateStore, "knownAddresses" | "rememberPeers">;
  /** The PeerId of a member whose identity is known. */
  readonly peerIdOf: (nodeId: NodeId) => { toString(): string } | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Retry {
  readonly atMs: MonoMs;
  readonly delayMs: number;
}

export class Rejoin {
  readonly #deps: RejoinDeps;
  #bootstrap: readonly string[];
  readonly #retries = new Map<string, Retry>();
  readonly #dialling = new Set<string>();
  /** The PeerId that was last reached under a bootstrap address. */
  readonly #bootstrapPeers = new Map<string, string>();
  /** What stands in the book, as far as this run has written it. */
  readonly #written = new Map<NodeId, { readonly text: string; readonly atMs: MonoMs }>();
  /** The address at which a member answered this node. */
  readonly #answeredAt = new Map<NodeId, string>();
  #wasAlone = true;

  constructor(deps: RejoinDeps, bootstrap: readonly string[]) {
    this.#deps = deps;
    this.#bootstrap = bootstrap;
  }

  set bootstrap(addresses: readonly string[]) {
    this.#bootstrap = addresses;
    this.#dialAbsent();
  }

  /** A member was reached at these addresses; none when it dialled. */
  reached(nodeId: NodeId, addresses: readonly string[]): void {
    const direct = addresses.find((address) => !address.includes("/p2p-circuit"));
    if (direct !== undefined) this.#answeredAt.set(nodeId, direct);
  }

  /** Dials what is due. To be called at the start and every few seconds. */
  upkeep(): void {
    const isAlone = this.#deps.network.connectedPeers().length === 0;
    if (isAlone && !this.#wasAlone) this.#retries.clear();
    this.#wasAlone = isAlone;
    if (isAlone) this.#dialKnown();
    else this.#dialAbsent();
  }

  /**
   * Keeps where connected members are reachable: after a restart this node finds them again by itself. A member is
   * often alive by its connection before its beacon tells its addresses, so this is looked at again and again.
   * @param isLast the daemon ends: changes are not put off
   */
  remember(isLast = false): void {
    const connected = this.#deps.mesh.members().filter(({ connected }) => connected);
    try {
      this.#write(connected.slice(0, PEERS_KEPT), isLast);
    } catch (error) {
      this.#deps.logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "addresses of peers not kept",
      );
    }
    const still = new Set(connected.map(({ nodeId }) => nodeId));
    for (const map of [this.#written, this.#answeredAt])
      for (const nodeId of map.keys()) if (!still.has(nodeId)) map.delete(nodeId);
  }

  /** Writes what is due, in one transaction: each waits for the disk. */
  #write(members: readonly MemberView[], isLast: boolean): void {
    const { monoMs, wallMs } = this.#deps.clock.now();
    const due = new Map<NodeId, readonly string[]>();
    for (const { nodeId, addresses } of members) {
      const kept = this.#addressesOf(nodeId, addresses);
      if (kept.length === 0) continue;
      const before = this.#written.get(nodeId);
      const waitMs = before?.text === kept.join() ? REFRESH_MS : isLast ? 0 : REWRITE_MS;
      if (before === undefined || monoMs - before.atMs >= waitMs) due.set(nodeId, kept);
    }
    if (due.size === 0) return;
    this.#deps.store.rememberPeers(due, wallMs);
    for (const [nodeId, kept] of due)
      this.#written.set(nodeId, { text: kept.join(), atMs: monoMs });
  }

  /** The address that worked first, then what the member's beacon says; links through relays are not kept. */
  #addressesOf(nodeId: NodeId, addresses: readonly string[]): string[] {
    const peerId = this.#deps.peerIdOf(nodeId)?.toString();
    if (peerId === undefined) return [];
    const told = addresses
      .filter((address) => !address.includes("/p2p-circuit"))
      .map((address) => (address.includes("/p2p/") ? address : `${address}/p2p/${peerId}`));
    return [...new Set([this.#answeredAt.get(nodeId) ?? [], told].flat())].slice(0, ADDRESSES_KEPT);
  }

  /** Dials every known address at once, whatever its backoff says. @throws MeshError `network/dial-failed` when none answers */
  async dialAll(): Promise<void> {
    const known = [...this.#known()];
    if (known.length === 0)
      throw new MeshError("network/dial-failed", "No address is known. See mesh.bootstrap.");
    try {
      await Promise.any(known.map((address) => this.#deps.network.dial([address])));
    } catch (cause) {
      const message = `None of ${known.length} known addresses answers. Check the network of this host.`;
      throw new MeshError("network/dial-failed", message, {}, { cause });
    }
  }

  /** Bootstrap addresses and peers of an earlier run. */
  #known(): Set<string> {
    return new Set([...this.#bootstrap, ...this.#deps.store.knownAddresses()]);
  }

  #dialKnown(): void {
    for (const address of this.#known()) this.#dialDue(address);
  }

  /**
   * Bootstrap addresses are dialled although there are peers, while the node behind them is not in the mesh. Hosts that boot
   * together could otherwise find one another in pairs and stay two meshes; and a host that comes back under its name, but with
   * another address, may itself know nobody to dial.
   */
  #dialAbsent(): void {
    if (this.#bootstrap.length === 0) return;
    const present = new Set(
      this.#deps.mesh
        .members()
        .filter(({ state }) => state === "alive" || state === "suspect")
        .map(({ nodeId }) => this.#deps.peerIdOf(nodeId)?.toString()),
    );
    for (const address of this.#bootstrap) {
      const peerId = this.#bootstrapPeers.get(address);
      // With other zones in view the mesh is one, whichever of them that node is in.
      if (peerId !== undefined && this.#deps.mesh.zones().length > 1) continue;
      if (peerId === undefined || !present.has(peerId)) this.#dialDue(address);
    }
  }

  #dialDue(address: string): void {
    const { network, clock, logger } = this.#deps;
    const retry = this.#retries.get(address);
    if (this.#dialling.has(address) || clock.now().monoMs < (retry?.atMs ?? 0)) return;
    this.#dialling.add(address);
    network
      .dial([address])
      .then(
        (peerId) => {
          this.#retries.delete(address);
          if (this.#bootstrap.includes(address)) this.#bootstrapPeers.set(address, peerId);
        },
        (error: unknown) => {
          this.#putOff(address, retry?.delayMs ?? RETRY_MS);
          logger.debug({ code: errorCode(error), address }, "known peer not reachable");
        },
      )
      .finally(() => this.#dialling.delete(address));
  }

  #putOff(address: string, delayMs: number): void {
    const { clock, random } = this.#deps;
    const jitter = 1 - random.fraction() / 4;
    const atMs = (clock.now().monoMs + delayMs * jitter) as MonoMs;
    this.#retries.set(address, { atMs, delayMs: Math.min(2 * delayMs, RETRY_MS_MAX) });
  }
}
