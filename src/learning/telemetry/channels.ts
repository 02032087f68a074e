// What a node's own telemetry is to a model: a few channels, each a share of a fixed range. The ranges are a part of the
// task's format: with the same ones everywhere, one model fits all nodes, and their anomalies can be compared.

/** A channel's range is 0 to `most`; what lies beyond counts as `most`. */
export const telemetryChannels = [
  /** How late a timer of a second came, in seconds. */
  { name: "loop lag", most: 1 },
  /** Share of the time that the event loop was busy. */
  { name: "loop use", most: 1 },
  /** CPU seconds a second, all threads. */
  { name: "cpu", most: 4 },
  /** Resident bytes. */
  { name: "memory", most: 1024 * 1024 * 1024 },
  /** Bytes of the JavaScript heap. */
  { name: "heap", most: 512 * 1024 * 1024 },
  /** Connections. */
  { name: "peers", most: 128 },
  /** Share of the known members that are away. */
  { name: "absent", most: 1 },
  /** Mean round-trip time to the neighbours, in seconds. */
  { name: "rtt", most: 1 },
  /** Mean loss towards the neighbours, 0 to 1. */
  { name: "loss", most: 1 },
  /** Beacons heard a second, of each present member. */
  { name: "beacons", most: 8 },
] as const;

export type TelemetryChannel = (typeof telemetryChannels)[number]["name"];
/** One reading, in the units of {@link telemetryChannels}. */
export type TelemetryReading = Readonly<Record<TelemetryChannel, number>>;

/** Width of a sample. */
export const TELEMETRY_FEATURES = telemetryChannels.length;

/**
 * A reading as the model sees it: the square root of each value's share of its range, so that the low end, where a healthy
 * node lives, is not all one point. What is no number counts as 0.
 */
export function normalised(reading: TelemetryReading): Float32Array {
  return Float32Array.from(telemetryChannels, ({ name, most }) => {
    const share = reading[name] / most;
    return share > 0 ? Math.sqrt(Math.min(1, share)) : 0;
  });
}

/** Every so manieth sample measures the model instead of training it. */
const TEST_EVERY = 4;

/** The newest samples of a node, a ring of fixed length. */
export class TelemetryRing {
  readonly #capacity: number;
  readonly #samples: Float32Array[] = [];
  /** Number of the oldest sample: a sample that once measured never trains. */
  #first = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(sample: Float32Array): void {
    this.#samples.push(sample);
    if (this.#samples.length <= this.#capacity) return;
    this.#samples.shift();
    this.#first++;
  }

  newest(count: number): readonly Float32Array[] {
    return this.#samples.slice(-count);
  }

  /** All samples, flat, those that train apart from those that measure. */
  split(): TelemetrySamples {
    const measures = (i: number): boolean => (this.#first + i) % TEST_EVERY === 1;
    return {
      train: flat(this.#samples.filter((_, i) => !measures(i))),
      test: flat(this.#samples.filter((_, i) => measures(i))),
    };
  }
}

/** Samples one after another, {@link TELEMETRY_FEATURES} values each. */
export interface TelemetrySamples {
  readonly train: Float32Array;
  readonly test: Float32Array;
}

function flat(samples: readonly Float32Array[]): Float32Array {
  const values = new Float32Array(samples.length * TELEMETRY_FEATURES);
  samples.forEach((sample, i) => values.set(sample, i * TELEMETRY_FEATURES));
  return values;
}
