// Measures one operation: latency per call with quantiles, or throughput in batches.

/** One row of the bench's JSON; `value` is the median for times and the mean rate for rates. */
export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly n: number;
  /** All of them, where a table is made from them. */
  readonly samples?: readonly number[];
}

/** A suite reports its rows; `seconds` is the time to spend on each. */
export type BenchSuite = (
  report: (row: BenchResult) => void,
  options: BenchOptions,
) => Promise<void>;

export interface BenchOptions {
  readonly seconds: number;
  /** Daemons of a mesh, for suites that start one. */
  readonly nodes: number;
  /** Peers that come and go, for suites that have such. */
  readonly peers: number;
  /** Which part of a table to fill, for suites that fill one: comma-separated lists by option name. */
  readonly slice: Readonly<Record<string, string | undefined>>;
}

/** The q-quantile of ascending numbers (nearest rank). */
function quantile(sorted: Float64Array, q: number): number {
  return (
    sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN
  );
}

/** A row from samples in the row's own unit. */
export function summarize(name: string, unit: string, samples: readonly number[]): BenchResult {
  const sorted = Float64Array.from(samples).sort();
  const p50 = quantile(sorted, 0.5);
  return {
    name,
    unit,
    value: p50,
    p50,
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    n: sorted.length,
  };
}

/** Time of one call in milliseconds: warm-up of a fifth of the time, then every call is a sample. */
export async function measureMs(
  name: string,
  call: () => unknown,
  { seconds }: Pick<BenchOptions, "seconds">,
): Promise<BenchResult> {
  for (let end = performance.now() + seconds * 200; performance.now() < end; ) await call();
  const samples: number[] = [];
  for (
    let end = performance.now() + seconds * 1000;
    performance.now() < end || samples.length < 5;
  ) {
    const start = performance.now();
    const pending = call();
    if (pending instanceof Promise) await pending;
    samples.push(performance.now() - start);
  }
  return summarize(name, "ms", samples);
}

/**
 * Calls a second: the call runs in batches of about 10 ms, and each batch's rate is a sample.
 * For quantiles of a rate, p95 and p99 are the slow end (95 % of batches were at least so fast).
 */
export function measureRate(
  name: string,
  call: () => unknown,
  { seconds }: Pick<BenchOptions, "seconds">,
): BenchResult {
  let batch = 1;
  for (let elapsed = 0; elapsed < 10; batch *= 2) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) call();
    elapsed = performance.now() - start;
  }
  batch = Math.max(1, batch / 2);
  const rates: number[] = [];
  let calls = 0;
  const begin = performance.now();
  for (const end = begin + seconds * 1000; performance.now() < end || rates.length < 5; ) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) call();
    rates.push((batch * 1000) / (performance.now() - start));
    calls += batch;
  }
  const value = (calls * 1000) / (performance.now() - begin);
  const slowFirst = Float64Array.from(rates).sort();
  return {
    name,
    unit: "ops/s",
    value,
    p50: quantile(slowFirst, 0.5),
    p95: quantile(slowFirst, 0.05),
    p99: quantile(slowFirst, 0.01),
    n: calls,
  };
}

/**
 * Time that the calling thread computed for one call, in milliseconds: what it waits for a core of a shared machine is left out. The
 * system counts such time in ticks, so a sample is as many calls as take 40 ms. At least three samples after calls to warm up.
 */
export function measureCpuMs(
  name: string,
  call: () => unknown,
  { seconds }: Pick<BenchOptions, "seconds">,
): BenchResult {
  const computedMs = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let batch = 1;
  for (let elapsed = 0; elapsed < 40; batch *= 2) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) call();
    elapsed = performance.now() - start;
  }
  batch = Math.max(1, batch / 2);
  const samples: number[] = [];
  for (
    const end = performance.now() + seconds * 1000;
    performance.now() < end || samples.length < 3;
  ) {
    const before = computedMs();
    for (let i = 0; i < batch; i++) call();
    samples.push((computedMs() - before) / batch);
  }
  return summarize(name, "ms", samples);
}
