// How fast counters move: their sums, looked at once a second.

import type { PromMeter } from "../../adapters/telemetry/prom-meter.ts";
import type { MetricLabels } from "../../ports/index.ts";

/** Growth of a counter over the last so many looks. */
export class Growth {
  readonly #sum: () => number;
  readonly #sums: number[] = [];
  readonly #looks: number;

  /** @param counts which series of the counter are meant @default all */
  constructor(
    prom: Pick<PromMeter, "snapshot">,
    counter: string,
    looks: number,
    counts: (labels: MetricLabels) => boolean = () => true,
  ) {
    this.#looks = looks;
    this.#sum = () => {
      let sum = 0;
      for (const { labels, value } of prom.snapshot(counter)) if (counts(labels)) sum += value;
      return sum;
    };
  }

  look(): number {
    const sum = this.#sum();
    this.#sums.push(sum);
    if (this.#sums.length > this.#looks + 1) this.#sums.shift();
    return sum - (this.#sums[0] ?? sum);
  }
}

/** How many events of the last so many looks. */
export class Recent {
  readonly #counts: number[] = [];
  readonly #looks: number;

  constructor(looks: number) {
    this.#looks = looks;
  }

  add(events: number): number {
    this.#counts.push(events);
    if (this.#counts.length > this.#looks) this.#counts.shift();
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }
}
