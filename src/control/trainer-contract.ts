// The control API's part for local trainers: programs that train this node's rounds. Models and updates are safetensors files, the
// rest is JSON. docs/trainers.md shows the protocol as its user sees it.

import * as z from "zod";

/** Limits of the trainer API. */
export const trainerLimits = {
  /** How long `next` waits for a round before it answers that there is none. */
  pollMs: 25_000,
  /** Trainers that may wait at once. */
  pollersMax: 8,
} as const;

const count = z.int().min(0);

export const trainerNextFields = {
  /** The task that runs with local trainers; `null`: none does. */
  task: z.object({ taskId: z.string(), name: z.string(), rounds: count }).nullable(),
  /** What to do now; `null`: nothing yet, ask again. */
  order: z
    .object({
      taskId: z.string(),
      round: count,
      /** SHA-256 of the model that the round starts from: float32, little-endian, tensors in order of their names. */
      base: z.string(),
      /** Of the task's schedule: multiply the own learning rate with it. */
      learningRateFactor: z.number(),
      /** From now; an update that comes later is refused. */
      deadlineMs: z.number(),
      /** Names the trainer in heartbeats. */
      lease: z.string(),
      /** Without a heartbeat for so long the order is given to who asks next. */
      leaseMs: z.number(),
    })
    .nullable(),
};

export const trainerHeartbeatFields = {
  /** What is left of the round's time. */
  deadlineMs: z.number(),
};

export const trainerUpdatedFields = { taskId: z.string(), round: count };

export const trainerHeartbeatRequestSchema = z.strictObject({ lease: z.string().min(1).max(256) });

export type TrainerHeartbeatRequest = z.infer<typeof trainerHeartbeatRequestSchema>;
export type TrainerNext = z.infer<z.ZodObject<typeof trainerNextFields>>;
export type TrainerHeartbeat = z.infer<z.ZodObject<typeof trainerHeartbeatFields>>;
export type TrainerUpdated = z.infer<z.ZodObject<typeof trainerUpdatedFields>>;

/** A node as its local trainers see it. Any method may throw a MeshError, which becomes the API's error. */
export interface TrainerControl {
  /** Waits for the next round; when `gone` aborts, the client does not read the answer any more. @throws MeshError `control/busy` */
  next(gone: AbortSignal): Promise<TrainerNext>;
  /** The model of the round under way, as safetensors. @throws MeshError `learning/no-order` */
  model(): Uint8Array | Promise<Uint8Array>;
  /** @throws MeshError `control/busy`, `learning/no-order`, and the codes an update can be refused with */
  update(body: AsyncIterable<Uint8Array>): Promise<TrainerUpdated>;
  /** @throws MeshError `learning/no-order`, `learning/lease-lost` */
  heartbeat(request: TrainerHeartbeatRequest): TrainerHeartbeat;
}
