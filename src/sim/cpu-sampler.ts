// How long the nodes' own code takes, by the host's clock: one call in some is timed. The readings touch neither the run nor its
// trace; they differ from run to run, as times do.

const CALLS_PER_SAMPLE = 16;
const NOT_SAMPLED = -1;

/** Times a sample of calls. */
export class CpuSampler {
  readonly #stopwatch: (() => number) | undefined;
  #calls = 0;
  #samples = 0;
  #sampledMicros = 0;

  /** @param stopwatch microseconds of any clock; without one nothing is measured */
  constructor(stopwatch: (() => number) | undefined) {
    this.#stopwatch = stopwatch;
  }

  /** All calls so far, by the mean of the sampled ones; 0 without a stopwatch. */
  get micros(): number {
    return this.#samples === 0 ? 0 : (this.#sampledMicros / this.#samples) * this.#calls;
  }

  /** A call begins; to be handed to {@link CpuSampler.end}. */
  begin(): number {
    if (this.#stopwatch === undefined || this.#calls++ % CALLS_PER_SAMPLE !== 0) return NOT_SAMPLED;
    return this.#stopwatch();
  }

  end(begun: number): void {
    if (begun === NOT_SAMPLED || this.#stopwatch === undefined) return;
    this.#samples++;
    this.#sampledMicros += this.#stopwatch() - begun;
  }
}
