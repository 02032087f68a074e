// Invariants: they stay on in production.

import { MeshError } from "./errors.ts";

/**
 * Asserts an invariant of our own code (never a property of input).
 * @throws MeshError `internal/invariant`
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new MeshError(
      "internal/invariant",
      `Invariant broken: ${message}. Please report it with the log.`,
    );
  }
}

/** Marks a branch that types rule out. */
export function unreachable(value: never): never {
  throw new MeshError(
    "internal/invariant",
    `Invariant broken: unexpected ${String(value)}. Please report it.`,
  );
}
