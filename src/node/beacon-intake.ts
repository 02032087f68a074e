// The way of a message from gossip into the mesh machine. What costs little is decided at once; messages whose signatures are all
// that is left to check wait for one turn of the event loop and are verified together. The queue is bounded, and messages of
// one origin come to the machine in the order in which they arrived.

import type { GossipDecision } from "../adapters/libp2p/gossip.ts";
import type { MlDsaVerification } from "../crypto/index.ts";
import type { NodeId } from "../identity/index.ts";
import {
  type BeaconRejectCode,
  beaconKinds,
  type GossipVerdict,
  type MeshAction,
  type MeshProtocol,
  type NeedSignatures,
} from "../mesh/index.ts";
import type { Clock, Meter, MetricDeclaration, MonoMs } from "../ports/index.ts";

/** What the queue holds at most: a zone of a thousand nodes that all publish at once, with 8 KiB each. */
export const intakeLimits = { messagesMax: 1_024, bytesMax: 8 * 1024 * 1024 } as const;

/** Signatures of one batch: 4 ms on one core with prepared keys, so that heartbeats get their turn in between. */
const BATCH_SIGNATURES_MAX = 256;
/** Messages that wait for the identity of their origin. */
const AWAITING_IDENTITY_MAX = 256;

export const intakeMetrics: readonly MetricDeclaration[] = [
  {
    name: "meshd_mesh_validation_queue_messages",
    kind: "gauge",
    help: "Messages that wait for the verification of their signatures.",
  },
  {
    name: "meshd_mesh_validation_wait_seconds",
    kind: "histogram",
    help: "From a message's arrival to the verdict, when it had to wait for its signatures.",
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  },
  {
    name: "meshd_mesh_validation_batch_signatures",
    kind: "histogram",
    help: "Signatures that were verified together.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  },
  {
    name: "meshd_mesh_validation_dropped_total",
    kind: "counter",
    help: "A message was refused before its signatures were looked at, because too much was waiting.",
    labels: { reason: ["messages", "bytes", "identities"] },
  },
];

/** What became of a message. */
export interface Judgement {
  readonly decision: GossipDecision;
  readonly code: GossipCode;
}
type GossipCode = Exclude<GossipVerdict, { verdict: "need-identity" }>["code"] | IntakeCode;
/** Refusals of the intake itself. */
type IntakeCode = "mesh/intake-full" | "mesh/identity-unknown" | "mesh/not-running";

export interface BeaconIntakeDeps {
  readonly machine: Pick<MeshProtocol, "receive">;
  /** Answers in the order of the jobs; may take its time. Never rejects. */
  readonly verify: (jobs: readonly MlDsaVerification[]) => boolean[] | Promise<boolean[]>;
  /** Sees to it that the identity is known; false when it cannot be had. */
  readonly fetchIdentity: (nodeId: NodeId, from: NodeId) => Promise<boolean>;
  readonly carryOut: (actions: readonly MeshAction[]) => void;
  readonly clock: Clock;
  readonly meter: Meter;
}

interface Waiting {
  readonly bytes: Uint8Array;
  readonly from: NodeId;
  readonly origin: string;
  /** None for a message that only keeps its place behind another of its origin. */
  readonly jobs: readonly MlDsaVerification[];
  readonly sinceMs: MonoMs;
  readonly resolve: (judgement: Judgement) => void;
}

/** Codes of messages that were new once. */
const stale: ReadonlySet<string> = new Set<BeaconRejectCode>([
  "mesh/duplicate",
  "mesh/old-sequence",
  "mesh/stale-epoch",
  "mesh/heartbeat-replayed",
]);

export class BeaconIntake {
  readonly #deps: BeaconIntakeDeps;
  #queue: Waiting[] = [];
  /** How many messages of an origin have not been decided. */
  readonly #undecided = new Map<string, number>();
  #messages = 0;
  #bytes = 0;
  #awaitingIdentity = 0;
  #flushing = false;
  #stopped = false;

  constructor(deps: BeaconIntakeDeps) {
    this.#deps = deps;
  }

  /** Decides on a message; with a promise when it has to wait. */
  receive(bytes: Uint8Array, from: NodeId): Judgement | Promise<Judgement> {
    // Only while something waits does the order matter: a heartbeat may need the state before it.
    if (this.#messages > 0 && this.#undecided.has(originOf(bytes))) {
      const verdict = isHeartbeat(bytes) ? undefined : this.#check(bytes, from);
      if (verdict === undefined) return this.#enqueue(bytes, from, []);
      return this.#proceed(verdict, bytes, from);
    }
    return this.#proceed(this.#check(bytes, from), bytes, from);
  }

  /** Decides on nothing any more; what waits is ignored. */
  stop(): void {
    this.#stopped = true;
    for (const waiting of this.#queue.splice(0)) this.#settle(waiting, NOT_RUNNING);
  }

  #check(bytes: Uint8Array, from: NodeId): GossipVerdict | NeedSignatures {
    return this.#deps.machine.receive(bytes, from, this.#deps.clock.now(), "defer");
  }

  #proceed(
    verdict: GossipVerdict | NeedSignatures,
    bytes: Uint8Array,
    from: NodeId,
  ): Judgement | Promise<Judgement> {
    switch (verdict.verdict) {
      case "need-signature":
        return this.#enqueue(bytes, from, verdict.jobs);
      case "need-identity":
        return this.#afterIdentity(verdict.nodeId, bytes, from);
      default:
        return this.#judge(verdict);
    }
  }

  #judge(verdict: GossipVerdict): Judgement {
    if (verdict.verdict === "need-identity") return UNKNOWN;
    this.#deps.carryOut(verdict.actions);
    const { code } = verdict;
    return { decision: stale.has(code) ? "stale" : verdict.verdict, code };
  }

  async #afterIdentity(nodeId: NodeId, bytes: Uint8Array, from: NodeId): Promise<Judgement> {
    if (this.#awaitingIdentity >= AWAITING_IDENTITY_MAX) return this.#drop("identities");
    this.#awaitingIdentity++;
    const known = await this.#deps.fetchIdentity(nodeId, from).finally(() => {
      this.#awaitingIdentity--;
    });
    if (!known) return UNKNOWN;
    if (this.#stopped) return NOT_RUNNING;
    const verdict = this.#check(bytes, from);
    return verdict.verdict === "need-identity" ? UNKNOWN : this.#proceed(verdict, bytes, from);
  }

  #enqueue(
    bytes: Uint8Array,
    from: NodeId,
    jobs: readonly MlDsaVerification[],
  ): Judgement | Promise<Judgement> {
    if (this.#messages >= intakeLimits.messagesMax) return this.#drop("messages");
    if (this.#bytes + bytes.length > intakeLimits.bytesMax) return this.#drop("bytes");
    const origin = originOf(bytes);
    this.#messages++;
    this.#bytes += bytes.length;
    this.#undecided.set(origin, (this.#undecided.get(origin) ?? 0) + 1);
    this.#deps.meter.set("meshd_mesh_validation_queue_messages", this.#messages);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => void this.#flush());
    }
    return new Promise((resolve) => {
      const sinceMs = this.#deps.clock.now().monoMs;
      this.#queue.push({ bytes, from, origin, jobs, sinceMs, resolve });
    });
  }

  /** One batch at a time, so that the order holds; between two of them the event loop has its turn. */
  async #flush(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopped) {
      const batch = this.#nextBatch();
      const jobs = batch.flatMap((waiting) => waiting.jobs);
      this.#deps.meter.observe("meshd_mesh_validation_batch_signatures", jobs.length);
      const answers = await this.#deps.verify(jobs);
      let at = 0;
      for (const waiting of batch) {
        const valid = answers.slice(at, (at += waiting.jobs.length)).every(Boolean);
        this.#settle(waiting, this.#decided(waiting, valid));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#flushing = false;
  }

  #nextBatch(): Waiting[] {
    let signatures = 0;
    const end = this.#queue.findIndex(
      ({ jobs }) => (signatures += jobs.length) > BATCH_SIGNATURES_MAX,
    );
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end);
  }

  #decided({ bytes, from, jobs }: Waiting, valid: boolean): Judgement {
    if (this.#stopped) return NOT_RUNNING;
    const signatures = jobs.length === 0 ? "inline" : valid ? "valid" : "invalid";
    const { machine, clock } = this.#deps;
    return this.#judge(machine.receive(bytes, from, clock.now(), signatures));
  }

  #settle({ bytes, origin, sinceMs, resolve }: Waiting, judgement: Judgement): void {
    const { meter, clock } = this.#deps;
    this.#messages--;
    this.#bytes -= bytes.length;
    const left = (this.#undecided.get(origin) ?? 1) - 1;
    if (left === 0) this.#undecided.delete(origin);
    else this.#undecided.set(origin, left);
    meter.set("meshd_mesh_validation_queue_messages", this.#messages);
    meter.observe(
      "meshd_mesh_validation_wait_seconds",
      Math.max(0, clock.now().monoMs - sinceMs) / 1000,
    );
    resolve(judgement);
  }

  #drop(reason: "messages" | "bytes" | "identities"): Judgement {
    this.#deps.meter.count("meshd_mesh_validation_dropped_total", { reason });
    return { decision: "ignore", code: "mesh/intake-full" };
  }
}

const UNKNOWN: Judgement = { decision: "ignore", code: "mesh/identity-unknown" };
const NOT_RUNNING: Judgement = { decision: "ignore", code: "mesh/not-running" };

function isHeartbeat(bytes: Uint8Array): boolean {
  return bytes[0] === beaconKinds.heartbeat;
}

/** The node id where beacons and heartbeats have it; for anything else just some of its bytes. */
function originOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", 2, 34);
}
