// How this node reaches members, and they reach it: directly where that works, else through relays. Our routing
// names the relays (`relaysFor`); libp2p's own search is not used. A relayed link is replaced by a direct one as soon as
// the peer answers at an address.

import { networkInterfaces } from "node:os";
import type { DialOptions, Network } from "../adapters/libp2p/network.ts";
import type { NetworkErrorCode } from "../adapters/libp2p/network-errors.ts";
import type { RelayOptions } from "../adapters/libp2p/relay.ts";
import { errorCode, errorMessage, MeshError } from "../foundation/index.ts";
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
/** A new link must answer within this before it takes the place of an old one. */
const PING_MS = 2_000;
/** After a refusal a relay is not asked again so soon. */
const REFUSED_MS = 60_000;
/** A relay that a link was led away from is not taken for that link so soon. */
const AVOIDED_MS = 600_000;
/** Between two tries to get rid of a relay; doubled each time, up to the longest. */
const UPGRADE_MS = 15_000;
const UPGRADE_MS_MAX = 1_800_000;
/** Refusals, tries and relays to avoid remembered; peers beyond are simply tried. */
const REMEMBERED_MAX = 1_024;

const CIRCUIT = "/p2p-circuit";

type PeerIdOf = (nodeId: NodeId) => ReturnType<typeof Network.peerIdOf> | undefined;

export interface ReachDeps {
  readonly network: Pick<
    Network,
    | ("addresses" | "dial" | "dialDirect" | "dialThrough" | "isConnected" | "keepNewest")
    | ("meterReach" | "observedIps" | "relayTo" | "reserve" | "reservedRelays")
  >;
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
  /** By `relay peer`. */
  readonly #avoidedUntilMs = new Map<string, MonoMs>();
  readonly #upgrades = new Map<NodeId, { readonly atMs: MonoMs; readonly delayMs: number }>();

  constructor(deps: ReachDeps, options: ReachOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Connects to a member, through a relay if need be; a no-op when connected.
   * @throws MeshError `network/dial-failed`
   */
  dial(nodeId: NodeId, addresses: readonly string[]): Promise<void> {
    return this.#dial(nodeId, addresses, {});
  }

  /**
   * Puts a new link in the place of one that carries nothing, which ends when the new one stands.
   * @throws MeshError `network/dial-failed`; the old one is left as it is then
   */
  async replace(nodeId: NodeId, addresses: readonly string[]): Promise<void> {
    await this.#dial(nodeId, addresses, { force: true });
    await this.#deps.network.keepNewest(nodeId, PING_MS);
  }

  /**
   * Leads a relayed link through another relay, and leaves the one that it had alone for a while.
   * @throws MeshError `network/not-relayed`, `network/dial-failed`; the link is left as it is then
   */
  async changeRelay(nodeId: NodeId, addresses: readonly string[]): Promise<void> {
    const { network, peerIdOf, clock } = this.#deps;
    const [before, peerId] = [network.relayTo(nodeId) as NodeId | undefined, peerIdOf(nodeId)];
    if (before === undefined || peerId === undefined)
      throw new MeshError<NetworkErrorCode>(
        "network/not-relayed",
        `The link to node ${nodeId.slice(0, 12)} leads through no relay. See meshctl links.`,
        { nodeId },
      );
    const past = `/p2p/${peerIdOf(before)?.toString() ?? before}/`;
    const circuits = addresses.filter((one) => isCircuit(one) && !one.includes(past));
    const others = this.#relaysFor(nodeId).filter(
      (relay) => relay !== before && !this.#isAvoided(relay, nodeId),
    );
    await this.#dialRelayed(peerId, others, circuits, { force: true });
    await network.keepNewest(nodeId, PING_MS);
    const untilMs = (clock.now().monoMs + AVOIDED_MS) as MonoMs;
    remember(this.#avoidedUntilMs, `${before} ${nodeId}`, untilMs);
  }

  async #dial(nodeId: NodeId, addresses: readonly string[], options: DialOptions): Promise<void> {
    const { network } = this.#deps;
    const peerId = this.#deps.peerIdOf(nodeId);
    const relays = peerId === undefined ? [] : this.#relaysFor(nodeId);
    const circuits = addresses.filter(isCircuit);
    const canRelay = relays.length + circuits.length > 0 && this.#options.mode !== "off";
    try {
      const signal = canRelay ? AbortSignal.timeout(DIRECT_DIAL_MS) : undefined;
      const direct = addresses.filter((address) => !isCircuit(address));
      await network.dial(direct, peerId, { ...options, ...(signal && { signal }) });
    } catch (error) {
      if (!canRelay || peerId === undefined) throw error;
      await this.#dialRelayed(peerId, relays, circuits, options);
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
    { force = false }: DialOptions,
  ): Promise<void> {
    const { network } = this.#deps;
    const options = { force, signal: AbortSignal.timeout(RELAYED_DIAL_MS) };
    if (relays.length > 0) {
      const dialled = network.dialThrough(relays, peerId, options);
      if (circuits.length === 0) return dialled;
      if (await dialled.then(() => true).catch(() => false)) return;
    }
    await network.dial(circuits, peerId, options);
  }

  /** Those to avoid come last: they are better than none. */
  #relaysFor(nodeId: NodeId): readonly NodeId[] {
    const { network, mesh } = this.#deps;
    const rank = (relay: NodeId): number => Number(this.#isAvoided(relay, nodeId));
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
      .sort((a, b) => rank(a) - rank(b))
      .slice(0, RELAYS_TRIED_MAX);
  }

  #isAvoided(relay: NodeId, nodeId: NodeId): boolean {
    const untilMs = this.#avoidedUntilMs.get(`${relay} ${nodeId}`) ?? 0;
    return this.#deps.clock.now().monoMs < untilMs;
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

function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED_MAX && oldest !== undefined) map.delete(oldest);
}
