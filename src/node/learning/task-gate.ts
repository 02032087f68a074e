// Which signed tasks this node takes from the mesh: cheapest check first, the signature last, and no more signatures than a
// forwarder has tokens for.

import type { GossipDecision } from "../../adapters/libp2p/gossip.ts";
import type { CryptoEngine } from "../../crypto/index.ts";
import { ok, refuse, type Result } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity, Right } from "../../identity/index.ts";
import {
  type LearningErrorCode,
  type SignedTask,
  type TaskManifest,
  verifySignedTask,
} from "../../learning/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";
import { checkAvailable } from "./availability.ts";

/** A task that is older than this is not begun: it would be a replay, or its mesh has long gone on. */
const TASK_AGE_MS_MAX = 86_400_000;
/** Tasks that one peer may bring: at once, and a minute. */
const TASKS_BURST = 16;
const TASKS_PER_MINUTE = 30;
const BUCKETS_MAX = 1_024;

/** Why a task is refused. Codes that blame nobody who forwarded it are in {@link BLAMELESS}. */
export type TaskRefusalCode =
  | LearningErrorCode
  | "learning/disabled"
  | "learning/wrong-domain"
  | "learning/old-task"
  | "learning/future-task"
  | "learning/too-many-tasks"
  | "learning/unknown-creator"
  | "learning/not-allowed";

/** The forwarder may see it otherwise, with another policy, clock or memory. */
const BLAMELESS: ReadonlySet<TaskRefusalCode> = new Set<TaskRefusalCode>([
  "learning/feature-unavailable",
  "learning/disabled",
  "learning/old-task",
  "learning/future-task",
  "learning/too-many-tasks",
  "learning/unknown-creator",
  "learning/not-allowed",
]);

/** What a refusal says of who forwarded the task. */
export function decisionOn(code: TaskRefusalCode): GossipDecision {
  return BLAMELESS.has(code) ? "ignore" : "reject";
}

export interface TaskGateDeps {
  readonly engine: Pick<CryptoEngine, "mlDsa65">;
  readonly identities: NodeIdentities;
  readonly clock: Clock;
  readonly self: Pick<PeerIdentity, "trustDomain">;
  readonly allows: (spiffeId: string, right: Right) => boolean;
  /** Whether a task of this id ran here before. */
  readonly knowsTask: (taskId: string) => boolean;
}

export class TaskGate {
  readonly #deps: TaskGateDeps;
  readonly #clockSkewMs: number;
  readonly #buckets = new Map<NodeId, { readonly tokens: number; readonly atMs: number }>();

  constructor(deps: TaskGateDeps, clockSkewMs: number) {
    this.#deps = deps;
    this.#clockSkewMs = clockSkewMs;
  }

  /** Whether this node can and may run a task that does not run here yet. */
  async admit(task: SignedTask, from: NodeId): Promise<Result<undefined, TaskRefusalCode>> {
    const { engine, identities, self, allows } = this.#deps;
    const { manifest } = task;
    if (manifest.trustDomain !== self.trustDomain) return refuse("learning/wrong-domain");
    const available = checkAvailable(manifest);
    if (!available.ok) return available;
    const untimely = this.#untimely(manifest);
    if (untimely !== undefined) return refuse(untimely);
    if (!this.spend(from)) return refuse("learning/too-many-tasks");
    const creatorId = manifest.createdBy as NodeId;
    if (identities.lookup(creatorId) === undefined) await identities.fetch(creatorId, from);
    const creator = identities.lookup(creatorId);
    if (creator === undefined) return refuse("learning/unknown-creator");
    if (!allows(creator.spiffeId, "fl.coordinate"))
      return refuse("learning/not-allowed", creator.spiffeId);
    return verifySignedTask(engine.mlDsa65, creator.mldsa65, task)
      ? ok(undefined)
      : refuse("learning/bad-signature");
  }

  /** Signature checks that one forwarder may provoke: a token bucket for each. */
  spend(from: NodeId): boolean {
    const nowMs = this.#deps.clock.now().monoMs;
    const bucket = this.#buckets.get(from) ?? { tokens: TASKS_BURST, atMs: nowMs };
    const tokens = Math.min(
      TASKS_BURST,
      bucket.tokens + ((nowMs - bucket.atMs) * TASKS_PER_MINUTE) / 60_000,
    );
    this.#buckets.delete(from);
    this.#buckets.set(from, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
    if (this.#buckets.size > BUCKETS_MAX) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    return tokens >= 1;
  }

  /** A task that ended here, or whose time is over, never runs again; one from the future has a wrong clock. */
  #untimely({ taskId, createdAtMs }: TaskManifest): TaskRefusalCode | undefined {
    const nowMs = this.#deps.clock.now().wallMs;
    if (createdAtMs > nowMs + this.#clockSkewMs) return "learning/future-task";
    if (createdAtMs < nowMs - TASK_AGE_MS_MAX || this.#deps.knowsTask(taskId))
      return "learning/old-task";
    return undefined;
  }
}
