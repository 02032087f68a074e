// Reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): lists whose scores have nothing in common are merged by the
// places alone. What stands high in several lists wins over what stands first in one.

/** The constant of the paper: a list's first place is worth little more than its second. */
const FLATTENING = 60;

/** An id with its score: the sum of 1 / (60 + place) over the lists that it stands in. */
export interface Fused {
  readonly id: string;
  readonly score: number;
}

/** Merges lists, each with the best first; of equal scores the smaller id is first. */
export function fuseRanks(lists: readonly (readonly string[])[], count: number): Fused[] {
  const scores = new Map<string, number>();
  for (const list of lists) {
    for (const [at, id] of list.entries())
      scores.set(id, (scores.get(id) ?? 0) + 1 / (FLATTENING + at + 1));
  }
  return [...scores]
    .map(([id, score]) => ({ id, score }))
    .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
    .slice(0, count);
}
