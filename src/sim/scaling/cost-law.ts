// A power law through measured costs: cost = factor * nodes^exponent, by least squares on the logarithms, with Student's
// intervals for the exponent and for a prediction. Sizes that were held out say what such a prediction is worth.

/** One size and what it cost. Both > 0. */
export interface CostPoint {
  readonly nodes: number;
  readonly cost: number;
}

/** A fitted law with what its intervals need. */
export interface CostLaw {
  readonly exponent: number;
  readonly factor: number;
  /** Half width of the exponent's 95 % interval; Infinity for two points. */
  readonly exponentError: number;
  /** Share of the logarithms' variance that the law explains, 0..1. */
  readonly explained: number;
  /** The law at a size. */
  at(nodes: number): number;
  /** The 95 % prediction interval at a size is the law's value divided and multiplied by this. */
  errorFactorAt(nodes: number): number;
}

/** Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom. */
const STUDENT_95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const NORMAL_95 = 1.96;

/**
 * Fits the law.
 * @param points of at least two sizes
 * @throws RangeError for fewer sizes, or a cost or size that is not positive
 */
export function fitCostLaw(points: readonly CostPoint[]): CostLaw {
  if (new Set(points.map(({ nodes }) => nodes)).size < 2) {
    throw new RangeError("A law needs points of two sizes at least.");
  }
  if (points.some(({ nodes, cost }) => !(nodes > 0 && cost > 0))) {
    throw new RangeError("A law needs sizes and costs above 0.");
  }
  const n = points.length;
  const xs = points.map(({ nodes }) => Math.log(nodes));
  const ys = points.map(({ cost }) => Math.log(cost));
  const [meanX, meanY] = [mean(xs), mean(ys)];
  const spreadX = sum(xs.map((x) => (x - meanX) ** 2));
  const spreadY = sum(ys.map((y) => (y - meanY) ** 2));
  const exponent = sum(xs.map((x, i) => (x - meanX) * ((ys[i] ?? 0) - meanY))) / spreadX;
  const base = meanY - exponent * meanX;
  const rest = sum(xs.map((x, i) => ((ys[i] ?? 0) - base - exponent * x) ** 2));
  const t = n === 2 ? Infinity : (STUDENT_95[n - 3] ?? NORMAL_95);
  const deviation = n === 2 ? 0 : Math.sqrt(rest / (n - 2));
  return {
    exponent,
    factor: Math.exp(base),
    exponentError: n === 2 ? Infinity : (t * deviation) / Math.sqrt(spreadX),
    explained: spreadY === 0 ? 1 : 1 - rest / spreadY,
    at: (nodes) => Math.exp(base + exponent * Math.log(nodes)),
    errorFactorAt: (nodes) => {
      if (n === 2) return Infinity;
      const offset = (Math.log(nodes) - meanX) ** 2 / spreadX;
      return Math.exp(t * deviation * Math.sqrt(1 + 1 / n + offset));
    },
  };
}

/** A size that was left out of the fit, and how far the law of the smaller ones is off there. */
export interface HeldOut {
  readonly nodes: number;
  readonly measured: number;
  readonly predicted: number;
}

/** For every size above the two smallest: what the law of all smaller sizes says of it. */
export function heldOut(points: readonly CostPoint[]): HeldOut[] {
  const sorted = [...points].sort((a, b) => a.nodes - b.nodes);
  return sorted.slice(2).map(({ nodes, cost }, i) => {
    return { nodes, measured: cost, predicted: fitCostLaw(sorted.slice(0, i + 2)).at(nodes) };
  });
}

/** A prediction beyond what was measured. */
export interface Prediction {
  readonly cost: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The law's word on a size, with error bars: the wider of its 95 % prediction interval and the worst miss at a
 * size that was held out.
 */
export function predict(points: readonly CostPoint[], nodes: number): Prediction {
  const law = fitCostLaw(points);
  const misses = heldOut(points).map(({ measured, predicted }) =>
    Math.max(measured / predicted, predicted / measured),
  );
  const factor = Math.max(law.errorFactorAt(nodes), ...misses);
  const cost = law.at(nodes);
  return { cost, low: cost / factor, high: cost * factor };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
