// Serves the Workload API on a Unix socket that every user may open: whoever connects is judged, not the socket's mode. The caller is
// asked of the kernel for each connection as it is accepted. Loaded when it is configured: node:http2 costs memory.

import { createServer, type Socket } from "node:net";
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { errorCode, errorMessage } from "../../foundation/index.ts";
import type { Logger, Meter } from "../../ports/index.ts";
import { listenOnSocket } from "../http/unix-socket.ts";
import type { RunningServer } from "../http/running-server.ts";
import { Caller } from "./caller.ts";
import { serveCall } from "./grpc.ts";
import { CALLS, CONNECTIONS_REFUSED, METHODS, STREAMS } from "./metrics.ts";
import { openPeerCredentials } from "./peer-credentials.ts";
import { ProcessReader } from "./process-facts.ts";
import { WorkloadService } from "./service.ts";
import type { WorkloadSource } from "./source.ts";

/** Limits of the socket. */
export const workloadApiLimits = {
  connectionsMax: 1024,
  /** One user cannot keep all others out. */
  connectionsPerUserMax: 256,
  streamsPerConnectionMax: 128,
} as const;

export interface WorkloadApiDeps {
  readonly source: WorkloadSource;
  readonly meter: Meter;
  readonly logger: Logger;
}

/**
 * Listens; missing parent directories are made, for all to enter as far as the umask lets them.
 * @throws MeshError `control/socket-in-use`, `control/bad-socket-path`, `workload/no-peer-credentials`
 */
export async function startWorkloadApi(
  deps: WorkloadApiDeps,
  socketPath: string,
): Promise<RunningServer> {
  const credentialsOf = openPeerCredentials();
  const service = new WorkloadService({ ...deps, reader: new ProcessReader() });
  const sessions = new Set<ServerHttp2Session>();
  const perUser = new Map<number, number>();

  const accept = (socket: Socket): void => {
    const credentials = credentialsOf(socket);
    const user = credentials?.uid ?? -1;
    const ofUser = perUser.get(user) ?? 0;
    if (ofUser >= workloadApiLimits.connectionsPerUserMax) {
      deps.meter.count(CONNECTIONS_REFUSED);
      socket.destroy();
      return;
    }
    perUser.set(user, ofUser + 1);
    const caller = Caller.pin(credentials);
    const session = performServerHandshake(socket, {
      maxSessionMemory: 4,
      settings: { maxConcurrentStreams: workloadApiLimits.streamsPerConnectionMax },
    });
    sessions.add(session);
    session.on("error", () => session.destroy()); // no HTTP/2, or broken: "close" follows
    session.on("close", () => {
      sessions.delete(session);
      const left = (perUser.get(user) ?? 1) - 1;
      if (left > 0) perUser.set(user, left);
      else perUser.delete(user);
      socket.destroy();
    });
    session.on("stream", (stream, headers) => void serve(stream, headers, caller));
  };

  let underWay = 0;
  const serve = async (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    caller: ReturnType<typeof Caller.pin>,
  ): Promise<void> => {
    deps.meter.set(STREAMS, ++underWay);
    stream.on("unexpected", (error: unknown) =>
      deps.logger.error(
        { code: errorCode(error), error: errorMessage(error) },
        "workload call failed",
      ),
    );
    const status = await serveCall(stream, headers, (head) => service.methodOf(head, caller));
    deps.meter.set(STREAMS, --underWay);
    deps.meter.count(CALLS, { method: methodLabel(headers[":path"]), status });
  };

  const server = createServer(accept);
  server.maxConnections = workloadApiLimits.connectionsMax;
  server.on("drop", () => deps.meter.count(CONNECTIONS_REFUSED));
  await listenOnSocket(server, {
    path: socketPath,
    setting: "workload_api.socket",
    mode: 0o666,
    directoryMode: 0o755,
  });
  return {
    address: socketPath,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

function methodLabel(path = ""): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return METHODS.find((method) => method === name) ?? "other";
}
