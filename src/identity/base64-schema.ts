// Byte strings in messages that are JSON: base64 in its one form, bounded before it is decoded.

import * as z from "zod";
import { fromBase64 } from "./base64.ts";

/** Base64 of 1 to `bytesMax` bytes, as bytes. */
export const base64Bytes = (bytesMax: number) =>
  z.string().transform((text, context) => {
    const read = fromBase64(text, bytesMax);
    if (read !== undefined && read.length > 0) return read;
    context.addIssue({ code: "custom", message: "no base64" });
    return z.NEVER;
  });
