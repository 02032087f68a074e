// A typed client of the control API over the daemon's Unix socket. Answers are bounded, parsed
// strictly and given back as the contract's types; errors of the daemon come back as MeshError.

import { errorMessage, MeshError } from "../foundation/index.ts";
import { request as httpRequest } from "node:http";
import type { z } from "zod";
import type { AuditListRequest, AuditVerifyRequest } from "./audit-contract.ts";
import {
  type AuditList,
  auditListSchema,
  type AuditVerified,
  auditVerifiedSchema,
  type Beacons,
  beaconsSchema,
  controlLimits,
  type Doctor,
  doctorSchema,
  type EffectiveConfig,
  effectiveConfigSchema,
  type Enrolled,
  enrolledSchema,
  type Entries,
  entriesSchema,
  errorSchema,
  type Authorities,
  authoritiesSchema,
  type Federation,
  federationSchema,
  type OwnBundle,
  ownBundleSchema,
  type FlStarted,
  type FlStartRequest,
  type FlStatus,
  type FlStopped,
  flExplainedSchema,
  flPushedSchema,
  flRunSchema,
  flSchema,
  flStartedSchema,
  flStoppedSchema,
  type Identity,
  type InitRequest,
  identitySchema,
  type JoinRequest,
  type LogLevelRequest,
  logSchema,
  type LogState,
  type LookedUp,
  lookedUpSchema,
  type Logs,
  logsSchema,
  type Metrics,
  metricsSchema,
  type Peers,
  type PolicyChecked,
  policyCheckedSchema,
  type PolicyReloaded,
  policyReloadedSchema,
  peersSchema,
  type HealingStatus,
  healingSchema,
  type IncidentExplained,
  incidentExplainedSchema,
  type Incidents,
  type SimilarIncidents,
  similarIncidentsSchema,
  incidentsSchema,
  type Quarantine,
  quarantineSchema,
  type Status,
  statusSchema,
  type Anchor,
  anchorSchema,
  type Token,
  type LinksAnswer,
  linksSchema,
  type RouteAnswer,
  routeSchema,
  type TokenRequest,
  tokenSchema,
  type Tunnels,
  tunnelsSchema,
  type Zones,
  zonesSchema,
} from "./contract.ts";
import type { ControlErrorCode } from "./errors.ts";
import {
  type FlExplainRequest,
  type FlRunRequest,
  type FlScopeRequest,
  learningLimits,
} from "./learning-contract.ts";
import type { EntryCreateRequest, EntryRequest } from "./entry-contract.ts";
import type { LookupRequest } from "./lookup-contract.ts";
import type { BackupRequest } from "./operations-contract.ts";
import type { PolicyCheckRequest } from "./policy-contract.ts";
import type {
  ActivateRequest,
  GrantRequest,
  RevokeNodeRequest,
  RevokeRequest,
  TaintRequest,
  WithdrawRequest,
} from "./authority-contract.ts";
import type { FederatedRequest, FederateRequest } from "./federation-contract.ts";
import type { IncidentRequest, IncidentsRequest } from "./healing-contract.ts";
import type { ReleaseRequest } from "./quarantine-contract.ts";
import type { RouteRequest } from "./route-contract.ts";
import type { CloseTunnelRequest, ExposeRequest, ForwardRequest } from "./tunnel-contract.ts";

/** Options of {@link ControlClient}. */
export interface ControlClientOptions {
  /** Path of the daemon's Unix socket. */
  readonly socketPath: string;
  /** How long a call may take. @default 10_000; `init` and `join` take six times as long */
  readonly timeoutMs?: number;
}

/**
 * One call per method. Every method throws MeshError: `control/unreachable` (nothing listens, or no
 * permission), `control/timeout`, `control/bad-answer`, and any code the daemon answers with.
 * The client holds no connection and may be used again after an error.
 */
export class ControlClient {
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  constructor(options: ControlClientOptions) {
    this.#socketPath = options.socketPath;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  status(): Promise<Status> {
    return this.#call("GET", "/v1/status", statusSchema);
  }

  peers(): Promise<Peers> {
    return this.#call("GET", "/v1/peers", peersSchema);
  }

  beacons(): Promise<Beacons> {
    return this.#call("GET", "/v1/beacons", beaconsSchema);
  }

  zones(): Promise<Zones> {
    return this.#call("GET", "/v1/zones", zonesSchema);
  }

  identity(): Promise<Identity> {
    return this.#call("GET", "/v1/identity", identitySchema);
  }

  flStatus(): Promise<FlStatus> {
    return this.#call("GET", "/v1/fl", flSchema);
  }

  flStart(request: FlStartRequest): Promise<FlStarted> {
    return this.#call("POST", "/v1/fl/start", flStartedSchema, request);
  }

  flRun(request: FlRunRequest): Promise<z.infer<typeof flRunSchema>> {
    return this.#call("POST", "/v1/fl/run", flRunSchema, request);
  }

  flStop(request: FlScopeRequest = {}): Promise<FlStopped> {
    return this.#call("POST", "/v1/fl/stop", flStoppedSchema, request);
  }

  flResume(request: FlScopeRequest = {}): Promise<FlStopped> {
    return this.#call("POST", "/v1/fl/resume", flStoppedSchema, request);
  }

  flExplain(request: FlExplainRequest): Promise<z.infer<typeof flExplainedSchema>> {
    return this.#call("POST", "/v1/fl/explain", flExplainedSchema, request);
  }

  /** The model after the last round, as safetensors. */
  async flModel(): Promise<Uint8Array> {
    const response = await open(
      this.#socketPath,
      "GET",
      "/v1/fl/model",
      6 * this.#timeoutMs,
      undefined,
    );
    if (response.status >= 400)
      throw daemonError(response.status, parseJson(await textOf(response)));
    return bytesOf(response, learningLimits.modelBytesMax);
  }

  /** A safetensors file for tasks to start from. */
  flPush(file: Uint8Array): Promise<z.infer<typeof flPushedSchema>> {
    return this.#call("POST", "/v1/fl/push", flPushedSchema, file, 6 * this.#timeoutMs);
  }

  init(request: InitRequest): Promise<Enrolled> {
    return this.#call("POST", "/v1/init", enrolledSchema, request, 6 * this.#timeoutMs);
  }

  join(request: JoinRequest): Promise<Enrolled> {
    return this.#call("POST", "/v1/join", enrolledSchema, request, 6 * this.#timeoutMs);
  }

  anchor(): Promise<Anchor> {
    return this.#call("GET", "/v1/anchor", anchorSchema);
  }

  createToken(request: TokenRequest): Promise<Token> {
    return this.#call("POST", "/v1/tokens", tokenSchema, request);
  }

  links(): Promise<LinksAnswer> {
    return this.#call("GET", "/v1/links", linksSchema);
  }

  route(request: RouteRequest): Promise<RouteAnswer> {
    return this.#call("POST", "/v1/route", routeSchema, request);
  }

  lookup(request: LookupRequest): Promise<LookedUp> {
    return this.#call("POST", "/v1/lookup", lookedUpSchema, request);
  }

  tunnels(): Promise<Tunnels> {
    return this.#call("GET", "/v1/tunnels", tunnelsSchema);
  }

  expose(request: ExposeRequest): Promise<Tunnels> {
    return this.#call("POST", "/v1/tunnels/expose", tunnelsSchema, request);
  }

  forward(request: ForwardRequest): Promise<Tunnels> {
    return this.#call("POST", "/v1/tunnels/forward", tunnelsSchema, request);
  }

  closeTunnel(request: CloseTunnelRequest): Promise<Tunnels> {
    return this.#call("POST", "/v1/tunnels/close", tunnelsSchema, request);
  }

  healing(): Promise<HealingStatus> {
    return this.#call("GET", "/v1/healing", healingSchema);
  }

  /** Gives the state after it. */
  freezeHealing(frozen: boolean): Promise<HealingStatus> {
    return this.#call("POST", "/v1/healing/freeze", healingSchema, { frozen });
  }

  incidents(request: IncidentsRequest): Promise<Incidents> {
    return this.#call("POST", "/v1/incidents/list", incidentsSchema, request);
  }

  incident(request: IncidentRequest): Promise<IncidentExplained> {
    return this.#call("POST", "/v1/incidents/show", incidentExplainedSchema, request);
  }

  similarIncidents(request: IncidentRequest): Promise<SimilarIncidents> {
    return this.#call("POST", "/v1/incidents/similar", similarIncidentsSchema, request);
  }

  /** Lines of JSON as they come. Iterating throws as {@link backup}. */
  exportIncidents(): AsyncGenerator<Uint8Array> {
    return this.#stream("GET", "/v1/incidents/export");
  }

  quarantine(): Promise<Quarantine> {
    return this.#call("GET", "/v1/quarantine", quarantineSchema);
  }

  /** Gives the released node alone. */
  release(request: ReleaseRequest): Promise<Quarantine> {
    return this.#call("POST", "/v1/quarantine/release", quarantineSchema, request);
  }

  checkPolicy(request: PolicyCheckRequest): Promise<PolicyChecked> {
    return this.#call("POST", "/v1/policy/check", policyCheckedSchema, request);
  }

  reloadPolicy(): Promise<PolicyReloaded> {
    return this.#call("POST", "/v1/policy/reload", policyReloadedSchema);
  }

  authorities(): Promise<Authorities> {
    return this.#call("GET", "/v1/authorities", authoritiesSchema);
  }

  prepareAuthority(): Promise<Authorities> {
    return this.#call("POST", "/v1/authorities/prepare", authoritiesSchema);
  }

  activateAuthority(request: ActivateRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/authorities/activate", authoritiesSchema, request);
  }

  taintAuthority(request: TaintRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/authorities/taint", authoritiesSchema, request);
  }

  revokeAuthority(request: RevokeRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/authorities/revoke", authoritiesSchema, request);
  }

  revokeNode(request: RevokeNodeRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/authorities/revoke-node", authoritiesSchema, request);
  }

  grantIssuer(request: GrantRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/issuers/grant", authoritiesSchema, request);
  }

  withdrawIssuer(request: WithdrawRequest): Promise<Authorities> {
    return this.#call("POST", "/v1/issuers/withdraw", authoritiesSchema, request);
  }

  ownBundle(): Promise<OwnBundle> {
    return this.#call("GET", "/v1/federation/bundle", ownBundleSchema);
  }

  /** As {@link ownBundle}, with those of all federated trust domains beside it. */
  bundleMap(): Promise<OwnBundle> {
    return this.#call("GET", "/v1/federation/map", ownBundleSchema);
  }

  federation(): Promise<Federation> {
    return this.#call("GET", "/v1/federation", federationSchema);
  }

  /** Gives the new one alone. */
  federate(request: FederateRequest): Promise<Federation> {
    return this.#call("POST", "/v1/federation/add", federationSchema, request, 3 * this.#timeoutMs);
  }

  refreshFederation(request: FederatedRequest): Promise<Federation> {
    const timeoutMs = 3 * this.#timeoutMs;
    return this.#call("POST", "/v1/federation/refresh", federationSchema, request, timeoutMs);
  }

  /** Gives what is left. */
  unfederate(request: FederatedRequest): Promise<Federation> {
    return this.#call("POST", "/v1/federation/remove", federationSchema, request);
  }

  audit(request: AuditListRequest): Promise<AuditList> {
    return this.#call("POST", "/v1/audit/list", auditListSchema, request);
  }

  verifyAudit(request: AuditVerifyRequest): Promise<AuditVerified> {
    const timeoutMs = 6 * this.#timeoutMs;
    return this.#call("POST", "/v1/audit/verify", auditVerifiedSchema, request, timeoutMs);
  }

  entries(): Promise<Entries> {
    return this.#call("GET", "/v1/entries", entriesSchema);
  }

  /** Gives the new entry alone. */
  createEntry(request: EntryCreateRequest): Promise<Entries> {
    return this.#call("POST", "/v1/entries", entriesSchema, request);
  }

  /** Gives the deleted entry alone. */
  deleteEntry(request: EntryRequest): Promise<Entries> {
    return this.#call("POST", "/v1/entries/delete", entriesSchema, request);
  }

  log(): Promise<LogState> {
    return this.#call("GET", "/v1/log", logSchema);
  }

  setLogLevel(request: LogLevelRequest): Promise<LogState> {
    return this.#call("POST", "/v1/log", logSchema, request);
  }

  config(): Promise<EffectiveConfig> {
    return this.#call("GET", "/v1/config", effectiveConfigSchema);
  }

  doctor(): Promise<Doctor> {
    return this.#call("GET", "/v1/doctor", doctorSchema);
  }

  logs(): Promise<Logs> {
    return this.#call("GET", "/v1/logs", logsSchema);
  }

  metrics(): Promise<Metrics> {
    return this.#call("GET", "/v1/metrics", metricsSchema);
  }

  /** The bytes of an encrypted backup as they come. Iterating throws `control/timeout` or `control/unreachable` when they end early. */
  backup(request: BackupRequest): AsyncGenerator<Uint8Array> {
    return this.#stream("POST", "/v1/backup", request);
  }

  async *#stream(method: "GET" | "POST", path: string, body?: object): AsyncGenerator<Uint8Array> {
    const response = await open(this.#socketPath, method, path, 60 * this.#timeoutMs, body);
    if (response.status >= 400)
      throw daemonError(response.status, parseJson(await textOf(response)));
    yield* response.chunks;
  }

  async #call<Answer>(
    method: "GET" | "POST",
    path: string,
    schema: z.ZodType<Answer>,
    body?: object,
    timeoutMs = this.#timeoutMs,
  ): Promise<Answer> {
    const response = await open(this.#socketPath, method, path, timeoutMs, body);
    const json = parseJson(await textOf(response));
    if (response.status >= 400) throw daemonError(response.status, json);
    const checked = schema.safeParse(json);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    throw badAnswer(`field ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? ""}`);
  }
}

interface RawAnswer {
  readonly status: number;
  /** Throws MeshError when the answer breaks off. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Sends a request; resolves with the head of the answer. */
function open(
  socketPath: string,
  method: string,
  path: string,
  timeoutMs: number,
  body: object | undefined,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const isRaw = body instanceof Uint8Array;
    const payload = isRaw || body === undefined ? body : JSON.stringify(body);
    const type = isRaw ? "application/octet-stream" : "application/json";
    const headers =
      payload === undefined
        ? {}
        : { "content-type": type, "content-length": Buffer.byteLength(payload) };
    const explain = (error: unknown): MeshError =>
      signal.aborted ? timedOut(timeoutMs, error) : unreachable(socketPath, error);
    const call = httpRequest({ socketPath, method, path, headers, signal, agent: false });
    call.on("error", (error) => reject(explain(error)));
    call.on("response", (response) =>
      resolve({ status: response.statusCode ?? 0, chunks: chunksOf(response, explain) }),
    );
    call.end(payload);
  });
}

async function* chunksOf(
  response: AsyncIterable<Uint8Array>,
  explain: (error: unknown) => MeshError,
): AsyncGenerator<Uint8Array> {
  try {
    yield* response;
  } catch (error) {
    throw explain(error);
  }
}

async function textOf(answer: RawAnswer): Promise<string> {
  return (await bytesOf(answer, controlLimits.answerBytesMax)).toString("utf8");
}

/** The whole answer, read no further than the limit. */
async function bytesOf({ chunks }: RawAnswer, bytesMax: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw badAnswer(`it is longer than ${bytesMax} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badAnswer("it is not JSON");
  }
}

function daemonError(status: number, json: unknown): MeshError {
  const checked = errorSchema.safeParse(json);
  if (!checked.success) return badAnswer(`HTTP status ${status} without an error body`);
  const { code, message, details } = checked.data.error;
  return new MeshError(code, message, details);
}

function badAnswer(why: string): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/bad-answer",
    `Cannot read the daemon's answer: ${why}. Check that meshctl and meshd are of the same version.`,
  );
}

function timedOut(timeoutMs: number, cause: unknown): MeshError<ControlErrorCode> {
  return new MeshError(
    "control/timeout",
    `The daemon gave no answer within ${timeoutMs} ms. Look at its log for what keeps it busy.`,
    { timeoutMs },
    { cause },
  );
}

function unreachable(socketPath: string, cause: unknown): MeshError<ControlErrorCode> {
  const reason = systemCode(cause);
  const nextStep =
    reason === "EACCES" || reason === "EPERM"
      ? "Your user may not open the socket: use sudo, or join the socket's group and log in again."
      : "Start meshd, or name its socket with --socket or MESHD_SOCKET.";
  return new MeshError(
    "control/unreachable",
    `Cannot reach the daemon at ${socketPath} (${reason ?? errorMessage(cause)}). ${nextStep}`,
    { socket: socketPath, reason: reason ?? "unknown" },
    { cause },
  );
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
}
