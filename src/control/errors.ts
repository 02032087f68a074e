// The one table from error codes to HTTP statuses (control API) and exit statuses (meshctl).

/** Codes of this room; `node/` throws the middle ones through {@link NodeControl}. */
export type ControlErrorCode =
  | "control/unreachable"
  | "control/timeout"
  | "control/bad-answer"
  | "control/bad-request"
  | "control/too-large"
  | "control/not-found"
  | "control/not-enrolled"
  | "control/already-enrolled"
  | "control/not-issuer"
  | "control/task-running"
  | "control/no-task"
  | "control/no-round"
  | "control/unknown-incident"
  | "control/unknown-participant"
  | "control/unknown-peer"
  | "control/ambiguous-peer"
  | "control/disabled"
  | "control/denied"
  | "control/busy"
  | "control/socket-in-use"
  | "control/bad-socket-path";

/** Exit statuses of meshctl. */
export const exitStatus = {
  ok: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  degraded: 4,
} as const;

export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** What an error code means outside of the process. */
export interface ErrorStatus {
  readonly http: 400 | 403 | 404 | 409 | 413 | 422 | 500 | 502 | 503 | 504;
  readonly exit: ExitStatus;
}

const { failure, usage, unreachable } = exitStatus;

/** An exact code, or a prefix that ends with "/"; the longest match decides. */
const statusOf: Readonly<Record<string, ErrorStatus>> = {
  "control/unreachable": { http: 503, exit: unreachable },
  "control/timeout": { http: 504, exit: unreachable },
  "control/bad-answer": { http: 502, exit: failure },
  "control/bad-request": { http: 400, exit: usage },
  "control/too-large": { http: 413, exit: usage },
  "control/not-found": { http: 404, exit: failure },
  "control/unknown-participant": { http: 422, exit: usage },
  "control/no-task": { http: 404, exit: failure },
  "control/no-round": { http: 404, exit: failure },
  "control/unknown-incident": { http: 404, exit: failure },
  "control/unknown-peer": { http: 404, exit: failure },
  "control/ambiguous-peer": { http: 422, exit: usage },
  "control/disabled": { http: 403, exit: failure },
  "control/denied": { http: 403, exit: failure },
  "control/busy": { http: 503, exit: failure },
  "control/": { http: 409, exit: failure },
  "lookup/malformed": { http: 400, exit: usage },
  "lookup/not-found": { http: 404, exit: failure },
  "lookup/": { http: 409, exit: failure },
  "config/": { http: 422, exit: failure },
  "identity/entry-invalid": { http: 422, exit: usage },
  "identity/entry-unknown": { http: 404, exit: failure },
  "identity/entry-exists": { http: 409, exit: failure },
  "identity/authority-unknown": { http: 404, exit: failure },
  "identity/authority-prepared": { http: 409, exit: failure },
  "identity/authority-not-prepared": { http: 409, exit: failure },
  "identity/authority-not-spread": { http: 409, exit: failure },
  "identity/authority-active": { http: 409, exit: failure },
  "identity/authority-in-use": { http: 409, exit: failure },
  "identity/authorities-full": { http: 409, exit: failure },
  "identity/issuers-full": { http: 409, exit: failure },
  "identity/entries-full": { http: 409, exit: failure },
  "identity/": { http: 403, exit: failure },
  "handshake/": { http: 502, exit: failure },
  "mesh/": { http: 409, exit: failure },
  "learning/no-order": { http: 409, exit: failure },
  "learning/lease-lost": { http: 409, exit: failure },
  "learning/bad-task": { http: 422, exit: usage },
  "learning/": { http: 422, exit: failure },
  "network/": { http: 502, exit: failure },
  "tunnel/": { http: 409, exit: failure },
  "workload/": { http: 409, exit: failure },
  "state/": { http: 503, exit: failure },
  "federation/bad-endpoint": { http: 422, exit: usage },
  "federation/bad-trust-domain": { http: 422, exit: usage },
  "federation/unknown": { http: 404, exit: failure },
  "federation/": { http: 502, exit: failure },
  "audit/unreadable": { http: 404, exit: failure },
  "audit/head-forged": { http: 422, exit: usage },
  "audit/": { http: 503, exit: failure },
  "backup/": { http: 422, exit: failure },
};

/** What anything else is: our own fault. */
const unexpected: ErrorStatus = { http: 500, exit: failure };

/** The HTTP status and the exit status of an error code. */
export function statusOfError(code: string): ErrorStatus {
  const prefix = code.slice(0, code.indexOf("/") + 1);
  const exact = Object.hasOwn(statusOf, code) ? statusOf[code] : undefined;
  return exact ?? (Object.hasOwn(statusOf, prefix) ? statusOf[prefix] : undefined) ?? unexpected;
}
