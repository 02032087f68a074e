// Questions to all views at once, asked alike of daemons and of the simulator's nodes.

/** Who holds what of whom. */
export interface Observed {
  readonly size: number;
  isUp(node: number): boolean;
  stateOf(observer: number, subject: number): string;
}

/** The pairs of two nodes that run, both ways. */
function pairs(world: Observed): [number, number][] {
  const up = Array.from({ length: world.size }, (_, node) => node).filter((node) =>
    world.isUp(node),
  );
  return up.flatMap((a) => up.filter((b) => b !== a).map((b): [number, number] => [a, b]));
}

/** Everyone sees everyone alive. */
export function isConverged(world: Observed): boolean {
  return pairs(world).every(([a, b]) => world.stateOf(a, b) === "alive");
}

/** Nobody's routes lead from one side to the other: they lead over members that are alive. */
export function isRoutedAround(world: Observed, side: readonly number[]): boolean {
  return across(world, side).every(([a, b]) => world.stateOf(a, b) !== "alive");
}

/** Somebody holds somebody of the other side for gone or suspects it. */
export function isNoticed(world: Observed, side: readonly number[]): boolean {
  return across(world, side).some(([a, b]) => world.stateOf(a, b) !== "alive");
}

/** Everyone holds everyone of the other side dead. */
export function isDeadAcross(world: Observed, side: readonly number[]): boolean {
  return across(world, side).every(([a, b]) => ["dead", "forgotten"].includes(world.stateOf(a, b)));
}

/** Views from one side on the other, of observers that run. */
function across(world: Observed, side: readonly number[]): [number, number][] {
  const all = Array.from({ length: world.size }, (_, node) => node);
  return all
    .filter((node) => world.isUp(node))
    .flatMap((a) =>
      all.filter((b) => side.includes(a) !== side.includes(b)).map((b): [number, number] => [a, b]),
    );
}
