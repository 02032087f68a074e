// What is known of a process, as selectors in SPIRE's form `type:value`. An entry is a process's when all of its selectors are.

/** Most selectors of an entry. */
export const SELECTORS_MAX = 16;
/** Longest selector, in characters: a path fits. */
export const SELECTOR_CHARS_MAX = 4096;

/** What the kernel shows for a user outside of the daemon's user namespace: it is many users, so it identifies none. */
export const OVERFLOW_ID = 65_534;
const ID_MAX = 0xffff_fffe;

const forms: Readonly<Record<string, (value: string) => boolean>> = {
  "unix:uid": isUserId,
  "unix:gid": isUserId,
  "unix:path": (path) => path.startsWith("/") && !/[\0\n]|\/\.{0,2}(\/|$)/.test(path),
  "unix:sha256": (digest) => /^[0-9a-f]{64}$/.test(digest),
  "systemd:unit": isUnitName,
};

/** The kinds of selectors, for messages. */
export const selectorKinds = Object.keys(forms);

/** Whether a text is a selector in its one form. */
export function isSelector(text: string): boolean {
  const kind = /^[a-z]+:[a-z0-9]+(?=:)/.exec(text)?.[0] ?? "";
  const form = Object.hasOwn(forms, kind) ? forms[kind] : undefined;
  return text.length <= SELECTOR_CHARS_MAX && form?.(text.slice(kind.length + 1)) === true;
}

/** Whether a text can be the name of a unit: what systemd.unit(5) allows, with the suffix of what has processes. */
export function isUnitName(text: string): boolean {
  return text.length <= 255 && /^[A-Za-z0-9:_.\\@-]+\.(service|scope)$/.test(text);
}

/** Whether a process with these selectors is what `wanted` describes; nothing described is nobody. */
export function selects(wanted: readonly string[], process: ReadonlySet<string>): boolean {
  return wanted.length > 0 && wanted.every((selector) => process.has(selector));
}

function isUserId(text: string): boolean {
  const id = Number(text);
  return /^(0|[1-9]\d{0,9})$/.test(text) && id <= ID_MAX && id !== OVERFLOW_ID;
}
