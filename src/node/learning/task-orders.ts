// Stop and resume for a whole task: an order is signed, kept, and handed on by everybody who takes it. Who missed it, being
// down or cut off, gets it when it next asks a participant for an update; who has a newer one answers with that.

import type { Network } from "../../adapters/libp2p/network.ts";
import type { StateStore } from "../../adapters/sqlite/state-store.ts";
import type { MlDsa, MlDsaSigner } from "../../crypto/index.ts";
import { errorCode, MeshError, ok, refuse, type Result } from "../../foundation/index.ts";
import type { NodeId, PeerIdentity, Right } from "../../identity/index.ts";
import {
  decodeOrder,
  type LearningErrorCode,
  ORDER_BYTES_MAX,
  signOrder,
  supersedes,
  type TaskManifest,
  type TaskOrder,
  verifyOrder,
} from "../../learning/index.ts";
import type { Clock, Logger } from "../../ports/index.ts";
import type { NodeIdentities } from "../identity-directory.ts";

/** A signed order; the answer is empty, or the newer order that is known there. */
const ORDER_PROTOCOL = "/x0tta6bl4/fl-order/1";
const TIMEOUT_MS = 5_000;
/** A participant is reminded of an order at most so often. */
const REMINDER_MS = 5_000;
/** More participants than a task can have. */
const REMINDERS_MAX = 1_024;

type OrderRefusalCode =
  | LearningErrorCode
  | "learning/unknown-task"
  | "learning/future-task"
  | "learning/unknown-creator"
  | "learning/not-allowed"
  | "learning/too-many-tasks";

export interface TaskOrdersDeps {
  readonly network: Network;
  readonly store: StateStore;
  readonly identities: NodeIdentities;
  readonly engine: { readonly mlDsa65: Pick<MlDsa, "verify"> };
  readonly signer: MlDsaSigner;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly self: PeerIdentity;
  readonly allows: (spiffeId: string, right: Right) => boolean;
}

export interface TaskOrdersOptions {
  readonly clockSkewMs: number;
  /** A task that this node takes part in, running or ended. */
  readonly taskOf: (taskId: string) => TaskManifest | undefined;
  /** Whether this peer may make us check another signature. */
  readonly spend: (from: NodeId) => boolean;
  /** Does it here. */
  readonly carryOut: (order: TaskOrder) => void;
}

export class TaskOrders {
  readonly #deps: TaskOrdersDeps;
  readonly #options: TaskOrdersOptions;
  readonly #remindedAtMs = new Map<string, number>();

  constructor(deps: TaskOrdersDeps, options: TaskOrdersOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#deps.network.serve(
      ORDER_PROTOCOL,
      { requestBytesMax: ORDER_BYTES_MAX, streamsPerPeerMax: 2, relayed: true },
      async (peer, bytes) => {
        if (peer.kind !== "svid")
          throw new MeshError("learning/not-allowed", "The peer has no SVID.");
        const taken = await this.#take(bytes, peer.identity.nodeId);
        if (!taken.ok) throw new MeshError(taken.code, taken.detail ?? taken.code);
        return taken.value ?? new Uint8Array(0);
      },
    );
  }

  /** Orders all participants. @throws MeshError `control/disabled` without the right */
  issue(task: TaskManifest, action: TaskOrder["action"]): void {
    const { self, signer, clock, allows } = this.#deps;
    if (task.createdBy !== self.nodeId && !allows(self.spiffeId, "fl.coordinate")) {
      throw new MeshError(
        "control/disabled",
        `Only the creator of task '${task.taskId}' or a holder of fl.coordinate may ${action} it for all. Use --here for this node alone.`,
      );
    }
    const order: TaskOrder = {
      ...{ schemaVersion: 1, taskId: task.taskId, action },
      sequence: (this.#known(task.taskId)?.order.sequence ?? 0) + 1,
      ...{ issuedBy: self.nodeId, issuedAtMs: clock.now().wallMs },
    };
    this.#keep(task, order, signOrder(signer, order));
  }

  /** A participant asks for updates of a task: if there is an order about it, the asker may have missed it. */
  remind(nodeId: NodeId, taskId: string): void {
    const known = this.#known(taskId);
    const key = `${taskId}/${nodeId}`;
    const nowMs = this.#deps.clock.now().monoMs;
    if (known === undefined || nowMs < (this.#remindedAtMs.get(key) ?? -REMINDER_MS) + REMINDER_MS)
      return;
    if (this.#remindedAtMs.size >= REMINDERS_MAX) this.#remindedAtMs.clear();
    this.#remindedAtMs.set(key, nowMs);
    this.#send(nodeId, known.bytes);
  }

  /** Gives the newer order when there is one. Cheapest first; the signature last. */
  async #take(
    bytes: Uint8Array,
    from: NodeId,
  ): Promise<Result<Uint8Array | undefined, OrderRefusalCode>> {
    const { identities, engine, allows, clock } = this.#deps;
    const decoded = decodeOrder(bytes);
    if (!decoded.ok) return decoded;
    const { order } = decoded.value;
    const task = this.#options.taskOf(order.taskId);
    if (task === undefined) return refuse("learning/unknown-task");
    const known = this.#known(order.taskId);
    if (known !== undefined && !supersedes(order, known.order))
      return ok(supersedes(known.order, order) ? known.bytes : undefined);
    if (order.issuedAtMs > clock.now().wallMs + this.#options.clockSkewMs)
      return refuse("learning/future-task");
    if (!this.#options.spend(from)) return refuse("learning/too-many-tasks");
    const issuerId = order.issuedBy as NodeId;
    if (identities.lookup(issuerId) === undefined) await identities.fetch(issuerId, from);
    const issuer = identities.lookup(issuerId);
    if (issuer === undefined) return refuse("learning/unknown-creator");
    if (task.createdBy !== issuerId && !allows(issuer.spiffeId, "fl.coordinate"))
      return refuse("learning/not-allowed", issuer.spiffeId);
    if (!verifyOrder(engine.mlDsa65, issuer.mldsa65, decoded.value))
      return refuse("learning/bad-signature");
    // Another one may have come while the issuer was looked up.
    if (supersedes(order, this.#known(order.taskId)?.order)) this.#keep(task, order, bytes);
    return ok(undefined);
  }

  /** Kept before it is done: after a crash it is not done again by a replay, and peers are told. */
  #keep({ participants }: TaskManifest, order: TaskOrder, bytes: Uint8Array): void {
    const { store, logger, self } = this.#deps;
    store.saveTaskOrder(order.taskId, bytes);
    logger.info({ ...order }, "training task ordered");
    this.#options.carryOut(order);
    for (const nodeId of participants) if (nodeId !== self.nodeId) this.#send(nodeId, bytes);
  }

  #send(nodeId: string, bytes: Uint8Array): void {
    const { network, logger } = this.#deps;
    network
      .request(nodeId as NodeId, ORDER_PROTOCOL, bytes, {
        timeoutMs: TIMEOUT_MS,
        responseBytesMax: ORDER_BYTES_MAX,
      })
      .then(async (newer) => {
        if (newer.length > 0) await this.#take(newer, nodeId as NodeId);
      })
      .catch((error: unknown) => {
        logger.debug(
          { code: errorCode(error), nodeId },
          "order not delivered; it will be asked for",
        );
      });
  }

  #known(taskId: string): { readonly order: TaskOrder; readonly bytes: Uint8Array } | undefined {
    const bytes = this.#deps.store.taskOrder(taskId);
    const decoded = bytes === undefined ? undefined : decodeOrder(bytes);
    return bytes !== undefined && decoded?.ok === true
      ? { order: decoded.value.order, bytes }
      : undefined;
  }
}
