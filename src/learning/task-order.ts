// An order about a task that runs: stop, or go on. Signed by the task's creator or by a holder of fl.coordinate. Orders of
// one task are counted, and the highest counts: an old one, replayed, changes nothing.

import * as z from "zod";
import type { MlDsa, MlDsaSigner } from "../crypto/index.ts";
import { ok, refuse, type Result, utf8Bytes, utf8Text } from "../foundation/index.ts";
import type { LearningErrorCode } from "./codes.ts";
import { openSealed, type Sealed, seal, verifySealed } from "./sealed.ts";
import { canonicalJson } from "./task-codec.ts";
import { taskFields } from "./task.ts";

const ORDER_CONTEXT = "x0tta6bl4/task-order/1";
/** Longest signed order: a few fields and an ML-DSA-65 signature. */
export const ORDER_BYTES_MAX = 4 * 1024;

const orderSchema = z.strictObject({
  schemaVersion: z.literal(1),
  taskId: taskFields.taskId,
  action: z.enum(["stop", "resume"]),
  /** 1 for a task's first order; one more than the highest known to the issuer. */
  sequence: z.int().min(1).max(1_000_000),
  issuedBy: taskFields.createdBy,
  issuedAtMs: z.int().min(0),
});

export type TaskOrder = z.infer<typeof orderSchema>;

/** An order as it came in: nothing of it is proven until {@link verifyOrder} says so. */
export interface SignedOrder {
  readonly order: TaskOrder;
  readonly sealed: Sealed;
}

/** @throws MeshError as the signer does */
export function signOrder(signer: MlDsaSigner, order: TaskOrder): Uint8Array {
  return seal(signer, utf8Bytes(canonicalJson(orderSchema.parse(order))), ORDER_CONTEXT);
}

/** Takes an order apart, without verifying it. Codes: `learning/too-large`, `learning/bad-task`. */
export function decodeOrder(bytes: Uint8Array): Result<SignedOrder, LearningErrorCode> {
  const sealed = openSealed(bytes, ORDER_BYTES_MAX);
  if (!sealed.ok) return sealed;
  try {
    const text = utf8Text(sealed.value.body);
    const parsed = orderSchema.safeParse(JSON.parse(text));
    if (parsed.success && canonicalJson(parsed.data) === text)
      return ok({ order: parsed.data, sealed: sealed.value });
  } catch {
    // No UTF-8, or no JSON.
  }
  return refuse("learning/bad-task", "no order");
}

/** True when `publicKey`, the ML-DSA-65 key of `order.issuedBy`, signed it. */
export function verifyOrder(
  mlDsa: Pick<MlDsa, "verify">,
  publicKey: Uint8Array,
  { sealed }: SignedOrder,
): boolean {
  return verifySealed(mlDsa, publicKey, sealed, ORDER_CONTEXT);
}

/** Whether `order` counts in place of `known`. Of two with one number, stop counts; then the higher issuer: all agree. */
export function supersedes(order: TaskOrder, known: TaskOrder | undefined): boolean {
  if (known === undefined) return true;
  if (order.sequence !== known.sequence) return order.sequence > known.sequence;
  if (order.action !== known.action) return order.action === "stop";
  return order.issuedBy > known.issuedBy;
}
