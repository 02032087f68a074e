// The control API's routes: HTTP and JSON in, NodeControl calls, JSON out. It knows no socket; an
// adapter serves it. Every answer, errors included, carries `schemaVersion`.

import { errorCode, errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import {
  type HttpAnswer,
  type HttpHandler,
  type HttpRequest,
  noTracer,
  type Tracer,
} from "../ports/index.ts";
import type { z } from "zod";
import { auditListRequestSchema, auditVerifyRequestSchema } from "./audit-contract.ts";
import {
  CONTROL_SCHEMA_VERSION,
  controlLimits,
  type ErrorAnswer,
  flStartRequestSchema,
  initRequestSchema,
  joinRequestSchema,
  logLevelRequestSchema,
  tokenRequestSchema,
} from "./contract.ts";
import { type ControlErrorCode, statusOfError } from "./errors.ts";
import { entryCreateRequestSchema, entryRequestSchema } from "./entry-contract.ts";
import {
  activateRequestSchema,
  grantRequestSchema,
  revokeNodeRequestSchema,
  revokeRequestSchema,
  taintRequestSchema,
  withdrawRequestSchema,
} from "./authority-contract.ts";
import { federatedRequestSchema, federateRequestSchema } from "./federation-contract.ts";
import type { NodeControl } from "./node-control.ts";
import {
  flExplainRequestSchema,
  flRunRequestSchema,
  flScopeRequestSchema,
} from "./learning-contract.ts";
import {
  freezeRequestSchema,
  incidentRequestSchema,
  incidentsRequestSchema,
} from "./healing-contract.ts";
import { lookupRequestSchema } from "./lookup-contract.ts";
import { backupRequestSchema } from "./operations-contract.ts";
import { policyCheckRequestSchema } from "./policy-contract.ts";
import { releaseRequestSchema } from "./quarantine-contract.ts";
import { routeRequestSchema } from "./route-contract.ts";
import { trainerHeartbeatRequestSchema } from "./trainer-contract.ts";
import {
  closeTunnelRequestSchema,
  exposeRequestSchema,
  forwardRequestSchema,
} from "./tunnel-contract.ts";

/** Told of an error that is no MeshError, or an internal one, so that it reaches the log. */
export type UnexpectedErrorListener = (error: unknown) => void;

/** The fields of a good answer, or its bytes. */
type Route = (
  body: HttpRequest["body"],
  gone: AbortSignal,
) => Promise<object | AsyncIterable<Uint8Array>>;

/** What callers of the control socket may have the right to. */
export type ControlRight = "control.read" | "control.write";

/** What the API leans on beside the node. */
export interface ControlAppOptions {
  /** Hears what a client sees as status 500. */
  readonly onUnexpectedError?: UnexpectedErrorListener;
  /** Each call is a span of it, part of the client's trace if its request says so. */
  readonly tracer?: Tracer;
  /** Whether whoever may open the socket may do this. @default everything */
  readonly permits?: (right: ControlRight) => boolean;
}

/** The API of a node. */
export function createControlApp(
  node: NodeControl,
  { onUnexpectedError, tracer = noTracer, permits = () => true }: ControlAppOptions = {},
): HttpHandler {
  const routes = routesOf(node);
  return async ({ method, path, body, traceparent, gone }) => {
    try {
      const name = `${method === "HEAD" ? "GET" : method} ${path}`;
      const route = routes.get(name);
      if (route === undefined) {
        throw refused(
          "control/not-found",
          `Cannot ${method} ${path.slice(0, 200)}: no such route.`,
        );
      }
      const right = rightTo(name);
      if (!permits(right)) {
        throw refused(
          "control/denied",
          `The policy does not give 'local', the callers of this socket, the right ${right}. See meshctl policy check local ${right}.`,
        );
      }
      const parent = traceparent === undefined ? ("root" as const) : { traceparent };
      const good = await tracer.span(name, { kind: "server", parent }, () => route(body, gone));
      if (Symbol.asyncIterator in good) return byteAnswer(good);
      return answer(200, { schemaVersion: CONTROL_SCHEMA_VERSION, ...good });
    } catch (error) {
      const { http } = statusOfError(errorCode(error));
      if (http === 500) onUnexpectedError?.(error);
      return answer(http, errorAnswer(error));
    }
  };
}

/** Routes that only look, although what they are asked comes in a body. */
const LOOKING = new Set([
  "POST /v1/fl/explain",
  "POST /v1/route",
  "POST /v1/lookup",
  "POST /v1/audit/list",
  "POST /v1/audit/verify",
  "POST /v1/policy/check",
  "POST /v1/incidents/list",
  "POST /v1/incidents/show",
  "POST /v1/incidents/similar",
]);

function rightTo(route: string): ControlRight {
  return route.startsWith("GET ") || LOOKING.has(route) ? "control.read" : "control.write";
}

function routesOf(node: NodeControl): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ["GET /v1/status", async () => node.status()],
    ["GET /v1/peers", async () => node.peers()],
    ["GET /v1/beacons", async () => node.beacons()],
    ["GET /v1/zones", async () => node.zones()],
    ["GET /v1/identity", async () => node.identity()],
    ["GET /v1/fl", async () => node.flStatus()],
    ["POST /v1/fl/start", async (body) => node.flStart(await request(body, flStartRequestSchema))],
    ["GET /v1/trainer/next", async (_, gone) => node.trainer().next(gone)],
    ["GET /v1/trainer/model", async () => once(await node.trainer().model())],
    ["POST /v1/trainer/update", async (body) => node.trainer().update(body)],
    [
      "POST /v1/trainer/heartbeat",
      async (body) => node.trainer().heartbeat(await request(body, trainerHeartbeatRequestSchema)),
    ],
    ["POST /v1/fl/run", async (body) => node.flRun(await request(body, flRunRequestSchema))],
    ["POST /v1/fl/stop", async (body) => node.flStop(await request(body, flScopeRequestSchema))],
    [
      "POST /v1/fl/resume",
      async (body) => node.flResume(await request(body, flScopeRequestSchema)),
    ],
    [
      "POST /v1/fl/explain",
      async (body) => node.flExplain(await request(body, flExplainRequestSchema)),
    ],
    ["GET /v1/fl/model", async () => once(await node.flModel())],
    ["POST /v1/fl/push", async (body) => node.flPush(body)],
    ["POST /v1/init", async (body) => node.init(await request(body, initRequestSchema))],
    ["POST /v1/join", async (body) => node.join(await request(body, joinRequestSchema))],
    ["GET /v1/config", async () => node.config()],
    ["GET /v1/doctor", async () => node.doctor()],
    ["GET /v1/logs", async () => node.logs()],
    ["GET /v1/metrics", async () => node.metrics()],
    ["POST /v1/backup", async (body) => node.backup(await request(body, backupRequestSchema))],
    ["GET /v1/anchor", async () => node.anchor()],
    ["POST /v1/tokens", async (body) => node.createToken(await request(body, tokenRequestSchema))],
    ["GET /v1/links", async () => node.links()],
    ["POST /v1/route", async (body) => node.route(await request(body, routeRequestSchema))],
    ["POST /v1/lookup", async (body) => node.lookup(await request(body, lookupRequestSchema))],
    ["GET /v1/tunnels", async () => node.tunnels()],
    [
      "POST /v1/tunnels/expose",
      async (body) => node.expose(await request(body, exposeRequestSchema)),
    ],
    [
      "POST /v1/tunnels/forward",
      async (body) => node.forward(await request(body, forwardRequestSchema)),
    ],
    [
      "POST /v1/tunnels/close",
      async (body) => node.closeTunnel(await request(body, closeTunnelRequestSchema)),
    ],
    ["GET /v1/healing", async () => node.healing()],
    [
      "POST /v1/healing/freeze",
      async (body) => node.freezeHealing(await request(body, freezeRequestSchema)),
    ],
    [
      "POST /v1/incidents/list",
      async (body) => node.incidents(await request(body, incidentsRequestSchema)),
    ],
    [
      "POST /v1/incidents/show",
      async (body) => node.incident(await request(body, incidentRequestSchema)),
    ],
    [
      "POST /v1/incidents/similar",
      async (body) => node.similarIncidents(await request(body, incidentRequestSchema)),
    ],
    ["GET /v1/incidents/export", () => Promise.resolve(node.exportIncidents())],
    ["GET /v1/quarantine", async () => node.quarantine()],
    [
      "POST /v1/quarantine/release",
      async (body) => node.release(await request(body, releaseRequestSchema)),
    ],
    [
      "POST /v1/audit/list",
      async (body) => node.audit(await request(body, auditListRequestSchema)),
    ],
    [
      "POST /v1/audit/verify",
      async (body) => node.verifyAudit(await request(body, auditVerifyRequestSchema)),
    ],
    [
      "POST /v1/policy/check",
      async (body) => node.checkPolicy(await request(body, policyCheckRequestSchema)),
    ],
    ["POST /v1/policy/reload", async () => node.reloadPolicy()],
    ["GET /v1/entries", async () => node.entries()],
    [
      "POST /v1/entries",
      async (body) => node.createEntry(await request(body, entryCreateRequestSchema)),
    ],
    [
      "POST /v1/entries/delete",
      async (body) => node.deleteEntry(await request(body, entryRequestSchema)),
    ],
    ["GET /v1/authorities", () => node.authorities().list()],
    ["POST /v1/authorities/prepare", () => node.authorities().prepare()],
    [
      "POST /v1/authorities/activate",
      async (body) => node.authorities().activate(await request(body, activateRequestSchema)),
    ],
    [
      "POST /v1/authorities/taint",
      async (body) => node.authorities().taint(await request(body, taintRequestSchema)),
    ],
    [
      "POST /v1/authorities/revoke",
      async (body) => node.authorities().revoke(await request(body, revokeRequestSchema)),
    ],
    [
      "POST /v1/authorities/revoke-node",
      async (body) => node.authorities().revokeNode(await request(body, revokeNodeRequestSchema)),
    ],
    [
      "POST /v1/issuers/grant",
      async (body) => node.authorities().grant(await request(body, grantRequestSchema)),
    ],
    [
      "POST /v1/issuers/withdraw",
      async (body) => node.authorities().withdraw(await request(body, withdrawRequestSchema)),
    ],
    ["GET /v1/federation", async () => node.federation()],
    ["GET /v1/federation/bundle", async () => node.ownBundle()],
    ["GET /v1/federation/map", async () => node.bundleMap()],
    [
      "POST /v1/federation/add",
      async (body) => node.federate(await request(body, federateRequestSchema)),
    ],
    [
      "POST /v1/federation/refresh",
      async (body) => node.refreshFederation(await request(body, federatedRequestSchema)),
    ],
    [
      "POST /v1/federation/remove",
      async (body) => node.unfederate(await request(body, federatedRequestSchema)),
    ],
    ["GET /v1/log", async () => node.log()],
    ["POST /v1/log", async (body) => node.setLogLevel(await request(body, logLevelRequestSchema))],
  ]);
}

/** The body of an error answer. The message of a foreign error stays out: it may hold anything. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const known = isMeshError(error);
  return {
    schemaVersion: CONTROL_SCHEMA_VERSION,
    error: {
      code: errorCode(error),
      message: known
        ? errorMessage(error)
        : "The daemon met an unexpected error. Look for internal/unexpected in its log.",
      details: known ? mutableDetails(error) : {},
    },
  };
}

// eslint-disable-next-line @typescript-eslint/require-await -- an iterable of what is there already
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function mutableDetails(error: MeshError): ErrorAnswer["error"]["details"] {
  return Object.fromEntries(
    Object.entries(error.details).map(([key, value]) => [
      key,
      typeof value === "object" && value !== null ? [...value] : value,
    ]),
  );
}

function answer(status: number, body: object): HttpAnswer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function byteAnswer(body: AsyncIterable<Uint8Array>): HttpAnswer {
  return { status: 200, headers: { "content-type": "application/octet-stream" }, body };
}

function refused(code: ControlErrorCode, message: string, problems: string[] = []): MeshError {
  return new MeshError<ControlErrorCode>(code, message, problems.length > 0 ? { problems } : {});
}

async function request<Output>(
  body: HttpRequest["body"],
  schema: z.ZodType<Output>,
): Promise<Output> {
  const text = await boundedText(body);
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw refused(
      "control/bad-request",
      "Cannot read the request: its body is not JSON. Send a JSON object.",
    );
  }
  const checked = schema.safeParse(raw);
  if (checked.success) return checked.data;
  const problems = checked.error.issues
    .slice(0, 20)
    .map(({ path, message }) =>
      `${path.map(String).join(".") || "body"}: ${message}`.slice(0, 300),
    );
  throw refused(
    "control/bad-request",
    `Cannot accept the request: ${problems.join("; ")}. Correct these fields.`,
    problems,
  );
}

/** The body as text, read no further than the limit. */
async function boundedText(body: HttpRequest["body"]): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > controlLimits.requestBytesMax) {
      throw refused(
        "control/too-large",
        `Cannot read a request body above ${controlLimits.requestBytesMax} bytes. Send less.`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
