// The control API over HTTP: a request finds its route (routes.ts), its right is checked, the answer becomes JSON. It knows no
// socket; an adapter serves it. Every answer, errors included, carries `schemaVersion`.

import { errorCode, errorMessage, isMeshError, MeshError } from "../foundation/index.ts";
import { type HttpAnswer, type HttpHandler, noTracer, type Tracer } from "../ports/index.ts";
import { CONTROL_SCHEMA_VERSION, type ErrorAnswer } from "./contract.ts";
import { type ControlErrorCode, statusOfError } from "./errors.ts";
import type { NodeControl } from "./node-control.ts";
import { OPENAPI_ROUTE, openApi } from "./openapi.ts";
import { type ControlRight, routes } from "./routes.ts";

/** Told of an error that is no MeshError, or an internal one, so that it reaches the log. */
export type UnexpectedErrorListener = (error: unknown) => void;

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
  return async ({ method, path, body, traceparent, gone }) => {
    try {
      const name = `${method === "HEAD" ? "GET" : method} ${path}`;
      const route = routes.get(name);
      if (route === undefined && name !== OPENAPI_ROUTE) {
        throw new MeshError<ControlErrorCode>(
          "control/not-found",
          `Cannot ${method} ${path.slice(0, 200)}: no such route.`,
        );
      }
      const right = route?.right ?? "control.read";
      if (!permits(right)) {
        throw new MeshError<ControlErrorCode>(
          "control/denied",
          `The policy does not give 'local', the callers of this socket, the right ${right}. See meshctl policy check local ${right}.`,
        );
      }
      if (route === undefined) return answer(200, openApi());
      const parent = traceparent === undefined ? ("root" as const) : { traceparent };
      const good = await tracer.span(name, { kind: "server", parent }, () =>
        route.call(node, body, gone),
      );
      if (Symbol.asyncIterator in good) return byteAnswer(good);
      return answer(200, { schemaVersion: CONTROL_SCHEMA_VERSION, ...good });
    } catch (error) {
      const { http } = statusOfError(errorCode(error));
      if (http === 500) onUnexpectedError?.(error);
      return answer(http, errorAnswer(error));
    }
  };
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
