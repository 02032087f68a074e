// Every knob of the mesh with its default, its formula and what moving it costs.

/** Options of the mesh machine. All times in milliseconds. */
export interface MeshOptions {
  /** How long after its end an SVID still counts, for clocks that differ; as in the handshake. @default 0 */
  readonly clockSkewMs: number;
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
   * Linux makes after 200 ms at the earliest: a lost segment must not look like a lost probe. @default 250, 2000
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
  /** At most one pull from one peer in this time. @default 2000 */
  readonly pullIntervalMs: number;
  /** Beacons in the answer to one pull. @default 256 */
  readonly pullBeaconsMax: number;
}

/** The defaults, sources beside their meaning above; SWIM and Lifeguard numbers after memberlist's LAN profile. */
export const meshDefaults: MeshOptions = {
  clockSkewMs: 0,
  heartbeatIntervalMs: 1000,
  chainLength: 1024,
  lateIntervals: 3,
  chainStepsMax: 256,
  beaconPeriodMs: 60_000,
  beaconDebounceMs: 200,
  beaconMinIntervalMs: 2000,
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
  probeTimeoutMinMs: 250,
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
  pullIntervalMs: 2000,
  pullBeaconsMax: 256,
};
