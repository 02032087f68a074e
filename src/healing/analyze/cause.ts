// Which symptoms belong together, and which of them explains the others: the catalogue's dependencies say both.

import type { Cause, SeenSymptom } from "../incident.ts";
import { type Severity, type SymptomCode, symptomCodes, symptoms } from "../symptoms.ts";

const rankOf: Readonly<Record<Severity, number>> = { error: 2, warning: 1, info: 0 };

/** Everything that can explain a code, near and far. */
const explainersOf = new Map<SymptomCode, ReadonlySet<string>>(
  symptomCodes.map((code) => {
    const all = new Set<string>(symptoms[code].dependsOn);
    // A set that grows while it is walked is walked to its end.
    for (const one of all)
      for (const next of symptoms[one as SymptomCode].dependsOn) if (next !== code) all.add(next);
    return [code, all];
  }),
);

export function explains(cause: SymptomCode, code: SymptomCode): boolean {
  return explainersOf.get(code)?.has(cause) ?? false;
}

/** The same condition of several subjects, or one that explains the other. */
export function belongTogether(a: SymptomCode, b: SymptomCode): boolean {
  return a === b || explains(a, b) || explains(b, a);
}

/**
 * The most likely cause: of the symptoms that none of the others explains the gravest, then the one seen first. Those in a
 * ring of dependencies explain one another; then the first seen counts.
 */
export function causeOf(all: readonly SeenSymptom[]): Cause {
  const roots = all.filter(
    ({ code }) => !all.some((other) => explains(other.code, code) && !explains(code, other.code)),
  );
  const [cause] = (roots.length > 0 ? [...roots] : [...all]).sort(
    (a, b) => rankOf[b.severity] - rankOf[a.severity] || a.firstSeenMs - b.firstSeenMs,
  );
  if (cause === undefined) throw new RangeError("no symptoms, no cause");
  const { code, subject } = cause;
  const consequences = new Set(
    all.filter((one) => explains(code, one.code)).map((one) => one.code),
  );
  const others = new Set(roots.filter((one) => one.code !== code).map((one) => one.code));
  return { code, ...(subject !== undefined && { subject }), why: why(consequences, others) };
}

function why(consequences: ReadonlySet<string>, others: ReadonlySet<string>): string {
  const alone = "nothing else was seen that could explain it";
  const explained =
    consequences.size === 0 ? alone : `it explains ${listed(consequences)}, and ${alone}`;
  return others.size === 0
    ? explained
    : `${explained}; it is graver or older than ${listed(others)}`;
}

/** The first of them: all stand among the incident's symptoms. */
function listed(codes: ReadonlySet<string>): string {
  const names = [...codes];
  const more = names.length - LISTED_MAX;
  return more > 0 ? `${names.slice(0, LISTED_MAX).join(", ")} and ${more} more` : names.join(", ");
}

const LISTED_MAX = 3;
