// Fetches the bundle of another trust domain by the profile https_web of SPIFFE_Federation.md section 5.2.1: the endpoint
// proves its host name to the certificate authorities that this host trusts. Bounded in size, time and redirects.

import { readFileSync } from "node:fs";
import { request } from "node:https";
import { errorMessage, MeshError } from "../../foundation/index.ts";

/** Codes of fetching a bundle. */
export type BundleFetchErrorCode =
  /** The address is no https URL, or has user, password or fragment. */
  | "federation/bad-endpoint"
  /** No connection, no trusted certificate, no answer in time, or not the answer 200. */
  | "federation/unreachable"
  /** The answer is too long or no text. */
  | "federation/bad-bundle";

/** Limits of a fetch. */
export const bundleFetchLimits = {
  urlCharsMax: 2_048,
  bytesMax: 256 * 1024,
  timeoutMs: 10_000,
  redirectsMax: 3,
} as const;

/** The URL of an endpoint. @throws MeshError `federation/bad-endpoint` */
export function endpointUrl(text: string): URL {
  const url = text.length <= bundleFetchLimits.urlCharsMax ? URL.parse(text) : null;
  if (url?.protocol === "https:" && url.username === "" && url.password === "" && url.hash === "")
    return url;
  throw new MeshError<BundleFetchErrorCode>(
    "federation/bad-endpoint",
    "Cannot use the address of the bundle endpoint: it must be https://host[:port]/path without user, password and fragment. Ask the other trust domain's operator for it.",
  );
}

export interface BundleFetch {
  readonly url: string;
  /** PEM file of certificate authorities that are trusted for this endpoint instead of the host's. */
  readonly caFile?: string | undefined;
}

/**
 * The document as it was sent. Redirects are followed to https addresses alone, and forgotten.
 * @throws MeshError {@link BundleFetchErrorCode}
 */
export async function fetchBundle({ url, caFile }: BundleFetch): Promise<string> {
  const signal = AbortSignal.timeout(bundleFetchLimits.timeoutMs);
  let at = endpointUrl(url);
  try {
    const ca = caFile === undefined ? undefined : readFileSync(caFile);
    for (let hops = 0; hops <= bundleFetchLimits.redirectsMax; hops++) {
      const answer = await get(at, ca, signal);
      if ("text" in answer) return answer.text;
      at = endpointUrl(new URL(answer.location, at).href);
    }
    throw new Error("it redirects too often");
  } catch (cause) {
    if (cause instanceof MeshError) throw cause;
    throw new MeshError<BundleFetchErrorCode>(
      "federation/unreachable",
      `Cannot fetch the bundle from ${at.origin}: ${errorMessage(cause)}. Check the address, its certificate and the way there; it is tried again.`,
      { origin: at.origin },
      { cause },
    );
  }
}

type Answer = { readonly text: string } | { readonly location: string };

function get(url: URL, ca: Buffer | undefined, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/json" };
    const tls = { minVersion: "TLSv1.2" as const, ...(ca === undefined ? {} : { ca }) };
    const call = request(
      url,
      { method: "GET", headers, signal, agent: false, ...tls },
      (response) => {
        const { statusCode = 0, headers: got } = response;
        if ([301, 302, 303, 307, 308].includes(statusCode) && got.location !== undefined) {
          response.destroy();
          resolve({ location: got.location });
          return;
        }
        if (statusCode !== 200) {
          response.destroy();
          reject(new Error(`it answers ${statusCode}`));
          return;
        }
        bounded(response).then((text) => resolve({ text }), reject);
      },
    );
    call.on("error", reject);
    call.end();
  });
}

async function bounded(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bundleFetchLimits.bytesMax) throw badBundle("it is too long");
    parts.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    throw badBundle("it is no UTF-8 text");
  }
}

function badBundle(why: string): MeshError<BundleFetchErrorCode> {
  return new MeshError(
    "federation/bad-bundle",
    `Cannot use what the bundle endpoint sent: ${why}. Ask the other trust domain's operator; the bundle that is known stays.`,
  );
}
