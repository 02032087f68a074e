// The control API's part for healing: what the loop is at, and its incidents with their explanation.

import * as z from "zod";

/** Limits of the incident verbs. */
export const incidentLimits = { listMax: 200, idCharsMax: 64 } as const;

const count = z.int().min(0);
const time = z.iso.datetime();
const severity = z.enum(["info", "warning", "error"]);

const incident = z.object({
  id: z.string(),
  openedAt: time,
  /** `null` while it is open. */
  closedAt: time.nullable(),
  outcome: z.enum(["open", "mended", "self-mended", "unmended"]),
  cause: z.object({
    code: z.string(),
    title: z.string(),
    /** The peer, trust domain or part that it is about, by name; `null` for the node itself. */
    subject: z.string().nullable(),
    why: z.string(),
  }),
  symptoms: z.array(
    z.object({
      code: z.string(),
      subject: z.string().nullable(),
      severity,
      firstSeenAt: time,
      clearedAt: time.nullable(),
      message: z.string().nullable(),
      evidence: z.array(
        z.object({
          observation: z.string(),
          value: z.number(),
          threshold: z.number(),
          finding: z.string(),
        }),
      ),
    }),
  ),
  actions: z.array(
    z.object({
      playbook: z.string(),
      action: z.string(),
      target: z.string().nullable(),
      level: z.enum(["act", "advise"]),
      startedAt: time,
      endedAt: time.nullable(),
      outcome: z.string(),
      reason: z.string(),
      /** What the check saw; `null` before it. */
      check: z.string().nullable(),
    }),
  ),
  similar: z.array(
    z.object({ id: z.string(), similarity: z.number(), node: z.string().nullable() }),
  ),
});

export const incidentsFields = { incidents: z.array(incident) };

/** Past incidents like one, the most similar first. */
export const similarFields = {
  /** The incident that they are like. */
  id: z.string(),
  similar: z.array(
    z.object({
      id: z.string(),
      /** 0 to 1. */
      similarity: z.number(),
      /** Whose it was, by name; `null`: this node's. */
      node: z.string().nullable(),
      openedAt: time,
      cause: z.object({ code: z.string(), title: z.string() }),
      outcome: z.enum(["open", "mended", "self-mended", "unmended"]),
      actions: z.array(z.object({ playbook: z.string(), action: z.string(), outcome: z.string() })),
    }),
  ),
};

export const incidentFields = {
  incident,
  /** From what was seen to what came of it, in order. */
  explanation: z.array(z.object({ step: z.string(), at: time.nullable(), text: z.string() })),
};

export const healingFields = {
  mode: z.enum(["act", "advise"]),
  frozen: z.boolean(),
  /** Why nothing disruptive is done now; `null` while it may be. */
  halted: z.string().nullable(),
  running: z.array(z.object({ action: z.string(), target: z.string().nullable() })),
  budgetLeft: count,
  /** Nodes under disruptive repair, and how many may be at once. */
  claims: count,
  claimsMax: count,
  openIncidents: count,
  /** Observations that are not measured any more. */
  missing: z.array(z.string()),
  /** Playbooks in force, those that are tried first first. */
  playbooks: z.array(z.string()),
  /** Why the operator's file was refused. */
  playbookProblem: z.string().nullable(),
};

export const freezeRequestSchema = z.strictObject({ frozen: z.boolean() });
export const incidentsRequestSchema = z.strictObject({
  limit: z.int().min(1).max(incidentLimits.listMax),
});
export const incidentRequestSchema = z.strictObject({
  /** An incident's id, or `last`. */
  id: z.string().min(1).max(incidentLimits.idCharsMax),
});

export type FreezeRequest = z.infer<typeof freezeRequestSchema>;
export type IncidentsRequest = z.infer<typeof incidentsRequestSchema>;
export type IncidentRequest = z.infer<typeof incidentRequestSchema>;
