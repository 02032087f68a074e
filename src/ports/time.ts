// Time comes in through this port. Monotonic and wall time never share a type.

declare const mono: unique symbol;
declare const wall: unique symbol;

/** Milliseconds of a clock that never steps; its zero means nothing. For intervals and deadlines. */
export type MonoMs = number & { readonly [mono]: true };

/** Milliseconds since 1970-01-01 UTC; may step. For what outlives a process: certificates, logs. */
export type WallMs = number & { readonly [wall]: true };

/** Both clocks, read at one moment. State machines get this with every event. */
export interface Now {
  readonly monoMs: MonoMs;
  readonly wallMs: WallMs;
}

/** Reads the clocks. */
export interface Clock {
  now(): Now;
}
