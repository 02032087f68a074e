// Every knob of the mesh with its default, its formula and what moving it costs.

/** Options of the mesh machine. All times in milliseconds. */
export interface MeshOptions {
  /** How long after its end an SVID still counts, for clocks that differ; as in the handshake. @default 0 */
  readonly clockSkewMs: number;
  /** How much longer an SVID counts that no issuer was there to renew; as in the handshake. @default 0 */
  readonly svidGraceMs: number;
  /** Between two heartbeats, 100..60,000. Lower: faster detection, more packets. @default 1000 */
  readonly heartbeatIntervalMs: number;
  /** Links of a hash chain, 64..4096. Higher: fewer chain changes, more memory for the own chain. @default 1024 */
  readonly chainLength: number;
  /** A heartbeat later than this many intervals proves the chain but no life. @default 3 */
  readonly lateIntervals: number;
  /** Links a verifier will hash forward at most; a gap beyond it waits for the next state beacon. @default 256 */
  readonly chainStepsMax: number;
  /** Full state beacon at least this often (±5 % jitter). @default 60000 */
  readonly beaconPeriodMs: number;
  /** A change waits so long for others to join it. @default 200 */
  readonly beaconDebounceMs: number;
  /** Two state beacons are at least so far apart. @default 2000 */
  readonly beaconMinIntervalMs: number;
  /** Between two state beacons for links that come and go, at most; from the minimum interval it doubles. @default 8000 */
  readonly beaconLinksIntervalMaxMs: number;
  /** A beacon for no more than changed round trips and losses waits so long after the one before. @default 20000 */
  readonly beaconNumbersIntervalMs: number;
  /** State beacons of one origin: tokens at start, and tokens a second. @default 6, 0.5 */
  readonly stateBurst: number;
  readonly statePerSecond: number;
  /** Heartbeats of one origin: tokens at start, and tokens per heartbeat interval. @default 16, 4 */
  readonly heartbeatBurst: number;
  readonly heartbeatsPerInterval: number;
  /** Forgeries and unknown origins that one forwarding peer may bring. @default 256, 32 */
  readonly forwarderBurst: number;
  readonly forwarderPerSecond: number;
  /** Members in memory, dead ones included; one more is refused with `mesh/members-full`. @default 4096 */
  readonly membersMax: number;
  /** Token buckets in memory, per kind; the longest unused goes first. @default 8192 */
  readonly bucketsMax: number;
  /** SWIM protocol period, stretched by (local health + 1). @default 1000 */
  readonly probeIntervalMs: number;
  /** How long a probe waits on a link without a round trip yet; helpers give up at 80 % of it. @default 500 */
  readonly probeTimeoutMs: number;
  /**
   * Bounds of the timeout that a link's round trips give. The lower one leaves room for one retransmission of TCP, which
   * Linux makes after 200 ms at the earliest, and for event loops of busy hosts. @default 400, 2000
   */
  readonly probeTimeoutMinMs: number;
  readonly probeTimeoutMaxMs: number;
  /** Helpers of an indirect probe (SWIM's k). @default 3 */
  readonly indirectProbes: number;
  /** Heartbeats missing before a member is probed, in its own intervals. @default 2 */
  readonly silenceIntervals: number;
  /** Shortest suspicion = mult · log10(max(10, n)) · probeInterval. Lower: faster deaths, more false ones. @default 2 */
  readonly suspicionMult: number;
  /** Longest suspicion = shortest · this. @default 3 */
  readonly suspicionMaxMult: number;
  /** Independent confirmations that shorten the suspicion to its minimum (Lifeguard's K). @default 3 */
  readonly suspicionConfirmations: number;
  /** Local health saturates here (Lifeguard's S, counted from 0). @default 8 */
  readonly localHealthMax: number;
  /** Dead and left members are forgotten after this; dead ones are dialled until then. @default 3600000 */
  readonly retentionMs: number;
  /** Connections to keep. @default 12 */
  readonly connectionsTarget: number;
  /** Between two dials of one node; doubled with each failure up to 16 times. @default 2000 */
  readonly dialIntervalMs: number;
  /** Gateways of a zone, 1..4: who may speak for it. More: a faster way around faults, more links between zones. @default 2 */
  readonly zoneGateways: number;
  /** A zone's summary at least this often (±10 % jitter); it costs every node of the mesh. @default 180000 */
  readonly summaryPeriodMs: number;
  /** Two summaries of one publisher are at least so far apart. @default 10000 */
  readonly summaryMinIntervalMs: number;
  /** A summary that is not renewed is forgotten after this. @default 540000 */
  readonly summaryTtlMs: number;
  /** Summaries in memory, at most 3 a zone. @default 3072 */
  readonly summariesMax: number;
  /** Between two looks at the zones (±20 % jitter). @default 2000 */
  readonly zoneTickMs: number;
  /** Members that an automatic zone should have at least. Must be the same in all of the mesh. @default 16 */
  readonly zoneMembersMin: number;
  /** A move to another zone is wanted for one to three times this before it is done. @default 5000 */
  readonly zoneSettleMs: number;
  /** How long after a move the zone before is kept, and members that left without a word. @default 30000 */
  readonly zoneGraceMs: number;
  /** Connections to nodes of other zones that every node keeps, of `connectionsTarget`. @default 3 */
  readonly zoneLinksOutside: number;
  /** At most one pull from one peer in this time. @default 2000 */
  readonly pullIntervalMs: number;
  /** One connected peer, chosen at random, is asked for what is lacking here this often: gossip may lose anything. @default 30000 */
  readonly syncIntervalMs: number;
  /** Beacons in the answer to one pull. @default 256 */
  readonly pullBeaconsMax: number;
}

/**
 * gossipsub's D, Dlo and Dhi of all topics: mesh peers that a node wants, with fewer it grafts, with more it prunes. Each message
 * but heartbeats (forwarding.ts) reaches a node about D times, so this is what gossip costs; gossipsub's own 6, 4 and 12 made it 8.5
 * copies. With 4 neighbours
 * that each lose 40 % of what they pass on, 95 of 100 nodes still get a message at the first try.
 */
export const gossipDegree = { target: 4, low: 3, high: 6 } as const;

/** The defaults, sources beside their meaning above; SWIM and Lifeguard numbers after memberlist's LAN profile. */
export const meshDefaults: MeshOptions = {
  clockSkewMs: 0,
  svidGraceMs: 0,
  heartbeatIntervalMs: 1000,
  chainLength: 1024,
  lateIntervals: 3,
  chainStepsMax: 256,
  beaconPeriodMs: 60_000,
  beaconDebounceMs: 200,
  beaconMinIntervalMs: 2000,
  beaconLinksIntervalMaxMs: 8000,
  beaconNumbersIntervalMs: 20_000,
  stateBurst: 6,
  statePerSecond: 0.5,
  heartbeatBurst: 16,
  heartbeatsPerInterval: 4,
  forwarderBurst: 256,
  forwarderPerSecond: 32,
  membersMax: 4096,
  bucketsMax: 8192,
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  probeTimeoutMinMs: 400,
  probeTimeoutMaxMs: 2000,
  indirectProbes: 3,
  silenceIntervals: 2,
  suspicionMult: 2,
  suspicionMaxMult: 3,
  suspicionConfirmations: 3,
  localHealthMax: 8,
  retentionMs: 3_600_000,
  connectionsTarget: 12,
  dialIntervalMs: 2000,
  zoneGateways: 2,
  summaryPeriodMs: 180_000,
  summaryMinIntervalMs: 10_000,
  summaryTtlMs: 540_000,
  summariesMax: 3072,
  zoneTickMs: 2000,
  zoneMembersMin: 16,
  zoneSettleMs: 5000,
  zoneGraceMs: 30_000,
  zoneLinksOutside: 3,
  pullIntervalMs: 2000,
  syncIntervalMs: 30_000,
  pullBeaconsMax: 256,
};
