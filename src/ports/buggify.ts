// Buggify (FoundationDB's word): at a named point the code may be told to do the unlikely but allowed thing, so
// that the simulator meets it often. In production there is none; only src/sim ever makes one.

/** Whether to do the unlikely thing at this point, this time. */
export type Buggify<Point extends string = string> = (point: Point) => boolean;
