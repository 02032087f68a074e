// Makes texts fit to be shown to strangers: names, ids and addresses become pseudonyms, the same one for the same value
// within one report; what looks like a secret is taken out. One pass over each text, so no pseudonym is replaced again.

import { isIPv6 } from "node:net";

type Kind = "NAME" | "DOMAIN" | "HOST" | "ZONE" | "USER" | "NODE" | "PEER" | "HEX" | "IP";

const REMOVED = "REMOVED";
/** Shorter values that were learned would be found inside of ordinary words. */
const LEARNED_CHARS_MIN = 2;
const LEARNED_MAX = 10_000;

/** In order of precedence; the first that fits at a place decides. */
const SECRETS = [
  /-----BEGIN [A-Z ]+-----[\s\S]*?-----END [A-Z ]+-----/,
  /x0t1?\.[A-Za-z0-9_-]{8,}/,
  // A telling name with its value, in JSON, YAML, a query or a command line.
  /(?<=(?:passw|passphrase|secret|credential|authorization|bearer|cookie|api_?key|private_?key|token)[\w-]{0,32}["']?\s{0,3}[:=]\s{0,3}["']?)(?!\s)[^\s"',;}]+/,
  /(?<=\b[Bb]earer\s)[A-Za-z0-9._~+/=-]+/,
  /(?<=:\/\/[^\s/:@]{1,64}:)[^\s/@]+(?=@)/,
];
const PATTERNS: readonly (readonly [Kind | "ADDRESS" | "COLONS" | "LONG", RegExp])[] = [
  // A multiaddr is looked at part by part: as a whole it could be taken for base64.
  ["ADDRESS", /\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^\s"',;]+/],
  ["PEER", /(?:12D3KooW[1-9A-HJ-NP-Za-km-z]{8,64}|Qm[1-9A-HJ-NP-Za-km-z]{44})/],
  ["NODE", /(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])/],
  ["HEX", /(?<![0-9A-Za-z])(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}(?![0-9A-Za-z])/],
  ["IP", /(?<![\d.])(?!127\.|0\.0\.0\.0)(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/],
  ["COLONS", /(?<![0-9A-Za-z:.])[0-9A-Fa-f:]{2,39}:[0-9A-Fa-f:.]{0,39}(?![0-9A-Za-z:])/],
  // Base64 of 30 bytes or more: nothing that helps is written so.
  [
    "LONG",
    /(?<![A-Za-z0-9+/_-])(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[a-z])[A-Za-z0-9+/_-]{40,}={0,2}/,
  ],
];
/** Where a text says a name that is worth learning. */
const TELLING: readonly (readonly [Kind, RegExp])[] = [
  ["DOMAIN", /spiffe:\/\/([a-z0-9._-]{1,255})/g],
  ["NAME", /spiffe:\/\/[a-z0-9._-]{1,255}\/(?:[A-Za-z0-9._-]+\/)*([A-Za-z0-9._-]+)/g],
  ["HOST", /\/dns(?:4|6|addr)?\/([^/\s"']{1,253})/g],
  ["USER", /\/(?:home|Users)\/([^/\s"':]{1,64})/g],
];

export class Anonymous {
  readonly #pseudonyms = new Map<string, string>();
  readonly #counts = new Map<Kind, number>();
  readonly #learned = new Map<string, Kind>();
  #expression: RegExp | undefined;

  /** Has a value replaced wherever it stands as a word of its own. */
  learn(kind: Kind, value: string | null | undefined): void {
    if (value === null || value === undefined || value.length < LEARNED_CHARS_MIN) return;
    if (this.#learned.has(value) || this.#learned.size >= LEARNED_MAX) return;
    this.#learned.set(value, kind);
    this.#expression = undefined;
  }

  /** Learns the names that a text tells by its form. */
  learnFrom(text: string): void {
    for (const [kind, pattern] of TELLING)
      for (const [, value] of text.matchAll(pattern)) this.learn(kind, value);
  }

  /** The text, fit to be shown. */
  text(text: string): string {
    this.#expression ??= this.#compile();
    return text.replace(this.#expression, (found, ...rest) => {
      const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
      const kind = Object.keys(groups).find((name) => groups[name] !== undefined);
      return this.#replacement(kind?.replace(/\d$/, "") ?? "SECRET", found);
    });
  }

  /** A JSON value with its strings made fit; keys are the program's own words, unless they are names or ids. */
  json(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((part) => this.json(part));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, this.json(part)]));
  }

  #replacement(kind: string, found: string): string {
    if (kind === "SECRET" || kind === "LONG") return REMOVED;
    if (kind === "ADDRESS")
      return found
        .split("/")
        .map((part) => this.text(part))
        .join("/");
    if (kind === "LEARNED") return this.#pseudonym(this.#learned.get(found) ?? "NAME", found);
    if (kind !== "COLONS") return this.#pseudonym(kind as Kind, found);
    // Also times of day look so: only an address is one.
    return isIPv6(found) && found !== "::1" && found !== "::"
      ? this.#pseudonym("IP", found)
      : found;
  }

  #pseudonym(kind: Kind, value: string): string {
    let pseudonym = this.#pseudonyms.get(value);
    if (pseudonym === undefined) {
      const count = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, count);
      this.#pseudonyms.set(value, (pseudonym = `${kind}-${count}`));
    }
    return pseudonym;
  }

  #compile(): RegExp {
    const words = [...this.#learned.keys()]
      .sort((a, b) => b.length - a.length)
      .map((word) => RegExp.escape(word));
    const parts = SECRETS.map((pattern, i) => `(?<SECRET${i}>${pattern.source})`);
    if (words.length > 0)
      parts.push(`(?<LEARNED>(?<![A-Za-z0-9_])(?:${words.join("|")})(?![A-Za-z0-9_]))`);
    parts.push(...PATTERNS.map(([kind, { source }]) => `(?<${kind}>${source})`));
    return new RegExp(parts.join("|"), "g");
  }
}
