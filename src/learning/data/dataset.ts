// Samples in memory: one flat feature matrix and one label each.

/** Samples, features row-major. */
export interface Dataset {
  readonly count: number;
  /** Features of one sample. */
  readonly dimensions: number;
  readonly classes: number;
  /** `count * dimensions` values, about 0 to 1. */
  readonly features: Float32Array;
  /** `count` class indices below `classes`. */
  readonly labels: Uint16Array;
}

/** What a task trains on and is measured by. */
export interface SplitDataset {
  readonly train: Dataset;
  readonly test: Dataset;
}

/** The chosen samples, copied, in the order given. */
export function selectSamples(data: Dataset, indices: readonly number[]): Dataset {
  const { dimensions } = data;
  const features = new Float32Array(indices.length * dimensions);
  const labels = new Uint16Array(indices.length);
  indices.forEach((index, i) => {
    const begin = index * dimensions;
    features.set(data.features.subarray(begin, begin + dimensions), i * dimensions);
    labels[i] = data.labels[index] as number;
  });
  return { ...data, count: indices.length, features, labels };
}
