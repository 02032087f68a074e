// The control API's contract: what every answer and request looks like, as zod schemas.
// Every answer carries `schemaVersion`; fields are only ever added within one version, so a
// client ignores what it does not know, while the daemon refuses what it does not know.

import * as z from "zod";
import { auditListFields, auditVerifiedFields } from "./audit-contract.ts";
import {
  aggregatorSchema,
  attackSchema,
  flExplainedFields,
  flPushedFields,
  flRunFields,
  flStoppedFields,
  learningStatusSchema,
} from "./learning-contract.ts";
import { authoritiesFields } from "./authority-contract.ts";
import { entriesFields } from "./entry-contract.ts";
import { lookupFields } from "./lookup-contract.ts";
import {
  backupFields,
  doctorFields,
  effectiveConfigFields,
  logsFields,
  metricsFields,
  restoredFields,
} from "./operations-contract.ts";
import { policyCheckedFields, policyReloadedFields } from "./policy-contract.ts";
import { federationFields, ownBundleFields } from "./federation-contract.ts";
import {
  healingFields,
  incidentFields,
  incidentsFields,
  similarFields,
} from "./healing-contract.ts";
import { quarantineFields } from "./quarantine-contract.ts";
import { linksFields, routeFields } from "./route-contract.ts";
import {
  trainerHeartbeatFields,
  trainerNextFields,
  trainerUpdatedFields,
} from "./trainer-contract.ts";
import { tunnelsFields } from "./tunnel-contract.ts";
import { zonesFields } from "./zones-contract.ts";

/** The version of every answer's shape. */
export const CONTROL_SCHEMA_VERSION = 1;

/** Limits of the API. */
export const controlLimits = {
  requestBytesMax: 64 * 1024,
  answerBytesMax: 16 * 1024 * 1024,
  namesMax: 1024,
  roundsMax: 100_000,
  hiddenMax: 1024,
  tokenCharsMax: 4096,
  tokenTtlSecondsMax: 30 * 86_400,
} as const;

const schemaVersion = z.literal(CONTROL_SCHEMA_VERSION);
const answer = <Shape extends z.ZodRawShape>(shape: Shape) => z.object({ schemaVersion, ...shape });

/** ISO 8601 in UTC. */
const isoTime = z.iso.datetime();
const count = z.int().min(0);

export const peerSchema = z.object({
  name: z.string(),
  nodeId: z.string(),
  peerId: z.string(),
  spiffeId: z.string(),
  state: z.enum(["joining", "alive", "suspect", "dead", "left", "quarantined"]),
  connected: z.boolean(),
  /** The negotiated handshake suite; `null` without a connection. */
  suite: z.string().nullable(),
  /** The relay that the link leads through, by name; `null` when it is direct, or there is none. */
  relay: z.string().nullable().default(null),
  rttMs: z.number().nullable(),
  lossRatio: z.number(),
  lastBeaconAgeMs: z.number().nullable(),
  epoch: count,
  sequence: count,
  addresses: z.array(z.string()),
  lastErrorCode: z.string().nullable(),
  /** What gossip thinks of a connected peer: 0 and above is good, below -80 it is not read. An older daemon does not say. */
  score: z.number().nullable().default(null),
  /** In [-100, 0]: what the node holds against this peer. An older daemon does not say. */
  reputation: z.number().default(0),
});

export const healthSchema = z.object({
  code: z.string(),
  severity: z.enum(["info", "warning", "error"]),
  message: z.string(),
});

export const statusSchema = answer({
  node: z.object({
    state: z.enum(["unenrolled", "starting", "running", "degraded", "stopping"]),
    /** `null` until the node is enrolled. */
    name: z.string().nullable(),
    nodeId: z.string().nullable(),
    peerId: z.string().nullable(),
    spiffeId: z.string().nullable(),
    trustDomain: z.string().nullable(),
    version: z.string(),
    startedAt: isoTime,
    epoch: count,
    zone: z.string(),
    /** Present members of the zone, and zones known, both with the own; absent while in no mesh. */
    zoneMembers: count.optional(),
    zonesKnown: count.optional(),
    roles: z.array(z.string()),
    engine: z.string(),
    handshakePolicy: z.string(),
    addresses: z.array(z.string()),
    /** `host:port`; `null` when metrics are off. */
    metricsAddress: z.string().nullable(),
    pid: count,
  }),
  svid: z
    .object({
      notBefore: isoTime,
      notAfter: isoTime,
      renewAt: isoTime,
      /** Until when peers take it if it is not renewed. */
      graceEnd: isoTime,
      source: z.enum(["issuer", "workload-api"]),
      /** Whether what vouches for the name is a chain of P-256 and not of ML-DSA-65. */
      classical: z.boolean(),
      serialNumber: z.string(),
    })
    .nullable(),
  peers: z.array(peerSchema),
  health: z.array(healthSchema),
  learning: learningStatusSchema.nullable(),
  process: z.object({ rssBytes: count, eventLoopLagP99Ms: z.number() }),
});

export const peersSchema = answer({ peers: z.array(peerSchema) });

export const beaconsSchema = answer({
  beacons: z.array(
    z.object({
      name: z.string(),
      nodeId: z.string(),
      epoch: count,
      sequence: count,
      ageMs: z.number(),
      heartbeatIndex: count,
      addresses: z.array(z.string()),
      zone: z.string(),
      roles: z.array(z.string()),
      /** Names or node ids. */
      neighbours: z.array(z.string()),
    }),
  ),
  counters: z.object({
    /** Accepted messages by kind. */
    accepted: z.record(z.string(), count),
    /** Rejected messages by error code. */
    rejected: z.record(z.string(), count),
  }),
});

export const identitySchema = answer({
  nodeId: z.string(),
  peerId: z.string(),
  spiffeId: z.string().nullable(),
  trustDomain: z.string().nullable(),
  /** 64 hex digits. */
  ed25519PublicKey: z.string(),
  /** SHA-256 of the 1952-byte key, 64 hex digits. */
  mldsa65PublicKeyDigest: z.string(),
  chain: z.array(
    z.object({
      /** The SPIFFE id, or the distinguished name of an authority. */
      subject: z.string(),
      issuer: z.string(),
      notBefore: isoTime,
      notAfter: isoTime,
      serial: z.string(),
    }),
  ),
  bundle: z.object({ sequence: count, digest: z.string(), authorities: count }).nullable(),
  isIssuer: z.boolean(),
});

export const flSchema = answer({ learning: learningStatusSchema.nullable() });
export const flStartedSchema = answer({ taskId: z.string() });
export const flStoppedSchema = answer(flStoppedFields);
export const flRunSchema = answer(flRunFields);
export const flPushedSchema = answer(flPushedFields);
export const flExplainedSchema = answer(flExplainedFields);
export const trainerNextSchema = answer(trainerNextFields);
export const trainerHeartbeatSchema = answer(trainerHeartbeatFields);
export const trainerUpdatedSchema = answer(trainerUpdatedFields);
export const enrolledSchema = answer({
  nodeId: z.string(),
  spiffeId: z.string(),
  trustDomain: z.string(),
});
export const anchorSchema = answer({ anchor: z.string() });
export const tokenSchema = answer({ token: z.string(), expiresAt: isoTime });

export const logLevels = ["debug", "info", "warn", "error"] as const;
export const logLevelSchema = z.enum(logLevels);

export const logSchema = answer({
  level: logLevelSchema,
  /** What the configuration says, and the level is again from the next start or reload on. */
  configured: logLevelSchema,
});

export const tunnelsSchema = answer(tunnelsFields);
export const zonesSchema = answer(zonesFields);
export const quarantineSchema = answer(quarantineFields);
export const healingSchema = answer(healingFields);
export const incidentsSchema = answer(incidentsFields);
export const incidentExplainedSchema = answer(incidentFields);
export const similarIncidentsSchema = answer(similarFields);
export const policyCheckedSchema = answer(policyCheckedFields);
export const policyReloadedSchema = answer(policyReloadedFields);
export const ownBundleSchema = answer(ownBundleFields);
export const federationSchema = answer(federationFields);
export const authoritiesSchema = answer(authoritiesFields);
export const auditListSchema = answer(auditListFields);
export const auditVerifiedSchema = answer(auditVerifiedFields);
export const entriesSchema = answer(entriesFields);
export const linksSchema = answer(linksFields);
export const routeSchema = answer(routeFields);
export const lookedUpSchema = answer(lookupFields);
export const effectiveConfigSchema = answer(effectiveConfigFields);
export const doctorSchema = answer(doctorFields);
export const logsSchema = answer(logsFields);
export const metricsSchema = answer(metricsFields);
export const backupSchema = answer(backupFields);
export const restoredSchema = answer(restoredFields);

export const errorSchema = answer({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(
      z.string(),
      z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]),
    ),
  }),
});

/** A node's name: the last part of its SPIFFE id. */
export const nodeNameSchema = z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,63}$/, {
  error: "must be 1 to 63 of a-z, A-Z, 0-9, '.', '-' and '_', and not '.' or '..'",
});

export const initRequestSchema = z.strictObject({
  trustDomain: z.string().regex(/^[a-z0-9._-]{1,255}$/, {
    error: "must be a trust domain such as mesh.example.org (a-z, 0-9, '.', '-', '_')",
  }),
  name: nodeNameSchema,
});

export const joinRequestSchema = z.strictObject({
  token: z.string().min(1).max(controlLimits.tokenCharsMax),
  name: nodeNameSchema.optional(),
});

export const tokenRequestSchema = z.strictObject({
  ttlSeconds: z.int().min(1).max(controlLimits.tokenTtlSecondsMax),
  name: nodeNameSchema.optional(),
});

export const flStartRequestSchema = z.strictObject({
  name: z.string().min(1).max(64).optional(),
  model: z.enum(["softmax", "mlp"]),
  /** Width of the MLP's hidden layer. */
  hidden: z.int().min(1).max(controlLimits.hiddenMax).optional(),
  rounds: z.int().min(1).max(controlLimits.roundsMax),
  aggregator: aggregatorSchema,
  /** How many of the participants are assumed to lie. */
  byzantine: z.int().min(0).max(controlLimits.namesMax).optional(),
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  /** Skew of the data between nodes; small is skewed. */
  dirichletAlpha: z.number().positive().max(1e6).optional(),
  roundTimeoutSeconds: z.number().positive().max(86_400).optional(),
  attack: attackSchema.optional(),
  data: z.enum(["glyphs", "csv"]).optional(),
  /** Names; default: all alive members and the node itself. */
  participants: z.array(nodeNameSchema).min(1).max(controlLimits.namesMax).optional(),
});

export const logLevelRequestSchema = z.strictObject({ level: logLevelSchema });

export type Peer = z.infer<typeof peerSchema>;
export type Health = z.infer<typeof healthSchema>;
export type Status = z.infer<typeof statusSchema>;
export type Peers = z.infer<typeof peersSchema>;
export type Beacons = z.infer<typeof beaconsSchema>;
export type Identity = z.infer<typeof identitySchema>;
export type FlStatus = z.infer<typeof flSchema>;
export type FlStarted = z.infer<typeof flStartedSchema>;
export type FlStopped = z.infer<typeof flStoppedSchema>;
export type Enrolled = z.infer<typeof enrolledSchema>;
export type Anchor = z.infer<typeof anchorSchema>;
export type Token = z.infer<typeof tokenSchema>;
export type LogState = z.infer<typeof logSchema>;
export type LogLevelRequest = z.infer<typeof logLevelRequestSchema>;
export type Tunnels = z.infer<typeof tunnelsSchema>;
export type Zones = z.infer<typeof zonesSchema>;
export type PolicyChecked = z.infer<typeof policyCheckedSchema>;
export type PolicyReloaded = z.infer<typeof policyReloadedSchema>;
export type Authorities = z.infer<typeof authoritiesSchema>;
export type OwnBundle = z.infer<typeof ownBundleSchema>;
export type Federation = z.infer<typeof federationSchema>;
export type AuditList = z.infer<typeof auditListSchema>;
export type AuditVerified = z.infer<typeof auditVerifiedSchema>;
export type HealingStatus = z.infer<typeof healingSchema>;
export type Incidents = z.infer<typeof incidentsSchema>;
export type IncidentExplained = z.infer<typeof incidentExplainedSchema>;
export type SimilarIncidents = z.infer<typeof similarIncidentsSchema>;
export type Quarantine = z.infer<typeof quarantineSchema>;
export type Entries = z.infer<typeof entriesSchema>;
export type LinksAnswer = z.infer<typeof linksSchema>;
export type RouteAnswer = z.infer<typeof routeSchema>;
export type LookedUp = z.infer<typeof lookedUpSchema>;
export type EffectiveConfig = z.infer<typeof effectiveConfigSchema>;
export type Doctor = z.infer<typeof doctorSchema>;
export type Logs = z.infer<typeof logsSchema>;
export type Metrics = z.infer<typeof metricsSchema>;
export type Backup = z.infer<typeof backupSchema>;
export type Restored = z.infer<typeof restoredSchema>;
export type ErrorAnswer = z.infer<typeof errorSchema>;
export type InitRequest = z.infer<typeof initRequestSchema>;
export type JoinRequest = z.infer<typeof joinRequestSchema>;
export type TokenRequest = z.infer<typeof tokenRequestSchema>;
export type FlStartRequest = z.infer<typeof flStartRequestSchema>;
