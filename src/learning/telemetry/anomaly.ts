// How unlike the mesh a node behaves: what a trained autoencoder cannot reproduce of the node's newest samples.

import type { Autoencoder } from "../trainer/autoencoder.ts";
import { TELEMETRY_FEATURES, type TelemetryChannel, telemetryChannels } from "./channels.ts";

export interface Anomaly {
  /** Root mean square of the reconstruction error over samples and channels, in shares of the channels' ranges: 0 is as usual. */
  readonly score: number;
  /** The channel with the largest part in it. */
  readonly channel: TelemetryChannel;
}

/** `undefined` without samples. */
export function anomalyOf(
  model: Autoencoder,
  weights: Float32Array,
  samples: readonly Float32Array[],
): Anomaly | undefined {
  const error = new Float32Array(TELEMETRY_FEATURES);
  const squares = new Float64Array(TELEMETRY_FEATURES);
  for (const features of samples) {
    model.errorOf(weights, { features }, 0, error);
    error.forEach((off, i) => (squares[i] = (squares[i] as number) + off * off));
  }
  const sum = squares.reduce((total, square) => total + square, 0);
  const channel = telemetryChannels[squares.indexOf(Math.max(...squares))];
  if (samples.length === 0 || channel === undefined) return undefined;
  return { score: Math.sqrt(sum / (samples.length * TELEMETRY_FEATURES)), channel: channel.name };
}
