// Random choice that a seed repeats.

import type { Random } from "../../ports/index.ts";

/** Up to `count` distinct items in random order (partial Fisher-Yates on a copy). */
export function sample<Item>(items: readonly Item[], count: number, random: Random): Item[] {
  const pool = [...items];
  const chosen: Item[] = [];
  while (chosen.length < count && pool.length > 0) {
    const at = Math.floor(random.fraction() * pool.length);
    const item = pool[at];
    const last = pool.pop();
    if (item === undefined || last === undefined) break;
    if (at < pool.length) pool[at] = last;
    chosen.push(item);
  }
  return chosen;
}
