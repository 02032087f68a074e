// Fetches the bundle of another trust domain: SPIFFE_Federation.md section 5.2. By the profile https_web the endpoint proves its host
// name to the certificate authorities that this host trusts; by https_spiffe it shows the X.509-SVID of a SPIFFE id that the operator
// named, verified by a bundle. Bounded in size, time and redirects.

import { readFileSync } from "node:fs";
import { request, type RequestOptions } from "node:https";
import { errorMessage, MeshError } from "../../foundation/index.ts";
import { formatSpiffeId, parseSpiffeId, readCertificateProfile } from "../../identity/index.ts";

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
  /** The profile https_spiffe. @default https_web */
  readonly spiffe?: SpiffeEndpoint | undefined;
}

/** Who the endpoint has to be, and the roots of its trust domain, DER. */
export interface SpiffeEndpoint {
  readonly spiffeId: string;
  readonly roots: readonly Uint8Array[];
}

/**
 * The document as it was sent. Redirects are followed to https addresses alone, and forgotten.
 * @throws MeshError {@link BundleFetchErrorCode}
 */
export async function fetchBundle({ url, caFile, spiffe }: BundleFetch): Promise<string> {
  const signal = AbortSignal.timeout(bundleFetchLimits.timeoutMs);
  let at = endpointUrl(url);
  try {
    const tls = spiffe === undefined ? webTls(caFile) : spiffeTls(spiffe);
    for (let hops = 0; hops <= bundleFetchLimits.redirectsMax; hops++) {
      const answer = await get(at, tls, signal);
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

type Tls = Pick<RequestOptions, "ca" | "checkServerIdentity" | "minVersion">;

function webTls(caFile: string | undefined): Tls {
  return { minVersion: "TLSv1.2", ...(caFile !== undefined && { ca: readFileSync(caFile) }) };
}

/** OpenSSL verifies the chain to the roots alone, we the SVID; the host's name says nothing. Redirects are held to the same. */
function spiffeTls({ spiffeId, roots }: SpiffeEndpoint): Tls {
  if (roots.length === 0) throw new Error("no root of the endpoint's trust domain is known");
  return {
    minVersion: "TLSv1.2",
    ca: roots.map(pemOf),
    checkServerIdentity(_host, { raw }) {
      const found = svidIdOf(new Uint8Array(raw));
      if (found === spiffeId) return undefined;
      return new Error(`its certificate is ${found ?? "no X.509-SVID"}, and not ${spiffeId}`);
    },
  };
}

/** The one id of a certificate that is an X.509-SVID and no authority. */
function svidIdOf(der: Uint8Array): string | undefined {
  const profile = readCertificateProfile(der);
  const [uri, ...more] = profile?.uris ?? [];
  const id = uri === undefined || more.length > 0 ? undefined : parseSpiffeId(uri);
  const isLeaf =
    profile?.isCa === false &&
    profile.keyUsage?.digitalSignature === true &&
    !profile.keyUsage.keyCertSign &&
    !profile.keyUsage.cRLSign;
  return isLeaf && id?.ok === true && id.value.segments.length > 0
    ? formatSpiffeId(id.value)
    : undefined;
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function get(url: URL, tls: Tls, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { accept: "application/json" };
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
