// How this node reaches members, and they reach it: directly where that works, else through relays. Our routing
// names the relays (`relaysFor`); libp2p's own search is not used. A relayed link is replaced by a direct one as soon as
// the peer answers at an address.

import { networkInterfaces } from "node:os";
import type { Network } from "../adapters/libp2p/network.ts";
import type { RelayOptions } from "../adapters/libp2p/relay.ts";
import { errorCode, errorMessage } from "../foundation/index.ts";
import type { NodeId } from "../identity/index.ts";
import type { MemberView, MeshProtocol } from "../mesh/index.ts";
import type { Clock, Logger, MonoMs } from "../ports/index.ts";

/** The role that a node announces in its beacons when it carries others. */
export const RELAY_ROLE = "relay";

/** Relays that lead to this node at once: one may end. */
const RELAYS_WANTED = 2;
/** Addresses told of each of them, and of this node in all (the beacon's limits). */
const ADDRESSES_PER_RELAY = 2;
const ADDRESSES_MAX = 8;
const ADDRESS_CHARS_MAX = 128;
/** Relays tried for one dial. */
const RELAYS_TRIED_MAX = 3;
/** A direct dial may take so long while there are relays to try. Above the round trips of any link that is of use. */
const DIRECT_DIAL_MS = 5_000;
const RELAYED_DIAL_MS = 10_000;
/** After a refusal a relay is not asked again so soon. */
const REFUSED_MS = 60_000;
/** Between two tries to get rid of a relay; doubled each time, up to the longest. */
const UPGRADE_MS = 15_000;
const UPGRADE_MS_MAX = 1_800_000;
/** Refusals and tries remembered; peers beyond are simply tried. */
const REMEMBERED_MAX = 1_024;

const CIRCUIT = "/p2p-circuit";

type PeerIdOf = (nodeId: NodeId) => ReturnType<typeof Network.peerIdOf> | undefined;

export interface ReachDeps {
  readonly network: Network;
  readonly mesh: Pick<MeshProtocol, "members" | "relaysFor">;
  readonly peerIdOf: PeerIdOf;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ReachOptions {
  readonly mode: RelayOptions["mode"];
  /** The operator has said how this node is reached. */
  readonly isAnnounced: boolean;
}

export class Reach {
  readonly #deps: ReachDeps;
  readonly #options: ReachOptions;
  readonly #refusedUntilMs = new Map<NodeId, MonoMs>();
  readonly #upgrades = new Map<NodeId, { readonly atMs: MonoMs; readonly delayMs: number }>();

  constructor(deps: ReachDeps, options: ReachOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Connects to a member, through a relay if need be; a no-op when connected.
   * @throws MeshError `network/dial-failed`
   */
  async dial(nodeId: NodeId, addresses: readonly string[]): Promise<void> {
    const { network } = this.#deps;
    const peerId = this.#deps.peerIdOf(nodeId);
    const relays = peerId === undefined ? [] : this.#relaysFor(nodeId);
    const circuits = addresses.filter(isCircuit);
    const canRelay = relays.length + circuits.length > 0 && this.#options.mode !== "off";
    try {
      const signal = canRelay ? AbortSignal.timeout(DIRECT_DIAL_MS) : undefined;
      const direct = addresses.filter((address) => !isCircuit(address));
      await network.dial(direct, peerId, signal && { signal });
    } catch (error) {
      if (!canRelay || peerId === undefined) throw error;
      await this.#dialRelayed(peerId, relays, circuits);
    }
  }

  /** What the own beacon tells: where this node listens, and the relays that lead to it. */
  addresses(): string[] {
    const { network, mesh } = this.#deps;
    const reserved = new Set(network.reservedRelays());
    const circuits = mesh
      .members()
      .filter(({ nodeId }) => reserved.has(nodeId))
      .flatMap(({ addresses }) => addresses.filter(isFar).slice(0, ADDRESSES_PER_RELAY))
      .map((address) => address + CIRCUIT)
      .filter((address) => address.length <= ADDRESS_CHARS_MAX)
      .slice(0, RELAYS_WANTED * ADDRESSES_PER_RELAY);
    const direct = network
      .addresses()
      .filter((address) => !isCircuit(address))
      .slice(0, ADDRESSES_MAX - circuits.length);
    return [...direct, ...circuits];
  }

  /** Sees to reservations while this node needs them, and to direct links in place of relayed ones. */
  async upkeep(): Promise<void> {
    this.#deps.network.meterReach();
    await Promise.all([this.#reserve(), this.#upgrade()]);
  }

  async #dialRelayed(
    peerId: NonNullable<ReturnType<PeerIdOf>>,
    relays: readonly NodeId[],
    circuits: readonly string[],
  ): Promise<void> {
    const { network } = this.#deps;
    const signal = AbortSignal.timeout(RELAYED_DIAL_MS);
    if (relays.length > 0) {
      const dialled = network.dialThrough(relays, peerId, signal);
      if (circuits.length === 0) return dialled;
      if (await dialled.then(() => true).catch(() => false)) return;
    }
    await network.dial(circuits, peerId, { signal });
  }

  #relaysFor(nodeId: NodeId): readonly NodeId[] {
    const { network, mesh } = this.#deps;
    const willing = new Set(
      mesh
        .members()
        .filter(isRelay)
        .map((member) => member.nodeId),
    );
    return mesh
      .relaysFor(nodeId)
      .map((relay) => relay.nodeId)
      .filter((relay) => willing.has(relay) && network.isConnected(relay))
      .filter((relay) => network.relayTo(relay) === undefined)
      .slice(0, RELAYS_TRIED_MAX);
  }

  #needsRelays(): boolean {
    const { mode, isAnnounced } = this.#options;
    if (mode !== "auto") return mode === "client";
    if (isAnnounced) return false;
    const own = new Set(
      Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []),
    );
    // A peer that sees another address than any of this host's sees a NAT.
    return this.#deps.network.observedIps().some((ip) => !own.has(ip));
  }

  async #reserve(): Promise<void> {
    const { network, mesh, clock, logger } = this.#deps;
    const held = new Set(network.reservedRelays());
    if (held.size >= RELAYS_WANTED || !this.#needsRelays()) return;
    const nowMs = clock.now().monoMs;
    const relay = mesh
      .members()
      .filter((member) => member.connected && isRelay(member) && !held.has(member.nodeId))
      .filter(({ nodeId }) => network.relayTo(nodeId) === undefined)
      .find(({ nodeId }) => nowMs >= (this.#refusedUntilMs.get(nodeId) ?? 0));
    if (relay === undefined) return;
    try {
      await network.reserve(relay.nodeId);
      logger.info({ relay: relay.nodeId, name: relay.name }, "reachable through a relay");
    } catch (error) {
      remember(this.#refusedUntilMs, relay.nodeId, (nowMs + REFUSED_MS) as MonoMs);
      logger.debug({ code: errorCode(error), error: errorMessage(error) }, "no reservation");
    }
  }

  async #upgrade(): Promise<void> {
    const { network, mesh, clock, logger, peerIdOf } = this.#deps;
    const nowMs = clock.now().monoMs;
    for (const { nodeId, addresses } of mesh.members()) {
      if (network.relayTo(nodeId) === undefined) continue;
      const { atMs, delayMs } = this.#upgrades.get(nodeId) ?? { atMs: 0, delayMs: UPGRADE_MS };
      const peerId = peerIdOf(nodeId);
      const direct = addresses.filter((address) => !isCircuit(address));
      if (nowMs < atMs || peerId === undefined || direct.length === 0) continue;
      const next = {
        atMs: (nowMs + delayMs) as MonoMs,
        delayMs: Math.min(2 * delayMs, UPGRADE_MS_MAX),
      };
      remember(this.#upgrades, nodeId, next);
      const signal = AbortSignal.timeout(DIRECT_DIAL_MS);
      await network.dialDirect(direct, peerId, signal).catch((error: unknown) => {
        logger.debug({ code: errorCode(error), nodeId }, "link stays relayed");
      });
      return; // one at a time: the next at the next upkeep
    }
  }
}

function isRelay({ roles }: Pick<MemberView, "roles">): boolean {
  return roles.includes(RELAY_ROLE);
}

function isCircuit(address: string): boolean {
  return address.includes(CIRCUIT);
}

/** Of use to another host. */
function isFar(address: string): boolean {
  return !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address) && !isCircuit(address);
}

function remember<Value>(map: Map<NodeId, Value>, nodeId: NodeId, value: Value): void {
  map.delete(nodeId);
  map.set(nodeId, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED_MAX && oldest !== undefined) map.delete(oldest);
}
