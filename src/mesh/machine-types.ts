// What goes into the mesh machine and what comes out: the contract between the protocol and whoever drives it
// (the libp2p adapter in production, the simulator in tests). The machine does no I/O, reads no clock and sets no
// timer: every effect is an action, every cause an event or a received message.

import type { CryptoEngine, MlDsaSigner, MlDsaVerification } from "../crypto/index.ts";
import type { NodeId, PeerIdentity } from "../identity/index.ts";
import type { Buggify, Meter, MonoMs, Now, Random, WallMs } from "../ports/index.ts";
import type { Result } from "../foundation/index.ts";
import type { BeaconRejectCode, SummaryRejectCode } from "./beacons/reject-codes.ts";
import type { MeshBuggifyPoint } from "./buggify.ts";
import type { OwnLinkView, PathView, RelayView, RouteDetail } from "./routing/route-types.ts";

export type {
  HopView,
  OwnLinkView,
  PathView,
  RelayView,
  RouteDetail,
} from "./routing/route-types.ts";
import type { decodeStateBeacon, LearningStatus } from "./beacons/state-beacon.ts";
import type { Rendezvous } from "./zones/rendezvous.ts";
import type { decodeSummary } from "./zones/summary.ts";

/**
 * Gossip topics: signed state beacons on one and heartbeats on another, both of the node's zone; on a third, which all of
 * the mesh shares, summaries of zones, proofs of equivocation and releases.
 */
export type MeshTopic = "state" | "heartbeat" | "summary";

/** The state of a member in the local view. */
export type MemberState = "joining" | "alive" | "suspect" | "dead" | "left" | "quarantined";

/** Why a member changed its state. */
export type MemberCause =
  | "beacon"
  | "heartbeat"
  | "connected"
  | "probe-answered"
  | "probe-failed"
  | "silence"
  | "suspicion-timeout"
  | "leaving"
  | "new-epoch"
  | "equivocation"
  | "moved"
  | "released"
  | "forgotten";

/** The timers of the machine. A timer set again replaces the one before; after `stopping` none is set. */
export type MeshTimerId = "heartbeat" | "beacon" | "beacon-period" | "detector" | "dial" | "zone";

/** An event for {@link MeshMachine.handle}. */
export type MeshEvent =
  /** Once, first. */
  | { readonly kind: "started" }
  /** Once, last: the machine publishes a leaving beacon and sets no timer after it. */
  | { readonly kind: "stopping" }
  /** A timer of a `set-timer` action ran out. */
  | { readonly kind: "timer"; readonly id: MeshTimerId }
  /** An authenticated connection is up; `addresses` are where the peer was reached, may be empty. */
  | {
      readonly kind: "peer-connected";
      readonly peer: PeerIdentity;
      readonly addresses: readonly string[];
    }
  /** The last connection to the peer is gone. */
  | { readonly kind: "peer-disconnected"; readonly nodeId: NodeId }
  /** The answer to a `probe` (or any other round trip that was measured). */
  | { readonly kind: "rtt"; readonly nodeId: NodeId; readonly rttMs: number }
  /** A `probe` had no answer in its time, or could not be sent. */
  | { readonly kind: "probe-failed"; readonly nodeId: NodeId }
  /** The outcome of a `probe-via`: alive if any helper reached the node; `answers` counts helpers with any answer. */
  | {
      readonly kind: "indirect-probe-result";
      readonly nodeId: NodeId;
      readonly alive: boolean;
      readonly answers: number;
    }
  /** A connected peer told, with its probe, that it suspects this node (Lifeguard's buddy system). */
  | { readonly kind: "suspected-by"; readonly nodeId: NodeId }
  /** What the own beacon tells has changed; absent fields stay as they are; `learning: null` ends it. */
  | {
      readonly kind: "local-changed";
      readonly addresses?: readonly string[];
      readonly roles?: readonly string[];
      /** 0..1 */
      readonly load?: number;
      readonly learning?: LearningStatus | null;
      readonly svidNotAfterMs?: WallMs;
    };

/** An effect that the driver must carry out, in the order given. */
export type MeshAction =
  | {
      readonly kind: "publish";
      readonly topic: MeshTopic;
      readonly bytes: Uint8Array;
      /** Of `state` and `heartbeat`: in this zone instead of the present one. */
      readonly zone?: string;
    }
  | { readonly kind: "set-timer"; readonly id: MeshTimerId; readonly delayMs: number }
  /** Ping a connected peer, and let it know if it is suspected; answer with `rtt` or `probe-failed`. */
  | {
      readonly kind: "probe";
      readonly nodeId: NodeId;
      readonly timeoutMs: number;
      readonly suspect: boolean;
    }
  /** Ask the helpers to ping the node; answer with `indirect-probe-result` when one has reached it, all have answered, or time is up. */
  | {
      readonly kind: "probe-via";
      readonly nodeId: NodeId;
      readonly via: readonly NodeId[];
      readonly timeoutMs: number;
    }
  /** Connect; success comes back as `peer-connected`, a failure needs no event (the machine tries again later). */
  | { readonly kind: "dial"; readonly nodeId: NodeId; readonly addresses: readonly string[] }
  /** Close every connection to the peer: while it is quarantined refuse new ones; a surplus one may come back. */
  | {
      readonly kind: "disconnect";
      readonly nodeId: NodeId;
      readonly code: "mesh/quarantined" | "mesh/surplus";
    }
  /**
   * Fetch what this node lacks from a connected peer: send `beaconDigest()` to it, there call
   * `beaconsMissingFrom(digest)`, and give each of the answers to `receive(bytes, nodeId, now)` here.
   */
  | { readonly kind: "pull-beacons"; readonly nodeId: NodeId }
  /** This node is in another zone: take part in its topics from now on, and leave the old ones after the grace time. */
  | {
      readonly kind: "zone-changed";
      readonly from: string;
      readonly to: string;
      readonly graceMs: number;
    }
  /** Persist what is known against a node, in the place of what was before; without a statement, forget it. */
  | {
      readonly kind: "evidence";
      readonly nodeId: NodeId;
      readonly statement: StoredEvidence | undefined;
    }
  /** The boot counter was behind the mesh's memory of this node (a restored disk): persist this value. */
  | { readonly kind: "epoch-raised"; readonly epoch: number }
  | {
      readonly kind: "member-changed";
      readonly nodeId: NodeId;
      /** `undefined`: the node was not a member before. */
      readonly from: MemberState | undefined;
      /** `undefined`: the member was forgotten. */
      readonly to: MemberState | undefined;
      readonly cause: MemberCause;
    };

/** What was accepted. */
export type BeaconAcceptCode = "state" | "heartbeat" | "proof" | "release" | "summary";

/**
 * The verdict on a gossip message. `accept`: forward it. `reject`: drop it and score the peer that sent it.
 * `ignore`: drop it without blame. The actions are to be carried out with every verdict.
 * `need-identity`: fetch the node's verified identity (from the forwarding peer), put it into the directory, and
 * call `receive` again with the same bytes; when that fails, treat the message as ignored.
 */
export type GossipVerdict =
  | {
      readonly verdict: "accept";
      readonly code: BeaconAcceptCode;
      readonly actions: readonly MeshAction[];
    }
  | {
      readonly verdict: "reject" | "ignore";
      readonly code: BeaconRejectCode | SummaryRejectCode;
      readonly actions: readonly MeshAction[];
    }
  | { readonly verdict: "need-identity"; readonly nodeId: NodeId };

/**
 * Who verifies the signatures of a message: the machine, or its driver, in batches. With `defer` the answer may be
 * {@link NeedSignatures}; then `receive` is called again with the same bytes and the outcome.
 */
export type SignatureHandling = "inline" | "defer" | "valid" | "invalid";

/** The message is good if all these signatures are; it is charged to the sender until `receive` hears of it again. */
export interface NeedSignatures {
  readonly verdict: "need-signature";
  readonly jobs: readonly MlDsaVerification[];
}

/** Verified identities by node id; whoever fills it bounds it and drops what has expired. */
export interface IdentityDirectory {
  lookup(nodeId: NodeId): PeerIdentity | undefined;
}

/** What the own node is. */
export interface MeshSelf {
  readonly nodeId: NodeId;
  /**
   * The boot counter: strictly higher than at any boot before, 1..2^32-1. A daemon should take
   * `max(persisted + 1, unix seconds)`, so that a restored disk does not repeat an epoch.
   */
  readonly epoch: number;
  /** At most 8, each 1..128 characters of visible ASCII. */
  readonly addresses: readonly string[];
  /** At most 64 characters of visible ASCII; `auto` leaves the choice to the mesh. */
  readonly zone: string;
  /** At most 8, each 1..32 characters of visible ASCII. */
  readonly roles: readonly string[];
  readonly svidNotAfterMs?: WallMs;
}

/** How messages come in. Many machines in one process may share theirs, when nobody changes a message's bytes. */
export interface Intake {
  readonly decode: typeof decodeStateBeacon;
  readonly decodeSummary: typeof decodeSummary;
  /** SHA-256 of the signed part that a decoder gave, in hex: what a message is told from another by. */
  readonly digest: (signed: Uint8Array, engine: Pick<CryptoEngine, "sha256">) => string;
  /** The bytes to remember of an accepted message. */
  readonly keep: (bytes: Uint8Array) => Uint8Array;
}

/** What the machine uses. */
export interface MeshDeps {
  readonly engine: Pick<CryptoEngine, "sha256" | "mlDsa65">;
  readonly signer: MlDsaSigner;
  readonly self: MeshSelf;
  readonly identities: IdentityDirectory;
  /** May this SPIFFE id do that? */
  readonly allows: (
    spiffeId: string | undefined,
    right: "beacon.publish" | "mesh.release",
  ) => boolean;
  /** Reads proofs of other protocols. @default they prove nothing here */
  readonly readForeignProof?: ReadForeignProof;
  /** The statements of earlier `evidence` actions. @default none */
  readonly evidence?: readonly StoredEvidence[];
  readonly random: Random;
  readonly meter: Meter;
  /** @default the machine parses and copies every beacon itself */
  readonly intake?: Intake;
  /** Machines of one process may share one. @default one of its own */
  readonly rendezvous?: Rendezvous;
  /** For the simulator alone: production has none. */
  readonly buggify?: Buggify<MeshBuggifyPoint>;
}

/** One member as status shows it. */
export interface MemberView {
  readonly nodeId: NodeId;
  /** From the verified identity; absent while it is not in the directory. */
  readonly name?: string;
  readonly state: MemberState;
  readonly connected: boolean;
  /** {@link MeshProtocol.reputation} */
  readonly reputation: number;
  readonly epoch: number;
  readonly sequence: number;
  /** Index of the last verified heartbeat in the epoch. */
  readonly heartbeatIndex: number;
  /** Last state beacon or heartbeat accepted; monotonic. */
  readonly lastBeaconAtMs: MonoMs;
  /** Last proof of life of any kind; monotonic. */
  readonly lastAliveAtMs: MonoMs;
  /** When it last answered a probe from here, or connected; monotonic. */
  readonly answeredAtMs?: MonoMs;
  readonly addresses: readonly string[];
  readonly zone: string;
  readonly roles: readonly string[];
  /** 0..1 */
  readonly load: number;
  /** Smoothed; only for neighbours. */
  readonly rttMs?: number;
  /** 0..1; only for neighbours. */
  readonly lossRatio?: number;
  readonly learning?: LearningStatus;
  readonly svidNotAfterMs?: WallMs;
  /** Why the last message under this node's name was refused, if any was. */
  readonly lastErrorCode?: BeaconRejectCode | SummaryRejectCode;
}

/** A usable link of the topology, as undirected pair with `a < b`. */
export interface LinkView {
  readonly a: NodeId;
  readonly b: NodeId;
  readonly rttMs: number;
  readonly lossRatio: number;
  readonly cost: number;
}

/** The best route to a member. */
export interface RouteView {
  readonly target: NodeId;
  readonly nextHop: NodeId;
  readonly hops: number;
  readonly cost: number;
}

/** A zone as this node knows it: its own by membership, another one by the summary of its gateway. */
export interface ZoneView {
  readonly zone: string;
  /** The node's own. */
  readonly own: boolean;
  readonly members: number;
  /** Mean of the members, 0..1. */
  readonly load: number;
  /** By rank. */
  readonly gateways: readonly NodeId[];
  /** Zones that the publisher has a link to, with its cost. */
  readonly neighbours: readonly { readonly zone: string; readonly cost: number }[];
  /** Whose summary this is; absent, as what follows, of the own zone before its first summary. */
  readonly publisher?: NodeId;
  readonly sequence?: number;
  /** When the summary was signed; monotonic, as good as the wall clocks agree. */
  readonly issuedAtMs?: MonoMs;
  /** Of the membership, 64 hex digits. */
  readonly digest?: string;
}

/** The way to another zone. */
export interface ZoneRouteView {
  readonly zone: string;
  /** From the own zone to that one, both included. */
  readonly zones: readonly string[];
  readonly cost: number;
  /** Connected nodes of the next zone, the fastest first; without one, the own zone's other gateways by rank. */
  readonly via: readonly NodeId[];
}

/** Two validly signed state beacons of one node with one epoch and sequence: anyone can check it. */
export interface EquivocationProof {
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly sequence: number;
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

/** A round of a training in which a node signed two things where it may sign one. */
export interface RoundContradiction {
  /** What it signed two of: "header", "result" and the like. */
  readonly message: string;
  /** The task as messages name it, 64 hex digits. */
  readonly task: string;
  readonly round: number;
  /** Of the round's agreement, for what is signed once in each. */
  readonly view?: number;
}

/** What another protocol's proof says: who signed both parts. They are still to be verified. */
export interface ForeignProof {
  readonly nodeId: NodeId;
  /**
   * 1..2^32-1, in seconds of wall time and the age of what it is about, never its own: every release is made later than
   * what it forgives.
   */
  readonly epoch: number;
  readonly parts: readonly { readonly signed: Uint8Array; readonly signature: Uint8Array }[];
  /** ML-DSA context of the signatures. */
  readonly context: Uint8Array;
  readonly about: RoundContradiction;
}

/** Takes another protocol's proof apart, bounded and without verifying it; `undefined`: it contradicts nothing. */
export type ReadForeignProof = (body: Uint8Array) => ForeignProof | undefined;

/** A proof of equivocation or a release, as published, with the wall time at which this node took it. */
export interface StoredEvidence {
  readonly bytes: Uint8Array;
  readonly atMs: WallMs;
}

/** The content of a release. */
export interface Release {
  /** Who may come back. */
  readonly nodeId: NodeId;
  /** SHA-256 of the proof that the issuer saw, hex. For people: what counts is the floor. */
  readonly proofDigest: string;
  /** 1..2^32-1: the first epoch that is good again. */
  readonly epochFloor: number;
  /** Who signed; never the node itself. */
  readonly issuer: NodeId;
  /** By the issuer's clock; for people. */
  readonly issuedAtMs: WallMs;
  readonly reason: string;
}

/** What is known against one node, for operators. */
export interface QuarantineView {
  readonly nodeId: NodeId;
  readonly state: "quarantined" | "released";
  /** When this node took the statement. */
  readonly atMs: WallMs;
  /** SHA-256 of the proof, hex. */
  readonly proofDigest: string;
  /** While it is in quarantine: what it contradicted itself about. */
  readonly proof?: {
    readonly epoch: number;
    readonly sequence: number;
    /** Addresses in the two beacons: a copied state directory shows two hosts. */
    readonly addresses: readonly [readonly string[], readonly string[]];
  };
  /** The same, when it was in a training. */
  readonly roundProof?: RoundContradiction;
  readonly release?: Release;
}

/** Why a release was not made. */
export type ReleaseRefusal =
  | "mesh/not-running"
  | "mesh/not-quarantined"
  | "mesh/bad-release"
  | "mesh/epochs-used-up";

/** A spare copy is likely known to whom it goes to, and may be a second late; what never goes is left to the origin. */
export type Forwarding = "now" | "spare" | "never";

/** The machine as its driver sees it; `new MeshMachine(deps, options?: Partial<MeshOptions>)` is one. */
export interface MeshProtocol {
  handle(event: MeshEvent, now: Now): readonly MeshAction[];
  /** A gossip message of either topic, or a pulled beacon; `from` is the peer that handed it over. */
  receive(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures?: Exclude<SignatureHandling, "defer">,
  ): GossipVerdict;
  receive(
    bytes: Uint8Array,
    from: NodeId,
    now: Now,
    signatures: "defer",
  ): GossipVerdict | NeedSignatures;
  /** Whether gossip passes an accepted message on to a connected peer, or leaves that to the message's origin. */
  forwarding(bytes: Uint8Array, to: NodeId): Forwarding;
  /** What this node has, for a peer's {@link beaconsMissingFrom}. */
  beaconDigest(): Uint8Array;
  /** Messages that the sender of the digest lacks, each for its `receive`; none for a malformed digest. */
  beaconsMissingFrom(digest: Uint8Array): readonly Uint8Array[];
  /** Every other member, by node id. */
  members(): readonly MemberView[];
  /** Usable links between members, the own ones included. */
  topology(): readonly LinkView[];
  /** The own links as they are measured, by node id. */
  links(): readonly OwnLinkView[];
  /** Routes from here, by node id. */
  routes(): readonly RouteView[];
  /** The zone this node is in; of `auto` that of the moment. */
  readonly zone: string;
  /** Every known zone, the own one included, by name. */
  zones(): readonly ZoneView[];
  /** The way to another zone; `undefined` when no summaries lead there. */
  zoneRoute(zone: string): ZoneRouteView | undefined;
  /** The route to a node with its reasons; `undefined` when there is none. */
  route(target: NodeId): RouteDetail | undefined;
  /** At most `count` paths that share no node but their ends, of the least total cost, the cheapest first. */
  disjointRoutes(target: NodeId, count: number): readonly PathView[];
  /** Whom to ask for a connection to a node that cannot be dialled, in order of preference. */
  relaysFor(target: NodeId): readonly RelayView[];
  /**
   * What is held against a node, in [-100, 0]: 0 is nothing, -100 a node in quarantine. It halves in ten minutes, as of
   * the last event.
   */
  reputation(nodeId: NodeId): number;
  /** Who is in quarantine and who was released, the oldest statement first. */
  quarantine(): readonly QuarantineView[];
  /** Whether the node is shut out: from `new` on, so that nobody slips in while a daemon starts. */
  isQuarantined(nodeId: NodeId): boolean;
  /**
   * Signs and publishes a release. Others take it only if their policy gives this node `mesh.release`: the caller
   * has checked that its own does.
   */
  release(nodeId: NodeId, reason: string, now: Now): Result<readonly MeshAction[], ReleaseRefusal>;
  readonly epoch: number;
  readonly sequence: number;
}
