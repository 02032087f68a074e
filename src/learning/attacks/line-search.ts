// The strength of an attack with one parameter, searched against the very pipeline in use: first ever longer steps while
// the damage grows, then ever shorter ones around the best.

/** Evaluations of a search: each is a whole aggregation. */
export const SEARCH_EVALUATIONS = 20;
const SHORTENING = 0.8;

/** The parameter >= 0 with the greatest damage that was found. */
export function strongest(damage: (parameter: number) => number): number {
  let best = 0;
  let most = damage(best);
  let left = SEARCH_EVALUATIONS - 1;
  let step = 1;
  const improves = (parameter: number): boolean => {
    left--;
    const found = damage(parameter);
    if (found <= most) return false;
    most = found;
    best = parameter;
    return true;
  };
  while (left > 0 && improves(best + step)) step *= 2;
  for (let side = -1; left > 0; side = -side) {
    step *= SHORTENING;
    improves(Math.max(0, best + side * step));
  }
  return best;
}
