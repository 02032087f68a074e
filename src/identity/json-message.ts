// The messages that nodes and issuers exchange as JSON texts in UTF-8: byte strings are base64, what is longer than agreed is not parsed.

import type * as z from "zod";
import { ok, refuse, type Result, utf8Bytes, utf8Text } from "../foundation/index.ts";
import { toBase64 } from "./base64.ts";

/** The bytes of a message; byte strings become base64. */
export function encodeJsonMessage(message: object): Uint8Array {
  return utf8Bytes(
    JSON.stringify(message, (_key, value: unknown) =>
      value instanceof Uint8Array ? toBase64(value) : value,
    ),
  );
}

/** Reads a message as its schema says; the code when it is none. */
export function parseJsonMessage<T, Code extends string>(
  schema: z.ZodType<T>,
  message: Uint8Array,
  bytesMax: number,
  code: Code,
): Result<T, Code> {
  const parsed = schema.safeParse(parseJson(message, bytesMax));
  return parsed.success ? ok(parsed.data) : refuse(code);
}

function parseJson(message: Uint8Array, bytesMax: number): unknown {
  if (message.length > bytesMax) return undefined;
  try {
    return JSON.parse(utf8Text(message));
  } catch {
    return undefined; // no UTF-8 or no JSON; undefined matches no schema
  }
}
