// Where a Workload API is: SPIFFE_Workload_Endpoint.md section 4. A Unix socket, or an address of this host by number.

import { isIP } from "node:net";

/** What `net.connect` takes. */
export type WorkloadEndpoint =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** The variable that a client falls back to. */
export const ENDPOINT_VARIABLE = "SPIFFE_ENDPOINT_SOCKET";

/** `unix:///path` without an authority, or `tcp://address:port` without a path; undefined for anything else. */
export function parseEndpoint(text: string): WorkloadEndpoint | undefined {
  if (text.length > 2048 || /[?#\s\0]/.test(text)) return undefined;
  const path = /^unix:(?:\/\/)?(\/[^/].*)$/.exec(text)?.[1];
  if (path !== undefined) return { path };
  const [, bracketed, plain, digits] =
    /^tcp:\/\/(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? "";
  const port = Number(digits);
  const isAddress = bracketed === undefined ? isIP(host) === 4 : isIP(host) === 6;
  return isAddress && port > 0 && port <= 65_535 ? { host, port } : undefined;
}
