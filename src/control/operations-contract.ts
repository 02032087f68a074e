// What the operations verbs exchange with a daemon: its configuration, what a doctor found, recent logs, backups.
// The same shapes are used without a daemon, between meshctl and the daemon's program (see cli/offline.ts).

import * as z from "zod";
import { auditHeadsSchema } from "./audit-contract.ts";

/** Limits of the operations verbs. */
export const operationsLimits = {
  pathCharsMax: 4_096,
  passphraseCharsMin: 8,
  passphraseCharsMax: 1_024,
} as const;

const count = z.int().min(0);

/** The configuration with its defaults, key by key. It holds no secrets: those are named by file. */
export const effectiveConfigFields = {
  /** Where it was read; `null` when it came from no file. */
  file: z.string().nullable(),
  keys: z.array(
    z.object({
      /** Path in the file, such as `mesh.listen`. */
      key: z.string(),
      /** As it would stand in the file. */
      value: z.json(),
      origin: z.enum(["file", "default"]),
    }),
  ),
  /** Keys whose new value in the file waits for a restart of the daemon. */
  restartPending: z.array(z.string()),
};

/** `unknown`: this host or this user cannot tell. */
export const checkStatusSchema = z.enum(["ok", "warn", "fail", "unknown"]);

export const doctorCheckSchema = z.object({
  /** Stable: `doctor/<what is checked>`. */
  code: z.string(),
  status: checkStatusSchema,
  finding: z.string(),
  /** What to do; `null` when nothing is to be done. */
  fix: z.string().nullable(),
});

export const doctorFields = {
  /** `daemon`: looked at from within a running daemon; `host`: without one, so only what the host tells. */
  scope: z.enum(["daemon", "host"]),
  checks: z.array(doctorCheckSchema),
};

/** The daemon's last log lines, oldest first, each a JSON object. */
export const logsFields = { lines: z.array(z.string()), dropped: count };

/** Everything that /metrics would serve, also when that is off. */
export const metricsFields = { text: z.string() };

/** What a backup holds, as it says itself. */
export const backupFields = {
  createdAt: z.iso.datetime(),
  version: z.string(),
  /** Version of the state's schema. */
  schema: count,
  nodeId: z.string(),
  /** `null` when the node was in no mesh. */
  name: z.string().nullable(),
  trustDomain: z.string().nullable(),
  epoch: count,
  isIssuer: z.boolean(),
  /** Bytes of what is restored. */
  bytes: count,
};

export const restoredFields = {
  ...backupFields,
  stateDir: z.string(),
  /** Where the state that was there before is now; `null` when there was none. */
  replaced: z.string().nullable(),
};

const path = z.string().min(1).max(operationsLimits.pathCharsMax);
const passphrase = z
  .string()
  .min(operationsLimits.passphraseCharsMin)
  .max(operationsLimits.passphraseCharsMax);

/** The head of the backup's file and the key that goes with it: the passphrase itself stays with meshctl. */
export const backupRequestSchema = z.strictObject({
  header: z.string().regex(/^(?:[0-9a-f]{2}){1,256}$/),
  key: z.string().regex(/^[0-9a-f]{64}$/),
});

/** What the daemon's program can be asked without a daemon. */
export const offlineRequestSchema = z.discriminatedUnion("verb", [
  z.strictObject({ verb: z.literal("config"), config: path }),
  z.strictObject({ verb: z.literal("doctor"), config: path }),
  z.strictObject({
    verb: z.literal("audit-verify"),
    directory: path,
    heads: auditHeadsSchema,
    nodeId: z.string().max(64).optional(),
  }),
  z.strictObject({ verb: z.literal("backup-verify"), file: path, passphrase }),
  z.strictObject({
    verb: z.literal("backup-restore"),
    file: path,
    config: path,
    passphrase,
    replace: z.boolean(),
  }),
]);

export type BackupRequest = z.infer<typeof backupRequestSchema>;
export type DoctorCheck = z.infer<typeof doctorCheckSchema>;
export type CheckStatus = z.infer<typeof checkStatusSchema>;
export type OfflineRequest = z.infer<typeof offlineRequestSchema>;
