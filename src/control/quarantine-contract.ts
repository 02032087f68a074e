// The control API's part for quarantine: who is shut out of the mesh, on what proof, and who was let back in.

import * as z from "zod";

const time = z.iso.datetime();

export const quarantineFields = {
  quarantine: z.array(
    z.object({
      nodeId: z.string(),
      name: z.string(),
      state: z.enum(["quarantined", "released"]),
      /** When this node learned it. */
      at: time,
      /** SHA-256 of the proof, 64 hex digits. */
      proofDigest: z.string(),
      /** Beacons in which the node contradicted itself; `null` once it is released, and when it was in a training. */
      proof: z
        .object({
          epoch: z.int().min(0),
          sequence: z.int().min(0),
          /** Addresses in each of the two beacons. */
          addresses: z.tuple([z.array(z.string()), z.array(z.string())]),
        })
        .nullable(),
      /** The round of a training in which it contradicted itself. An older daemon knows none. */
      roundProof: z
        .object({
          /** What it signed two of: "header", "result" and the like. */
          message: z.string(),
          /** Digest that names the task in messages. */
          task: z.string(),
          round: z.int().min(0),
          /** Of the round's agreement; `null` for what is signed once in a round. */
          view: z.int().min(0).nullable(),
        })
        .nullable()
        .default(null),
      release: z
        .object({
          /** Name or node id of who signed it. */
          issuer: z.string(),
          issuedAt: time,
          /** The first epoch that is good again. */
          epochFloor: z.int().min(0),
          reason: z.string(),
        })
        .nullable(),
    }),
  ),
};

export const releaseRequestSchema = z.strictObject({
  /** A node by its name or its NodeId. */
  node: z.string().min(1).max(128),
  reason: z.string().regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/, {
    error: "must be one line of 1 to 200 visible ASCII characters",
  }),
});

export type ReleaseRequest = z.infer<typeof releaseRequestSchema>;
