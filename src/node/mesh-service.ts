// Drives the mesh machine: events from the network and the clock go in, its actions are carried out here.

import {
  ByteReader,
  concatBytes,
  errorCode,
  errorMessage,
  fromHex,
  MeshError,
  ok,
  type Result,
  toHex,
  uint32be,
  unreachable,
} from "../foundation/index.ts";
import type { CryptoEngine } from "../crypto/index.ts";
import type { AuthenticatedPeer } from "../handshake/index.ts";
import type { NodeId } from "../identity/index.ts";
import {
  encodeForeignProof,
  type MeshAction,
  type MeshEvent,
  type MeshMachine,
  type MeshOptions,
  type MeshTimerId,
  NACK_SHARE,
  type ReleaseRefusal,
} from "../mesh/index.ts";
import type { Clock, Logger, Meter, MonoMs, Tracer } from "../ports/index.ts";
import { BEACON_SPAN } from "../telemetry/index.ts";
import type { GossipDecision } from "../adapters/libp2p/gossip.ts";
import type { Network } from "../adapters/libp2p/network.ts";
import { type TopicName, topicOf, zoneTopics } from "../adapters/libp2p/topics.ts";
import { BeaconIntake } from "./beacon-intake.ts";
import type { NodeIdentities } from "./identity-directory.ts";
import { SignatureVerifier } from "./signature-verifier.ts";

/** The asker's zone and what it has; the answer: each missing message as `uint32 length || bytes`. Version 1 knew no zones. */
const SYNC_PROTOCOL = "/x0tta6bl4/sync/2";
/** A NodeId to ping; the answer is one byte, 1 for alive. That of the peer itself tells it that it is suspected. */
const PROBE_PROTOCOL = "/x0tta6bl4/probe/1";

/** Without a timer for so long the mesh part of this daemon hangs, and a supervisor should restart it. */
const TIMER_SILENCE_MS_MAX = 30_000;

/** A beacon, handed to one peer; the empty answer is the receipt. */
const PUSH_PROTOCOL = "/x0tta6bl4/beacon/1";
const PUSH_BYTES_MAX = 32 * 1024;
const PUSH_TIMEOUT_MS = 1_000;

/** Beacons of about 5 KiB each: a zone of a hundred nodes in one answer. */
const SYNC_ANSWER_BYTES_MAX = 1024 * 1024;
const SYNC_REQUEST_BYTES_MAX = 256 * 1024;
/** Most beacons taken from one answer: the shortest with its signature has 3.4 KiB. */
const SYNC_BEACONS_MAX = 320;
/** How often one peer is answered; half of the interval in which an honest one asks. */
const SYNC_INTERVAL_MS = 1_000;
const SYNCED_MAX = 1_024;
/** Peers asked at once for everything: one may be as badly off. */
const RESYNC_PEERS = 3;

type ActionOf<Kind extends MeshAction["kind"]> = Extract<MeshAction, { kind: Kind }>;

export interface MeshServiceDeps {
  readonly self: NodeId;
  readonly network: Network;
  readonly machine: MeshMachine;
  readonly identities: NodeIdentities;
  readonly engine: CryptoEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Connects to a member, whichever way. */
  readonly dial: (nodeId: NodeId, addresses: readonly string[]) => Promise<void>;
  readonly onMemberChanged: (change: ActionOf<"member-changed">) => void;
  /** What is to be known against a node from now on, for the disk. */
  readonly onEvidence: (evidence: ActionOf<"evidence">) => void;
  /** The mesh remembers a later boot of this node than its disk did. */
  readonly onEpochRaised: (epoch: number) => void;
  /** The mesh has put this node into another zone. */
  readonly onZoneChanged: (zone: string) => void;
}

export interface MeshServiceOptions {
  readonly trustDomain: string;
  readonly probeTimeoutMs: MeshOptions["probeTimeoutMs"];
}

export class MeshService {
  readonly #deps: MeshServiceDeps;
  readonly #options: MeshServiceOptions;
  readonly #timers = new Map<MeshTimerId, NodeJS.Timeout>();
  /** Zones in their grace time after this node left them. */
  readonly #leaving = new Map<string, NodeJS.Timeout>();
  readonly #syncedAtMs = new Map<NodeId, MonoMs>();
  readonly #verifier: SignatureVerifier;
  readonly #intake: BeaconIntake;
  #timerAtMs = 0 as MonoMs;
  #timersHandled = 0;
  #running = false;

  constructor(deps: MeshServiceDeps, options: MeshServiceOptions) {
    this.#deps = deps;
    this.#options = options;
    const { machine, identities, clock, meter } = deps;
    this.#verifier = new SignatureVerifier(deps);
    this.#intake = new BeaconIntake({
      ...{ machine, clock, meter },
      verify: (jobs) => this.#verifier.verify(jobs),
      fetchIdentity: (nodeId, from) => identities.fetch(nodeId, from),
      carryOut: (actions) => this.#run(actions),
    });
  }

  /** Subscribes, serves the mesh's own protocols and starts the machine. */
  async start(): Promise<void> {
    this.#running = true;
    const { network, machine } = this.#deps;
    this.#enter(machine.zone);
    network.subscribe(this.#topic("summary"), (from, bytes) => this.#receive(bytes, from));
    await network.serve(
      SYNC_PROTOCOL,
      { requestBytesMax: SYNC_REQUEST_BYTES_MAX, streamsPerPeerMax: 2, relayed: true },
      (peer, request) => this.#answerSync(peer, request),
    );
    await network.serve(
      PROBE_PROTOCOL,
      { requestBytesMax: 32, streamsPerPeerMax: 8, relayed: true },
      (peer, request) => this.#probeFor(peer, request),
    );
    await network.serve(
      PUSH_PROTOCOL,
      { requestBytesMax: PUSH_BYTES_MAX, streamsPerPeerMax: 1, relayed: true },
      async (peer, beacon) => {
        if (peer.kind === "svid") await this.#receive(beacon, peer.identity.nodeId);
        return new Uint8Array(0);
      },
    );
    this.handle({ kind: "started" });
  }

  /**
   * Tells the mesh that this node leaves, and sets no timer after that. Gossip gives no receipt, so the leaving
   * beacon is also handed to each peer and waited for: they must see `left`, not `dead`. Idempotent.
   */
  async stop(): Promise<void> {
    if (!this.#running) return;
    const actions = this.#deps.machine.handle({ kind: "stopping" }, this.#deps.clock.now());
    this.#running = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const timer of this.#leaving.values()) clearTimeout(timer);
    this.#leaving.clear();
    const beacons = actions.flatMap((action) => (action.kind === "publish" ? [action.bytes] : []));
    this.#run(actions);
    this.#intake.stop();
    await this.#verifier.stop();
    await Promise.allSettled(
      this.#deps.network
        .connectedPeers()
        .flatMap(({ nodeId }) => beacons.map((beacon) => this.#push(nodeId, beacon))),
    );
  }

  /** Whether the machine's timers still come: its detector's is due each second. */
  isProgressing(): boolean {
    const silentMs = this.#deps.clock.now().monoMs - this.#timerAtMs;
    return !this.#running || silentMs < TIMER_SILENCE_MS_MAX;
  }

  /** How many timers the machine has worked off, with all that it asked for; undefined while it does not run. */
  timersHandled(): number | undefined {
    return this.#running ? this.#timersHandled : undefined;
  }

  /** Gives an event to the machine and carries out what it answers. */
  handle(event: MeshEvent): void {
    if (!this.#running) return;
    const now = this.#deps.clock.now();
    if (event.kind === "timer" || event.kind === "started") this.#timerAtMs = now.monoMs;
    this.#run(this.#deps.machine.handle(event, now));
    if (event.kind === "timer") this.#timersHandled++;
  }

  /** Judges a proof that another protocol of this node found, as if a peer had brought it, and hands it on if it is new. */
  accuse(evidence: Uint8Array): void {
    const proof = encodeForeignProof(evidence);
    const judged = this.#receive(proof, this.#deps.self).then(async (decision) => {
      if (decision !== "accept") return;
      await this.#deps.network.publish(this.#topic("summary"), proof);
    });
    this.#inBackground("evidence", judged);
  }

  /** Releases a node from quarantine. The caller has seen to the right to do so. */
  release(nodeId: NodeId, reason: string): Result<void, ReleaseRefusal> {
    const outcome = this.#deps.machine.release(nodeId, reason, this.#deps.clock.now());
    if (!outcome.ok) return outcome;
    this.#run(outcome.value);
    return ok(undefined);
  }

  async #receive(bytes: Uint8Array, from: NodeId): Promise<GossipDecision> {
    if (!this.#running) return "ignore";
    return this.#deps.tracer.span(BEACON_SPAN, { parent: "root" }, async (span) => {
      const { decision, code } = await this.#intake.receive(bytes, from);
      span.set({ "meshd.beacon.code": code, "meshd.beacon.bytes": bytes.length });
      return decision;
    });
  }

  #run(actions: readonly MeshAction[]): void {
    for (const action of actions) {
      try {
        this.#carryOut(action);
      } catch (error) {
        // A full disk, say: the machine has decided, and the mesh goes on.
        this.#deps.logger.error(
          { code: errorCode(error), action: action.kind, error: errorMessage(error) },
          "mesh action failed",
        );
      }
    }
  }

  #carryOut(action: MeshAction): void {
    const { network } = this.#deps;
    switch (action.kind) {
      case "publish":
        return this.#inBackground(
          "publish",
          network.publish(this.#topic(action.topic, action.zone), action.bytes),
        );
      case "set-timer":
        return this.#setTimer(action.id, action.delayMs);
      case "probe":
        return this.#inBackground("probe", this.#probe(action));
      case "probe-via":
        return this.#inBackground("indirect probe", this.#probeVia(action));
      case "dial":
        return this.#inBackground("dial", this.#deps.dial(action.nodeId, action.addresses));
      case "disconnect":
        if (action.code === "mesh/quarantined")
          this.#deps.logger.warn({ code: action.code, nodeId: action.nodeId }, "peer disconnected");
        return this.#inBackground("disconnect", network.disconnect(action.nodeId));
      case "pull-beacons":
        return this.#inBackground("beacon pull", this.#pull(action.nodeId));
      case "evidence":
        return this.#deps.onEvidence(action);
      case "epoch-raised":
        return this.#deps.onEpochRaised(action.epoch);
      case "zone-changed":
        return this.#changeZone(action);
      case "member-changed":
        return this.#deps.onMemberChanged(action);
      default:
        unreachable(action);
    }
  }

  /** What fails here is the normal weather of a network: the machine hears of it, or tries again. */
  #inBackground(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#deps.logger.debug(
        { code: errorCode(error), error: errorMessage(error) },
        `${what} failed`,
      );
    });
  }

  #setTimer(id: MeshTimerId, delayMs: number): void {
    clearTimeout(this.#timers.get(id));
    if (!this.#running) return;
    this.#timers.set(
      id,
      setTimeout(() => this.handle({ kind: "timer", id }), delayMs),
    );
  }

  async #probe({ nodeId, timeoutMs, suspect }: ActionOf<"probe">): Promise<void> {
    try {
      const rttMs = suspect
        ? await this.#challenge(nodeId, timeoutMs)
        : await this.#deps.network.ping(nodeId, timeoutMs);
      this.handle({ kind: "rtt", nodeId, rttMs });
    } catch (error) {
      this.handle({ kind: "probe-failed", nodeId });
      throw error;
    }
  }

  /** A probe that tells a suspect of the suspicion: it is asked to reach itself, and any answer is a sign of life. */
  async #challenge(nodeId: NodeId, timeoutMs: number): Promise<number> {
    const { network, clock } = this.#deps;
    const sentAtMs = clock.now().monoMs;
    await network.request(nodeId, PROBE_PROTOCOL, fromHex(nodeId), {
      timeoutMs,
      responseBytesMax: 1,
    });
    return clock.now().monoMs - sentAtMs;
  }

  /** The first helper that reached the node ends it; silent ones are waited for, because their silence counts. */
  async #probeVia({ nodeId, via, timeoutMs }: ActionOf<"probe-via">): Promise<void> {
    let answers = 0;
    const reach = async (helper: NodeId): Promise<void> => {
      const [alive] = await this.#deps.network.request(helper, PROBE_PROTOCOL, fromHex(nodeId), {
        timeoutMs,
        responseBytesMax: 1,
      });
      answers++;
      if (alive !== 1) throw new MeshError("mesh/not-reached", "The helper did not reach it.");
    };
    const alive = await Promise.any(via.map(reach)).then(
      () => true,
      () => false,
    );
    this.handle({ kind: "indirect-probe-result", nodeId, alive, answers });
  }

  /**
   * Pings a node for a peer: only one that is connected, so nobody can make us dial. A peer that asks for this node
   * itself suspects it.
   */
  async #probeFor(peer: AuthenticatedPeer, request: Uint8Array): Promise<Uint8Array> {
    const { network, self, logger } = this.#deps;
    const nodeId = toHex(request) as NodeId;
    if (nodeId === self) {
      // A node whose machine hangs does not vouch for itself.
      if (!this.isProgressing()) throw new MeshError("mesh/not-running", "The mesh hangs.");
      if (peer.kind === "svid") this.handle({ kind: "suspected-by", nodeId: peer.identity.nodeId });
      return Uint8Array.of(1);
    }
    try {
      await network.ping(nodeId, NACK_SHARE * this.#options.probeTimeoutMs);
      return Uint8Array.of(1);
    } catch (error) {
      logger.debug({ code: errorCode(error), nodeId }, "probe for a peer failed");
      return Uint8Array.of(0);
    }
  }

  /** Pulls beacons from a few connected peers. @throws MeshError `mesh/not-reached` when none of them answers */
  async resync(): Promise<void> {
    const peers = this.#deps.network.connectedPeers().slice(0, RESYNC_PEERS);
    try {
      await Promise.any(peers.map(({ nodeId }) => this.#pull(nodeId)));
    } catch (cause) {
      const message = `None of ${peers.length} connected peers gave its beacons. See meshctl peers.`;
      throw new MeshError("mesh/not-reached", message, {}, { cause });
    }
  }

  async #pull(nodeId: NodeId): Promise<void> {
    const answer = await this.#deps.network.request(
      nodeId,
      SYNC_PROTOCOL,
      this.#deps.machine.beaconDigest(),
      {
        timeoutMs: 10_000,
        responseBytesMax: SYNC_ANSWER_BYTES_MAX,
      },
    );
    const reader = new ByteReader(answer);
    for (let left = SYNC_BEACONS_MAX; left > 0 && reader.remaining > 0 && this.#running; left--) {
      await this.#receive(reader.take(reader.uint32be()), nodeId);
    }
  }

  /** A megabyte for a few bytes: each peer may ask for it now and then only. */
  #answerSync(peer: AuthenticatedPeer, request: Uint8Array): Promise<Uint8Array> {
    if (peer.kind !== "svid") return Promise.resolve(new Uint8Array(0));
    const { nodeId } = peer.identity;
    const nowMs = this.#deps.clock.now().monoMs;
    const before = this.#syncedAtMs.get(nodeId);
    if (before !== undefined && nowMs - before < SYNC_INTERVAL_MS) {
      return Promise.resolve(new Uint8Array(0));
    }
    this.#syncedAtMs.delete(nodeId);
    this.#syncedAtMs.set(nodeId, nowMs);
    if (this.#syncedAtMs.size > SYNCED_MAX) {
      const [oldest] = this.#syncedAtMs.keys();
      if (oldest !== undefined) this.#syncedAtMs.delete(oldest);
    }
    return Promise.resolve(frame(this.#deps.machine.beaconsMissingFrom(request)));
  }

  #push(nodeId: NodeId, beacon: Uint8Array): Promise<Uint8Array> {
    return this.#deps.network.request(nodeId, PUSH_PROTOCOL, beacon, {
      timeoutMs: PUSH_TIMEOUT_MS,
      responseBytesMax: 1,
    });
  }

  /** Takes part in a zone's gossip. */
  #enter(zone: string): void {
    clearTimeout(this.#leaving.get(zone));
    const isHere = this.#leaving.delete(zone);
    if (isHere) return;
    for (const name of zoneTopics)
      this.#deps.network.subscribe(this.#topic(name, zone), (from, bytes) =>
        this.#receive(bytes, from),
      );
  }

  #changeZone({ from, to, graceMs }: Extract<MeshAction, { kind: "zone-changed" }>): void {
    this.#deps.logger.info({ from, to }, "zone changed");
    this.#enter(to);
    this.#deps.onZoneChanged(to);
    const leave = (): void => {
      this.#leaving.delete(from);
      for (const name of zoneTopics) this.#deps.network.unsubscribe(this.#topic(name, from));
    };
    this.#leaving.set(from, setTimeout(leave, graceMs));
  }

  #topic(name: TopicName, zone = this.#deps.machine.zone): string {
    return topicOf(this.#options.trustDomain, zone, name);
  }
}

/** Messages as `uint32 length || bytes`, as many as fit into one answer. */
function frame(messages: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const message of messages) {
    length += 4 + message.length;
    if (length > SYNC_ANSWER_BYTES_MAX) break;
    parts.push(uint32be(message.length), message);
  }
  return concatBytes(...parts);
}
