// The routes of the control API as one table: what each does, who may call it, what it takes and answers, and the call that it is
// on the node. app.ts serves it; openapi.ts tells it.

import type { z } from "zod";
import type { HttpRequest } from "../ports/index.ts";
import { auditListRequestSchema, auditVerifyRequestSchema } from "./audit-contract.ts";
import {
  activateRequestSchema,
  grantRequestSchema,
  revokeNodeRequestSchema,
  revokeRequestSchema,
  taintRequestSchema,
  withdrawRequestSchema,
} from "./authority-contract.ts";
import {
  anchorSchema,
  auditListSchema,
  auditVerifiedSchema,
  authoritiesSchema,
  beaconsSchema,
  doctorSchema,
  effectiveConfigSchema,
  enrolledSchema,
  entriesSchema,
  federationSchema,
  flExplainedSchema,
  flPushedSchema,
  flRunSchema,
  flSchema,
  flStartedSchema,
  flStartRequestSchema,
  flStoppedSchema,
  healingSchema,
  identitySchema,
  incidentExplainedSchema,
  incidentsSchema,
  initRequestSchema,
  joinRequestSchema,
  linksSchema,
  logLevelRequestSchema,
  logSchema,
  logsSchema,
  lookedUpSchema,
  metricsSchema,
  ownBundleSchema,
  peersSchema,
  policyCheckedSchema,
  policyReloadedSchema,
  quarantineSchema,
  routeSchema,
  similarIncidentsSchema,
  statusSchema,
  tokenRequestSchema,
  tokenSchema,
  trainerHeartbeatSchema,
  trainerNextSchema,
  trainerUpdatedSchema,
  tunnelsSchema,
  zonesSchema,
} from "./contract.ts";
import { entryCreateRequestSchema, entryRequestSchema } from "./entry-contract.ts";
import { federatedRequestSchema, federateRequestSchema } from "./federation-contract.ts";
import {
  freezeRequestSchema,
  incidentRequestSchema,
  incidentsRequestSchema,
} from "./healing-contract.ts";
import {
  flExplainRequestSchema,
  flRunRequestSchema,
  flScopeRequestSchema,
} from "./learning-contract.ts";
import { lookupRequestSchema } from "./lookup-contract.ts";
import type { Body, NodeControl } from "./node-control.ts";
import { backupRequestSchema } from "./operations-contract.ts";
import { policyCheckRequestSchema } from "./policy-contract.ts";
import { releaseRequestSchema } from "./quarantine-contract.ts";
import { jsonBody } from "./request-body.ts";
import { routeRequestSchema } from "./route-contract.ts";
import { trainerHeartbeatRequestSchema } from "./trainer-contract.ts";
import {
  closeTunnelRequestSchema,
  exposeRequestSchema,
  forwardRequestSchema,
} from "./tunnel-contract.ts";

/** What callers of the control socket may have the right to. */
export type ControlRight = "control.read" | "control.write";

/** A body that is no JSON: the bytes of a file, or of several one after the other. */
export const FILE = "file";

export interface Route {
  /** What it does, in a sentence. */
  readonly summary: string;
  readonly right: ControlRight;
  /** `undefined`: it takes no body. */
  readonly request: z.ZodType | typeof FILE | undefined;
  readonly answer: z.ZodType | typeof FILE;
  /** The fields of a good answer without `schemaVersion`, or its bytes. */
  readonly call: (
    node: NodeControl,
    body: HttpRequest["body"],
    gone: AbortSignal,
  ) => Promise<object | AsyncIterable<Uint8Array>>;
}

type Awaitable<T> = T | Promise<T>;

/** By method and path. */
export const routes: ReadonlyMap<string, Route> = new Map([
  [
    "GET /v1/status",
    get("The node, its SVID, peers, health and training.", statusSchema, (node) => node.status()),
  ],
  [
    "GET /v1/peers",
    get("The members of the mesh that this node knows.", peersSchema, (node) => node.peers()),
  ],
  [
    "GET /v1/beacons",
    get("The last beacon of each member.", beaconsSchema, (node) => node.beacons()),
  ],
  [
    "GET /v1/zones",
    get("The own zone, and the others by their summaries.", zonesSchema, (node) => node.zones()),
  ],
  [
    "GET /v1/links",
    get("The own links as they are measured.", linksSchema, (node) => node.links()),
  ],
  [
    "POST /v1/route",
    ask(
      "How this node reaches a member, and why so.",
      routeRequestSchema,
      routeSchema,
      (node, request) => node.route(request),
    ),
  ],
  [
    "POST /v1/lookup",
    ask(
      "Finds a node, of another zone too, by name or id.",
      lookupRequestSchema,
      lookedUpSchema,
      (node, request) => node.lookup(request),
    ),
  ],

  [
    "GET /v1/identity",
    get("This node's keys and certificates.", identitySchema, (node) => node.identity()),
  ],
  [
    "POST /v1/init",
    order(
      "Founds a trust domain with this node as its issuer.",
      initRequestSchema,
      enrolledSchema,
      (node, request) => node.init(request),
    ),
  ],
  [
    "POST /v1/join",
    order(
      "Enrols this node with a one-time token.",
      joinRequestSchema,
      enrolledSchema,
      (node, request) => node.join(request),
    ),
  ],
  [
    "POST /v1/tokens",
    order("Makes a one-time join token.", tokenRequestSchema, tokenSchema, (node, request) =>
      node.createToken(request),
    ),
  ],
  [
    "GET /v1/anchor",
    get("What hosts need that join by evidence; no secret.", anchorSchema, (node) => node.anchor()),
  ],

  [
    "GET /v1/entries",
    get("The registration entries of workloads.", entriesSchema, (node) => node.entries()),
  ],
  [
    "POST /v1/entries",
    order(
      "Makes a registration entry; gives it alone.",
      entryCreateRequestSchema,
      entriesSchema,
      (node, request) => node.createEntry(request),
    ),
  ],
  [
    "POST /v1/entries/delete",
    order(
      "Deletes a registration entry; gives it alone.",
      entryRequestSchema,
      entriesSchema,
      (node, request) => node.deleteEntry(request),
    ),
  ],

  [
    "GET /v1/authorities",
    get(
      "The authorities of the trust domain, on the holder of its root.",
      authoritiesSchema,
      (node) => node.authorities().list(),
    ),
  ],
  [
    "POST /v1/authorities/prepare",
    act("Prepares the next authority.", authoritiesSchema, (node) => node.authorities().prepare()),
  ],
  [
    "POST /v1/authorities/activate",
    order(
      "Signs with the prepared authority from now on.",
      activateRequestSchema,
      authoritiesSchema,
      (node, request) => node.authorities().activate(request),
    ),
  ],
  [
    "POST /v1/authorities/taint",
    order(
      "Has all that an authority signed renewed.",
      taintRequestSchema,
      authoritiesSchema,
      (node, request) => node.authorities().taint(request),
    ),
  ],
  [
    "POST /v1/authorities/revoke",
    order(
      "Ends the trust in an authority.",
      revokeRequestSchema,
      authoritiesSchema,
      (node, request) => node.authorities().revoke(request),
    ),
  ],
  [
    "POST /v1/authorities/revoke-node",
    order(
      "Shuts a node out of the mesh.",
      revokeNodeRequestSchema,
      authoritiesSchema,
      (node, request) => node.authorities().revokeNode(request),
    ),
  ],
  [
    "POST /v1/issuers/grant",
    order("Lets another node issue.", grantRequestSchema, authoritiesSchema, (node, request) =>
      node.authorities().grant(request),
    ),
  ],
  [
    "POST /v1/issuers/withdraw",
    order(
      "Lets a node issue no longer.",
      withdrawRequestSchema,
      authoritiesSchema,
      (node, request) => node.authorities().withdraw(request),
    ),
  ],

  [
    "GET /v1/federation",
    get("The other trust domains whose bundles are followed.", federationSchema, (node) =>
      node.federation(),
    ),
  ],
  [
    "GET /v1/federation/bundle",
    get("The own trust bundle, as SPIFFE's JSON.", ownBundleSchema, (node) => node.ownBundle()),
  ],
  [
    "GET /v1/federation/map",
    get(
      "SPIFFE's bundle map: the own bundle and those of all federated domains.",
      ownBundleSchema,
      (node) => node.bundleMap(),
    ),
  ],
  [
    "POST /v1/federation/add",
    order(
      "Follows a trust domain's bundle; gives it alone.",
      federateRequestSchema,
      federationSchema,
      (node, request) => node.federate(request),
    ),
  ],
  [
    "POST /v1/federation/refresh",
    order(
      "Fetches a trust domain's bundle now.",
      federatedRequestSchema,
      federationSchema,
      (node, request) => node.refreshFederation(request),
    ),
  ],
  [
    "POST /v1/federation/remove",
    order(
      "Follows a trust domain no longer; gives what is left.",
      federatedRequestSchema,
      federationSchema,
      (node, request) => node.unfederate(request),
    ),
  ],

  [
    "GET /v1/quarantine",
    get("Nodes that are shut out on proof, and those released.", quarantineSchema, (node) =>
      node.quarantine(),
    ),
  ],
  [
    "POST /v1/quarantine/release",
    order(
      "Lets a node out of quarantine; gives it alone.",
      releaseRequestSchema,
      quarantineSchema,
      (node, request) => node.release(request),
    ),
  ],

  [
    "GET /v1/tunnels",
    get("Ports exposed to peers, and ports here that lead to theirs.", tunnelsSchema, (node) =>
      node.tunnels(),
    ),
  ],
  [
    "POST /v1/tunnels/expose",
    order(
      "Exposes a port to peers; gives all tunnels.",
      exposeRequestSchema,
      tunnelsSchema,
      (node, request) => node.expose(request),
    ),
  ],
  [
    "POST /v1/tunnels/forward",
    order(
      "Leads a port here to a peer's; gives it alone.",
      forwardRequestSchema,
      tunnelsSchema,
      (node, request) => node.forward(request),
    ),
  ],
  [
    "POST /v1/tunnels/close",
    order(
      "Closes a tunnel; gives what is left.",
      closeTunnelRequestSchema,
      tunnelsSchema,
      (node, request) => node.closeTunnel(request),
    ),
  ],

  [
    "GET /v1/fl",
    get("The training task that runs, or ran last.", flSchema, (node) => node.flStatus()),
  ],
  [
    "POST /v1/fl/start",
    order(
      "Starts a task of the shipped data.",
      flStartRequestSchema,
      flStartedSchema,
      (node, request) => node.flStart(request),
    ),
  ],
  [
    "POST /v1/fl/run",
    order(
      "Checks a task file, and starts it unless it is a dry run.",
      flRunRequestSchema,
      flRunSchema,
      (node, request) => node.flRun(request),
    ),
  ],
  [
    "POST /v1/fl/stop",
    order("Stops the task.", flScopeRequestSchema, flStoppedSchema, (node, request) =>
      node.flStop(request),
    ),
  ],
  [
    "POST /v1/fl/resume",
    order("Goes on with the last task.", flScopeRequestSchema, flStoppedSchema, (node, request) =>
      node.flResume(request),
    ),
  ],
  [
    "POST /v1/fl/explain",
    ask(
      "What a round made of each participant.",
      flExplainRequestSchema,
      flExplainedSchema,
      (node, request) => node.flExplain(request),
    ),
  ],
  [
    "GET /v1/fl/model",
    {
      ...read("The model after the last round, as safetensors."),
      answer: FILE,
      call: async (node) => once(await node.flModel()),
    },
  ],
  [
    "POST /v1/fl/push",
    {
      ...write("Keeps a model, as safetensors, for tasks to start from."),
      request: FILE,
      answer: flPushedSchema,
      call: async (node, body) => node.flPush(body),
    },
  ],

  [
    "GET /v1/trainer/next",
    get("Waits for the next round to train.", trainerNextSchema, (node, gone) =>
      node.trainer().next(gone),
    ),
  ],
  [
    "GET /v1/trainer/model",
    {
      ...read("The model that the round starts from, as safetensors."),
      answer: FILE,
      call: async (node) => once(await node.trainer().model()),
    },
  ],
  [
    "POST /v1/trainer/update",
    {
      ...write("Takes the trained tensors, as safetensors."),
      request: FILE,
      answer: trainerUpdatedSchema,
      call: async (node, body) => node.trainer().update(body),
    },
  ],
  [
    "POST /v1/trainer/heartbeat",
    order(
      "Keeps the lease on a round.",
      trainerHeartbeatRequestSchema,
      trainerHeartbeatSchema,
      (node, request) => node.trainer().heartbeat(request),
    ),
  ],

  [
    "GET /v1/healing",
    get("What the healing loop does, and how much it may.", healingSchema, (node) =>
      node.healing(),
    ),
  ],
  [
    "POST /v1/healing/freeze",
    order(
      "Freezes healing, or lets it act again.",
      freezeRequestSchema,
      healingSchema,
      (node, request) => node.freezeHealing(request),
    ),
  ],
  [
    "POST /v1/incidents/list",
    ask("Incidents, the newest first.", incidentsRequestSchema, incidentsSchema, (node, request) =>
      node.incidents(request),
    ),
  ],
  [
    "POST /v1/incidents/show",
    ask(
      "An incident with all that was seen and done.",
      incidentRequestSchema,
      incidentExplainedSchema,
      (node, request) => node.incident(request),
    ),
  ],
  [
    "POST /v1/incidents/similar",
    ask(
      "Past incidents like one.",
      incidentRequestSchema,
      similarIncidentsSchema,
      (node, request) => node.similarIncidents(request),
    ),
  ],
  [
    "GET /v1/incidents/export",
    {
      ...read("All own incidents, the oldest first, as lines of JSON."),
      answer: FILE,
      call: (node) => Promise.resolve(node.exportIncidents()),
    },
  ],

  [
    "POST /v1/audit/list",
    ask(
      "Entries of the audit log, the oldest first.",
      auditListRequestSchema,
      auditListSchema,
      (node, request) => node.audit(request),
    ),
  ],
  [
    "POST /v1/audit/verify",
    ask(
      "Checks the audit log's hash chain and signed heads.",
      auditVerifyRequestSchema,
      auditVerifiedSchema,
      (node, request) => node.verifyAudit(request),
    ),
  ],
  [
    "POST /v1/policy/check",
    ask(
      "Why the policy gives a right, or does not.",
      policyCheckRequestSchema,
      policyCheckedSchema,
      (node, request) => node.checkPolicy(request),
    ),
  ],
  [
    "POST /v1/policy/reload",
    act("Reads the configuration file again, as SIGHUP does.", policyReloadedSchema, (node) =>
      node.reloadPolicy(),
    ),
  ],

  [
    "GET /v1/config",
    get("What the daemon runs with.", effectiveConfigSchema, (node) => node.config()),
  ],
  [
    "GET /v1/doctor",
    get("What the doctor finds on this host.", doctorSchema, (node) => node.doctor()),
  ],
  ["GET /v1/logs", get("The last log lines.", logsSchema, (node) => node.logs())],
  ["GET /v1/log", get("The log level.", logSchema, (node) => node.log())],
  [
    "POST /v1/log",
    order(
      "Sets the log level until the next start or reload.",
      logLevelRequestSchema,
      logSchema,
      (node, request) => node.setLogLevel(request),
    ),
  ],
  [
    "GET /v1/metrics",
    get("Everything that /metrics would serve.", metricsSchema, (node) => node.metrics()),
  ],
  [
    "POST /v1/backup",
    {
      ...write("An encrypted backup of the state."),
      request: backupRequestSchema,
      answer: FILE,
      call: async (node, body) => node.backup(await jsonBody(body, backupRequestSchema)),
    },
  ],
]);

function read(summary: string): Pick<Route, "summary" | "right" | "request"> {
  return { summary, right: "control.read", request: undefined };
}

function write(summary: string): Pick<Route, "summary" | "right"> {
  return { summary, right: "control.write" };
}

/** Only looks. */
function get<Answer>(
  summary: string,
  answer: z.ZodType<Answer>,
  call: (node: NodeControl, gone: AbortSignal) => Awaitable<Body<Answer> & object>,
): Route {
  return { ...read(summary), answer, call: async (node, _, gone) => call(node, gone) };
}

/** Only looks, although what it is asked comes in a body. */
function ask<Request, Answer>(
  summary: string,
  request: z.ZodType<Request>,
  answer: z.ZodType<Answer>,
  call: (node: NodeControl, request: Request) => Awaitable<Body<Answer> & object>,
): Route {
  return { ...order(summary, request, answer, call), right: "control.read" };
}

/** Changes something. */
function order<Request, Answer>(
  summary: string,
  request: z.ZodType<Request>,
  answer: z.ZodType<Answer>,
  call: (node: NodeControl, request: Request) => Awaitable<Body<Answer> & object>,
): Route {
  return {
    ...write(summary),
    request,
    answer,
    call: async (node, body) => call(node, await jsonBody(body, request)),
  };
}

/** Changes something, and is asked nothing: a body is not read. */
function act<Answer>(
  summary: string,
  answer: z.ZodType<Answer>,
  call: (node: NodeControl) => Awaitable<Body<Answer> & object>,
): Route {
  return { ...write(summary), request: undefined, answer, call: async (node) => call(node) };
}

// eslint-disable-next-line @typescript-eslint/require-await -- an iterable of what is there already
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
