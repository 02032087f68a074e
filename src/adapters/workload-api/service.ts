// The methods of SpiffeWorkloadAPI, and reflection beside it. Each call begins with the security header (SPIFFE_Workload_Endpoint.md section 4.2), then asks who
// calls, then what that process may have. A stream asks both again before every message: what was once given is not given for ever.

import type { IncomingHttpHeaders } from "node:http2";
import { equalBytes, type Result } from "../../foundation/index.ts";
import type { Logger, Meter } from "../../ports/index.ts";
import type { Caller, CallerCode } from "./caller.ts";
import { type GrpcCall, GrpcError, type GrpcMethod, onlyRequest } from "./grpc.ts";
import {
  jwtBundlesResponse,
  jwtSvidResponse,
  readJwtSvidRequest,
  readValidateRequest,
  validateResponse,
  x509BundlesResponse,
  x509SvidResponse,
} from "./messages.ts";
import { ATTESTATIONS } from "./metrics.ts";
import type { ProcessReader } from "./process-facts.ts";
import { reflect, REFLECTION_PATHS } from "./reflection.ts";
import type { WorkloadCode, WorkloadSource, WorkloadView } from "./source.ts";

const SERVICE = "/SpiffeWorkloadAPI/";

export interface ServiceDeps {
  readonly source: WorkloadSource;
  readonly reader: ProcessReader;
  readonly meter: Meter;
  readonly logger: Pick<Logger, "warn">;
}

type Selectors = ReadonlySet<string>;
type Call = GrpcCall & { readonly request: Uint8Array };

export class WorkloadService {
  readonly #deps: ServiceDeps;

  constructor(deps: ServiceDeps) {
    this.#deps = deps;
  }

  /** The method that a request asks for. @throws GrpcError */
  methodOf(headers: IncomingHttpHeaders, caller: Result<Caller, CallerCode>): GrpcMethod {
    const path = headers[":path"] ?? "";
    const name = path.startsWith(SERVICE) ? path.slice(SERVICE.length) : "";
    const method = Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
    const isReflection = REFLECTION_PATHS.has(path);
    if (method === undefined && !isReflection)
      throw new GrpcError("unimplemented", "this server has no such method");
    if (headers["workload.spiffe.io"] !== "true") {
      throw new GrpcError(
        "invalidArgument",
        "the metadata workload.spiffe.io: true is missing: no Workload API client sent this",
      );
    }
    if (method === undefined) return reflect;
    return async (call) =>
      method({ ...call, request: await onlyRequest(call) }, () => this.#identify(caller));
  }

  readonly #methods: Readonly<
    Record<string, (call: Call, identify: () => Promise<Selectors>) => Promise<void>>
  > = {
    FetchX509SVID: (call, identify) => this.#stream(call, identify, x509SvidResponse, hasSvids),
    FetchX509Bundles: (call, identify) => this.#stream(call, identify, x509BundlesResponse),
    FetchJWTBundles: (call, identify) => this.#stream(call, identify, jwtBundlesResponse),
    FetchJWTSVID: async (call, identify) => {
      const selectors = await identify();
      const request = readJwtSvidRequest(call.request);
      if (request === undefined || request.audience.length === 0)
        throw new GrpcError("invalidArgument", "an audience is needed, of 1 to 1024 characters");
      const svids = granted(await this.#deps.source.jwt(selectors, request));
      await call.send(jwtSvidResponse(svids));
    },
    ValidateJWTSVID: async (call, identify) => {
      const selectors = await identify();
      const request = readValidateRequest(call.request);
      if (request === undefined || request.audience === "" || request.token === "")
        throw new GrpcError("invalidArgument", "an audience and a token are needed");
      const { spiffeId, claims } = granted(this.#deps.source.validateJwt(selectors, request));
      await call.send(validateResponse(spiffeId, claims));
    },
  };

  /** Sends what the caller has, at once and whenever it has changed; a slow reader gets the latest alone. */
  async #stream(
    call: GrpcCall,
    identify: () => Promise<Selectors>,
    encode: (view: WorkloadView) => Uint8Array,
    isReady: (view: WorkloadView) => boolean = () => true,
  ): Promise<void> {
    const { source } = this.#deps;
    const { gone } = call;
    let wake: () => void = () => undefined;
    let isChanged = true;
    const notice = (): void => {
      isChanged = true;
      wake();
    };
    const forget = source.onChange(notice);
    gone.addEventListener("abort", notice, { once: true });
    let last: Uint8Array | undefined;
    try {
      for (;;) {
        if (!isChanged) await new Promise<void>((resolve) => (wake = resolve));
        if (gone.aborted) return;
        isChanged = false;
        const view = granted(source.view(await identify()));
        if (!isReady(view)) throw notReady();
        const message = encode(view);
        if (last !== undefined && equalBytes(last, message)) continue;
        last = message;
        await call.send(message);
      }
    } finally {
      forget();
      gone.removeEventListener("abort", notice);
    }
  }

  async #identify(caller: Result<Caller, CallerCode>): Promise<Selectors> {
    const { source, reader, meter, logger } = this.#deps;
    const selectors = caller.ok ? await caller.value.selectors(reader, source.wantsDigest) : caller;
    meter.count(ATTESTATIONS, { result: selectors.ok ? "ok" : selectors.code });
    if (selectors.ok) return selectors.value;
    const credentials = caller.ok ? caller.value.credentials : {};
    logger.warn({ code: selectors.code, ...credentials }, "workload not identified");
    throw new GrpcError(
      "permissionDenied",
      `this process could not be identified: ${selectors.code}`,
    );
  }
}

function hasSvids({ svids }: WorkloadView): boolean {
  return svids.length > 0;
}

/** What was granted. @throws GrpcError */
function granted<T>(result: Result<T, WorkloadCode>): T {
  if (result.ok) return result.value;
  switch (result.code) {
    case "workload/no-identity":
      throw new GrpcError("permissionDenied", "no registration entry describes this process");
    case "workload/not-ready":
      throw notReady();
    case "workload/jwt-invalid":
      throw new GrpcError(
        "invalidArgument",
        `the token is not valid: ${result.detail ?? "refused"}`,
      );
  }
}

function notReady(): GrpcError {
  return new GrpcError("unavailable", "the identities are not here yet; try again");
}
