// The Meter port over prom-client: metrics are declared up front, every closed label series exists
// with 0 from the start, and open labels are capped, so that no peer can grow the page.
// Exposition: Prometheus text format 0.0.4.

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { assert } from "../../foundation/index.ts";
import type { Meter, MetricDeclaration, MetricLabels } from "../../ports/index.ts";
import { telemetryMetrics } from "../../telemetry/index.ts";

/** Limits of {@link createPromMeter}. */
export const promMeterLimits = { seriesPerMetricMax: 256 } as const;

const droppedName = "meshd_telemetry_series_dropped_total";

/** The open labels' value for what the cap keeps out of its own series, except for gauges, where a mix would mean nothing. */
const overflowLabel = "other";

/** One counter or gauge series with its current value. */
export interface MetricValue {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** A meter, and what it has measured. */
export interface PromMeter {
  readonly meter: Meter;
  /** The Content-Type of {@link PromMeter.text}. */
  readonly contentType: string;
  /** All metrics in the Prometheus text format. */
  readonly text: () => Promise<string>;
  /**
   * The series of a counter or gauge now, for a status page; a histogram's observation counts.
   * @throws MeshError `internal/invariant` for a name never declared
   */
  readonly snapshot: (name: string) => readonly MetricValue[];
  /** Has `read` called before every {@link PromMeter.text}, to set gauges that are read on demand. */
  readonly beforeText: (read: () => void) => void;
}

/** Options of {@link createPromMeter}. */
export interface PromMeterOptions {
  /** How many series a metric with an open label may have; one more is kept for `other`. @default 256 */
  readonly seriesPerMetricMax?: number;
}

/**
 * A meter for `declarations` and its own `telemetryMetrics`.
 * @throws MeshError `internal/invariant` for a name declared twice;
 * from the meter: a name never declared, another kind, foreign or missing labels, a counter going down
 */
export function createPromMeter(
  declarations: readonly MetricDeclaration[],
  options: PromMeterOptions = {},
): PromMeter {
  const registry = new Registry();
  const metrics = new Map<string, PromMetric>();
  const readers: (() => void)[] = [];
  const cap = options.seriesPerMetricMax ?? promMeterLimits.seriesPerMetricMax;
  for (const declaration of [...telemetryMetrics, ...declarations]) {
    assert(!metrics.has(declaration.name), `metric ${declaration.name} is declared twice`);
    metrics.set(declaration.name, new PromMetric(declaration, registry, cap));
  }
  const metricOf = (name: string): PromMetric => {
    const metric = metrics.get(name);
    assert(metric !== undefined, `metric ${name} was never declared`);
    return metric;
  };
  const record = (
    name: string,
    kind: MetricDeclaration["kind"],
    value: number,
    labels: MetricLabels,
  ): void => {
    const kept = metricOf(name).record(kind, value, labels);
    if (!kept) metricOf(droppedName).record("counter", 1, { metric: name });
  };
  return {
    meter: {
      count: (name, labels = {}, by = 1) => record(name, "counter", by, labels),
      set: (name, value, labels = {}) => record(name, "gauge", value, labels),
      observe: (name, value, labels = {}) => record(name, "histogram", value, labels),
    },
    contentType: registry.contentType,
    text: () => {
      for (const read of readers) read();
      return registry.metrics();
    },
    snapshot: (name) => metricOf(name).values(),
    beforeText: (read) => {
      readers.push(read);
    },
  };
}

interface Series {
  readonly labels: MetricLabels;
  readonly write: (value: number) => void;
  value: number;
}

/** One declared metric with its series, found by their label values in the declared order. */
class PromMetric {
  readonly #declaration: MetricDeclaration;
  readonly #labelNames: readonly string[];
  readonly #series = new Map<string, Series>();
  readonly #open: (labels: MetricLabels) => (value: number) => void;
  readonly #seriesMax: number;

  constructor(declaration: MetricDeclaration, registry: Registry, cap: number) {
    this.#declaration = declaration;
    this.#labelNames = Object.keys(declaration.labels ?? {});
    this.#open = opener(declaration, this.#labelNames, registry);
    const closed = closedSeries(declaration);
    this.#seriesMax = closed === undefined ? cap : closed.length;
    for (const labels of closed ?? []) this.#add(labels);
  }

  /** Records a value; `false` when the cap kept it from its own series. */
  record(kind: MetricDeclaration["kind"], value: number, labels: MetricLabels): boolean {
    const { name } = this.#declaration;
    assert(
      kind === this.#declaration.kind,
      `metric ${name} is a ${this.#declaration.kind}, not a ${kind}`,
    );
    assert(
      Number.isFinite(value) && (kind !== "counter" || value >= 0),
      `metric ${name} cannot take ${value}`,
    );
    const own = this.#series.get(this.#keyOf(labels)) ?? this.#checkedNew(labels);
    const series = own ?? this.#overflow(labels);
    if (series !== undefined) {
      series.value = kind === "gauge" ? value : series.value + (kind === "counter" ? value : 1);
      series.write(value);
    }
    return own !== undefined;
  }

  values(): MetricValue[] {
    return [...this.#series.values()].map(({ labels, value }) => ({ labels, value }));
  }

  #checkedNew(labels: MetricLabels): Series | undefined {
    const { name } = this.#declaration;
    for (const [label, allowed] of Object.entries(this.#declaration.labels ?? {})) {
      const value = labels[label];
      assert(value !== undefined, `metric ${name} needs the label ${label}`);
      assert(
        allowed === null || allowed.includes(value),
        `metric ${name} has no ${label} "${value}"`,
      );
    }
    const foreign = Object.keys(labels).find((label) => !this.#labelNames.includes(label));
    assert(foreign === undefined, `metric ${name} has no label ${foreign ?? ""}`);
    return this.#series.size < this.#seriesMax ? this.#add(labels) : undefined;
  }

  #overflow(labels: MetricLabels): Series | undefined {
    if (this.#declaration.kind === "gauge") return undefined;
    const folded = Object.fromEntries(
      Object.entries(this.#declaration.labels ?? {}).map(([label, allowed]) => [
        label,
        allowed === null ? overflowLabel : (labels[label] ?? ""),
      ]),
    );
    return this.#series.get(this.#keyOf(folded)) ?? this.#add(folded);
  }

  #add(labels: MetricLabels): Series {
    const series = { labels: { ...labels }, write: this.#open(labels), value: 0 };
    this.#series.set(this.#keyOf(labels), series);
    return series;
  }

  #keyOf(labels: MetricLabels): string {
    const [only] = this.#labelNames;
    const given = Object.keys(labels).length;
    if (this.#labelNames.length !== given) return "\0";
    if (given === 1 && only !== undefined) return labels[only] ?? "";
    return this.#labelNames.map((name) => labels[name] ?? "").join("\0");
  }
}

/** Every combination of closed labels; `undefined` when a label is open. */
function closedSeries({ labels }: MetricDeclaration): MetricLabels[] | undefined {
  let combinations: MetricLabels[] = [{}];
  for (const [label, values] of Object.entries(labels ?? {})) {
    if (values === null) return undefined;
    combinations = combinations.flatMap((start) =>
      values.map((value) => ({ ...start, [label]: value })),
    );
  }
  return combinations;
}

/** Registers the metric and gives what opens a series of it. */
function opener(
  { name, kind, help, buckets }: MetricDeclaration,
  labelNames: readonly string[],
  registry: Registry,
): (labels: MetricLabels) => (value: number) => void {
  const common = { name, help, labelNames: [...labelNames], registers: [registry] };
  if (kind === "counter") {
    const counter = new Counter(common);
    return (labels) => {
      const child = counter.labels({ ...labels });
      child.inc(0);
      return (value) => child.inc(value);
    };
  }
  if (kind === "gauge") {
    const gauge = new Gauge(common);
    return (labels) => {
      const child = gauge.labels({ ...labels });
      child.set(0);
      return (value) => child.set(value);
    };
  }
  const histogram = new Histogram({ ...common, buckets: [...(buckets ?? [])] });
  return (labels) => {
    histogram.zero({ ...labels });
    const child = histogram.labels({ ...labels });
    return (value) => child.observe(value);
  };
}
