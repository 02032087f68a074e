// Metrics are declared as data beside the code that moves them, and moved through this port.

/**
 * A metric. Names are `meshd_<room>_<noun>_<unit>`, counters end in `_total`, units are base units.
 * `labels` lists every value a label may take, so that all series exist from the start;
 * `null` marks an open label, whose cardinality the declaring room bounds.
 */
export interface MetricDeclaration {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  /** What one increment, or the value, means. */
  readonly help: string;
  readonly labels?: Readonly<Record<string, readonly string[] | null>>;
  /** Upper bounds of a histogram's buckets, in the metric's unit; at most ten. */
  readonly buckets?: readonly number[];
}

export type MetricLabels = Readonly<Record<string, string>>;

/** Moves declared metrics. A name that was never declared is an error of ours. */
export interface Meter {
  /** Adds to a counter; `by` >= 0, default 1. */
  count(name: string, labels?: MetricLabels, by?: number): void;
  /** Sets a gauge. */
  set(name: string, value: number, labels?: MetricLabels): void;
  /** Records one observation in a histogram. */
  observe(name: string, value: number, labels?: MetricLabels): void;
}
