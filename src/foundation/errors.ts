// The one error type of the project and the value form of an expected refusal.
// A code is `room/reason`; it is also the log field, the metric label and the API error.

/** What an error carries beyond its message: plain data, no secrets. */
export type ErrorDetails = Readonly<
  Record<string, string | number | boolean | null | readonly string[]>
>;

/**
 * An error with a stable code.
 *
 * `message` says what could not be done, with the value, and ends with the operator's next step.
 * Unless a doc comment says otherwise, the object that threw is unchanged and may be used again.
 */
export class MeshError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails;

  constructor(
    code: Code,
    message: string,
    details: ErrorDetails = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "MeshError";
    this.code = code;
    this.details = details;
  }
}

/** Narrows an unknown thrown value to a {@link MeshError}, optionally with one code. */
export function isMeshError(error: unknown, code?: string): error is MeshError {
  return error instanceof MeshError && (code === undefined || error.code === code);
}

/** The code of any thrown value; `fallback` for what is not a {@link MeshError}. */
export function errorCode(error: unknown, fallback = "internal/unexpected"): string {
  return isMeshError(error) ? error.code : fallback;
}

/** The message of any thrown value, for a log line or a terminal. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An expected refusal as a value: used on the packet path, where a refusal is no exception. */
export interface Refusal<Code extends string> {
  readonly ok: false;
  readonly code: Code;
  /** For local logs only: never sent to the peer that caused it. */
  readonly detail?: string;
}

/** A value, or an expected refusal with its code. */
export type Result<Value, Code extends string> =
  | { readonly ok: true; readonly value: Value }
  | Refusal<Code>;

/** Wraps a value as a success. */
export function ok<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

/** Makes a refusal. */
export function refuse<Code extends string>(code: Code, detail?: string): Refusal<Code> {
  return detail === undefined ? { ok: false, code } : { ok: false, code, detail };
}
