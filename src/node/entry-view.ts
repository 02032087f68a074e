// Registration entries as the control API shows and takes them.

import type { StateStore } from "../adapters/sqlite/state-store.ts";
import type { Body, Entries, EntryCreateRequest } from "../control/index.ts";
import type { EntryBook, EntryDraft, RegistrationEntry } from "../identity/index.ts";

type Shown = Entries["entries"][number];

export function entriesOf(
  book: EntryBook,
  store: Pick<StateStore, "workloads">,
  entries: readonly RegistrationEntry[] = book.list(),
): Body<Entries> {
  return { entries: entries.map((entry) => shown(entry, book, store)) };
}

function shown(
  { x509TtlS, jwtTtlS, ...entry }: RegistrationEntry,
  book: EntryBook,
  { workloads }: Pick<StateStore, "workloads">,
): Shown {
  const { count, lastAtMs } = workloads.issuancesOf(entry.id);
  return {
    ...entry,
    x509TtlSeconds: x509TtlS,
    jwtTtlSeconds: jwtTtlS,
    createdAt: new Date(book.madeAtMs(entry.id)).toISOString(),
    issued: count,
    lastIssuedAt: lastAtMs === undefined ? null : new Date(lastAtMs).toISOString(),
  };
}

/** What the identity room checks. */
export function draftOfEntry(request: EntryCreateRequest): EntryDraft {
  const { x509TtlSeconds, jwtTtlSeconds, ...rest } = request;
  const { spiffeId, parent, selectors, profile, dnsNames, federatesWith, hint } = rest;
  return {
    ...{ spiffeId, parent, selectors },
    ...(profile !== undefined && { profile }),
    ...(dnsNames !== undefined && { dnsNames }),
    ...(federatesWith !== undefined && { federatesWith }),
    ...(hint !== undefined && { hint }),
    ...(x509TtlSeconds !== undefined && { x509TtlS: x509TtlSeconds }),
    ...(jwtTtlSeconds !== undefined && { jwtTtlS: jwtTtlSeconds }),
  };
}
