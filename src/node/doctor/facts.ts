// What a doctor looks at, as plain data: gathered by host-facts.ts and by the running daemon, judged by the checks.

import type { Status } from "../../control/index.ts";

/** What any process on the host can see. */
export interface HostFacts {
  readonly config: {
    readonly file: string;
    /** Why the file cannot be used. */
    readonly problem: string | undefined;
    /** Keys whose new value waits for a restart. */
    readonly restartPending: readonly string[];
  };
  readonly state: StateFacts;
  readonly socket: FileFacts | undefined;
  /** Whether the kernel's clock is disciplined; `undefined` when the host does not say. */
  readonly clockSynchronised: boolean | undefined;
}

export interface StateFacts {
  readonly directory: string;
  /** Why it cannot be written: `ENOENT`, `EACCES`, … */
  readonly problem: string | undefined;
  readonly freeBytes: number | undefined;
  /** The directory, the keys' directory, every key and the database, as far as they are there. */
  readonly files: readonly FileFacts[];
}

export interface FileFacts {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
}

/** An address that a daemon would have to bind; `problem` when it cannot. */
export interface BindFacts {
  readonly address: string;
  readonly problem: string | undefined;
}

/** What only the running daemon knows. */
export interface DaemonFacts {
  readonly status: Omit<Status, "schemaVersion">;
  /** Soft limit; `undefined` when the host does not say. */
  readonly openFilesMax: number | undefined;
  readonly connectionsTarget: number;
  readonly metricsWanted: boolean;
  /** IP addresses of this node as its peers see them. */
  readonly observedIps: readonly string[];
}
