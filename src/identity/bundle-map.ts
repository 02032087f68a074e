// SPIFFE's bundle map: the bundles of several trust domains in one JSON document, each kept apart under the name of its own
// (SPIFFE_Trust_Domain_and_Bundle.md section 5). Written for programs that read a file of it; read where an operator gives one.

import { ok, type Refusal, refuse, type Result } from "../foundation/index.ts";
import { isTrustDomain } from "./spiffe-id.ts";
import { BUNDLE_JSON_CHARS_MAX } from "./trust-bundle.ts";

/** Most trust domains in a map: our own beside all that can be federated with. */
export const BUNDLE_MAP_DOMAINS_MAX = 65;
const BUNDLE_MAP_CHARS_MAX = BUNDLE_MAP_DOMAINS_MAX * BUNDLE_JSON_CHARS_MAX;

/** A hint says how often an endpoint should be asked; whoever has a map asks none. */
const HINT = "spiffe_refresh_hint";

/**
 * The document of a map.
 * @param bundles by trust domain, each a bundle's JSON document
 */
export function bundleMapToJson(bundles: ReadonlyMap<string, string>): string {
  const domains = [...bundles].map(([name, text]) => [name, withoutHint(parseJson(text))] as const);
  return JSON.stringify({ trust_domains: Object.fromEntries(domains) });
}

/**
 * Reads a map: bundles' JSON documents by trust domain, without their refresh hints; each is still to be read by its own
 * rules. A name that stands there twice, anywhere in it, refuses the whole. Code: `identity/bundle-malformed`.
 */
export function parseBundleMap(
  text: string,
): Result<ReadonlyMap<string, string>, "identity/bundle-malformed"> {
  if (text.length > BUNDLE_MAP_CHARS_MAX) return malformed("too long");
  const domains = memberOf(parseJson(text), "trust_domains");
  if (!isObject(domains)) return malformed("no trust_domains");
  if (hasTwins(text)) return malformed("a name stands there twice");
  const entries = Object.entries(domains);
  if (entries.length > BUNDLE_MAP_DOMAINS_MAX) return malformed("too many trust domains");
  if (!entries.every(([name, bundle]) => isTrustDomain(name) && isObject(bundle)))
    return malformed("a member of trust_domains is no bundle of a trust domain");
  return ok(new Map(entries.map(([name, one]) => [name, JSON.stringify(withoutHint(one))])));
}

/** Whether a document is a map, and not the bundle of one trust domain. */
export function isBundleMap(text: string): boolean {
  const isLong = text.length > BUNDLE_MAP_CHARS_MAX;
  return !isLong && memberOf(parseJson(text), "trust_domains") !== undefined;
}

/** Whether an object of a JSON text that is known to be one has two members of one name: JSON.parse keeps the last one and is silent. */
function hasTwins(json: string): boolean {
  const open: Set<string>[] = [];
  for (const [token, name] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    if (name === undefined) continue;
    const names = open.at(-1);
    const plain = String(JSON.parse(name)); // escapes are other spellings of the same name
    if (names?.has(plain) === true) return true;
    names?.add(plain);
  }
  return false;
}

function withoutHint(bundle: unknown): object {
  const { [HINT]: _, ...rest } = bundle as Readonly<Record<string, unknown>>;
  return rest;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON
  }
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(detail: string): Refusal<"identity/bundle-malformed"> {
  return refuse("identity/bundle-malformed", detail);
}
