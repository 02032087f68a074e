// /metrics for Prometheus, /live and /ready for orchestrators, over plain HTTP on a chosen address.
// Nothing here changes anything: GET and HEAD only, small requests, few connections, and scrapes
// that come at once share one rendering.

import { createServer, type Server } from "node:http";
import { MeshError } from "../../foundation/index.ts";
import type { HttpAnswer, HttpHandler } from "../../ports/index.ts";
import { listenerOf, type RunningServer, stopServer } from "./running-server.ts";

/** Codes of the metrics server. */
export type TelemetryErrorCode = "telemetry/port-taken" | "telemetry/cannot-listen";

/** Limits of the metrics server. */
export const metricsServerLimits = {
  connectionsMax: 32,
  headerBytesMax: 8 * 1024,
  requestTimeoutMs: 5_000,
} as const;

/** What a probe answers. */
export interface Readiness {
  readonly ready: boolean;
  /** Health codes that stand in the way; empty when ready. */
  readonly reasons: readonly string[];
}

/** Where to listen and what to tell. */
export interface MetricsServerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Whether the process does its work at all; `false` asks to be restarted. */
  readonly live: () => boolean;
  /** Whether the node is enrolled and takes part in the mesh. */
  readonly ready: () => Readiness;
}

/**
 * Listens; `address` of the result has the real port.
 * @throws MeshError `telemetry/port-taken`, `telemetry/cannot-listen`
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<RunningServer> {
  const server = createServer(
    {
      maxHeaderSize: metricsServerLimits.headerBytesMax,
      requestTimeout: metricsServerLimits.requestTimeoutMs,
      headersTimeout: metricsServerLimits.requestTimeoutMs,
    },
    listenerOf(metricsApp(options)),
  );
  server.maxConnections = metricsServerLimits.connectionsMax;
  const port = await listen(server, options);
  return { address: hostPort(options.host, port), stop: () => stopServer(server) };
}

/** The three routes. */
export function metricsApp({ metrics, live, ready }: MetricsServerOptions): HttpHandler {
  let rendering: Promise<string> | undefined;
  const render = (): Promise<string> => {
    rendering ??= metrics.text().finally(() => {
      rendering = undefined;
    });
    return rendering;
  };
  const page = async (path: string): Promise<HttpAnswer> => {
    if (path === "/metrics") return text(await render(), 200, metrics.contentType);
    if (path === "/live") return live() ? text("live\n") : text("not live\n", 503);
    if (path !== "/ready") return text("not found: try /metrics, /live or /ready\n", 404);
    const readiness = ready();
    return readiness.ready
      ? text("ready\n")
      : text(`not ready: ${readiness.reasons.join(", ")}\n`, 503);
  };
  return async ({ method, path }) => {
    if (method !== "GET" && method !== "HEAD") {
      const refusal = text("only GET and HEAD are served here\n", 405);
      return { ...refusal, headers: { ...refusal.headers, allow: "GET, HEAD" } };
    }
    try {
      return await page(path);
    } catch {
      return text("the metrics could not be rendered\n", 500);
    }
  };
}

function text(body: string, status = 200, contentType = "text/plain; charset=utf-8"): HttpAnswer {
  return { status, headers: { "content-type": contentType }, body };
}

function listen(server: Server, { host, port }: MetricsServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code ?? "unknown";
      reject(
        new MeshError<TelemetryErrorCode>(
          code === "EADDRINUSE" ? "telemetry/port-taken" : "telemetry/cannot-listen",
          code === "EADDRINUSE"
            ? `Cannot serve metrics on ${hostPort(host, port)}: the port is taken. Free it, or set telemetry.metrics.listen to another port or to off.`
            : `Cannot serve metrics on ${hostPort(host, port)} (${code}). Set telemetry.metrics.listen to an address of this host and a port above 1023.`,
          { host, port, reason: code },
          { cause: error },
        ),
      );
    });
    server.listen({ host, port }, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
