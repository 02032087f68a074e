// The codes of the simulator's own errors: wrong use of it, or a limit of it that a run reached.

/** Codes that `src/sim` throws. */
export type SimErrorCode =
  /** The event queue is full: the run generates events faster than it delivers them. */
  | "sim/queue-full"
  /** An event was scheduled before the present. */
  | "sim/past-event"
  /** One virtual instant never ended: nodes answer each other without time passing. */
  | "sim/no-progress"
  | "sim/unknown-node"
  | "sim/unknown-scenario"
  /** A scenario file says what it cannot mean. */
  | "sim/bad-scenario"
  | "sim/bad-option";
