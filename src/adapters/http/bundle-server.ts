// Serves this trust domain's bundle to others: SPIFFE_Federation.md section 5. Anyone may ask; there is nothing else here. The
// certificate is the operator's (https_web), read again when its file changes, or an X.509-SVID (https_spiffe).

import { readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { errorCode, errorMessage, MeshError } from "../../foundation/index.ts";
import type { HttpAnswer, HttpHandler, Logger } from "../../ports/index.ts";
import { listenerOf, type RunningServer, stopServer } from "./running-server.ts";

/** Codes of the endpoint. */
export type BundleServerErrorCode = "federation/bad-certificate" | "federation/cannot-listen";

/** Limits of the endpoint. */
export const bundleServerLimits = {
  connectionsMax: 64,
  headerBytesMax: 8 * 1024,
  requestTimeoutMs: 10_000,
} as const;

/** Mozilla's "intermediate" configuration, as far as it is not TLS 1.3, whose suites are all good. */
const CIPHERS = [
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ...["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

export interface BundleServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  /** The document of now; `undefined` while the node is in no trust domain. */
  readonly bundle: () => string | undefined;
  readonly logger: Logger;
}

/** What the endpoint shows. */
export interface ServerCredentials {
  /** For messages. */
  readonly name: string;
  /** Another text means that there is another one to read. */
  version(): string;
  /** @throws Error when there is none */
  read(): { readonly cert: string | Buffer; readonly key: string | Buffer };
}

/** PEM files, which are read again when they change. */
export function fileCredentials(certificateFile: string, keyFile: string): ServerCredentials {
  return {
    name: `the certificate '${certificateFile}'`,
    version: () =>
      [certificateFile, keyFile]
        .map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
        .join(),
    read: () => ({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) }),
  };
}

export interface BundleServer extends RunningServer {
  /** Takes a changed certificate; a broken one changes nothing. */
  renew(): void;
}

/** @throws MeshError `federation/bad-certificate`, `federation/cannot-listen` */
export async function startBundleServer(options: BundleServerOptions): Promise<BundleServer> {
  const server = makeServer(options);
  server.maxConnections = bundleServerLimits.connectionsMax;
  const { credentials } = options;
  let seen = credentials.version();
  const address = await listen(server, options);
  return {
    address,
    stop: () => stopServer(server),
    renew() {
      try {
        const now = credentials.version();
        if (now === seen) return;
        seen = now;
        server.setSecureContext(credentials.read());
        options.logger.info({}, "bundle endpoint took a new certificate");
      } catch (error) {
        options.logger.warn(
          { code: errorCode(error), error: errorMessage(error) },
          "bundle endpoint keeps its certificate: the new one cannot be used",
        );
      }
    },
  };
}

function makeServer(options: BundleServerOptions): Server {
  const { headerBytesMax: maxHeaderSize, requestTimeoutMs: timeout } = bundleServerLimits;
  const tls = { minVersion: "TLSv1.2", ciphers: CIPHERS, honorCipherOrder: false } as const;
  const bounds = { maxHeaderSize, requestTimeout: timeout, headersTimeout: timeout };
  try {
    const handshakeTimeout = timeout;
    const settings = { ...options.credentials.read(), ...tls, ...bounds, handshakeTimeout };
    return createServer(settings, listenerOf(bundleApp(options.bundle)));
  } catch (cause) {
    throw badCertificate(options, cause);
  }
}

function badCertificate({ credentials }: BundleServerOptions, cause: unknown): MeshError {
  return new MeshError<BundleServerErrorCode>(
    "federation/bad-certificate",
    `Cannot serve the bundle with ${credentials.name}: ${errorMessage(cause)}. Name PEM files that belong together in federation.certificate and federation.key.`,
    {},
    { cause },
  );
}

/** One document under one path. */
export function bundleApp(bundle: () => string | undefined): HttpHandler {
  const text = (body: string, status: HttpAnswer["status"], headers = {}): HttpAnswer => ({
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
    body,
  });
  // eslint-disable-next-line @typescript-eslint/require-await -- a handler is asynchronous
  return async ({ method, path }) => {
    if (method !== "GET" && method !== "HEAD")
      return text("only GET and HEAD are served here\n", 405, { allow: "GET, HEAD" });
    if (path !== "/") return text("not found: the bundle is at /\n", 404);
    const document = bundle();
    if (document === undefined) return text("in no trust domain yet\n", 503);
    return text(document, 200, { "content-type": "application/json", "cache-control": "no-store" });
  };
}

function listen(server: Server, { host, port }: BundleServerOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new MeshError<BundleServerErrorCode>(
          "federation/cannot-listen",
          `Cannot serve the bundle on ${host}:${port}: ${errorMessage(cause)}. Set federation.listen to a free port of this host.`,
          { host, port },
          { cause },
        ),
      ),
    );
    server.listen({ host, port }, () => {
      const bound = server.address();
      const real = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve(`${host.includes(":") ? `[${host}]` : host}:${real}`);
    });
  });
}
