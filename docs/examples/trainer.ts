// A local trainer in TypeScript, for the task docs/examples/line.yaml: node trainer.ts SOCKET SEED.
// It fits a line through points that only this node has: y = 3 x - 1, measured with noise.

import { runTrainer } from "x0tta6bl4/trainer";

const [, , socketPath = "/run/meshd/control.sock", seed = "1"] = process.argv;

let state = Number(seed) + 1;
const uniform = (): number => {
  state = (state * 48_271) % 0x7fff_ffff;
  return state / 0x7fff_ffff;
};
const points = Array.from({ length: 100 }, () => {
  const x = 2 * uniform() - 1;
  return { x, y: 3 * x - 1 + 0.1 * (uniform() - 0.5) };
});

await runTrainer({
  socketPath,
  once: true,
  onRefused: ({ code, message }) => console.error(code, message),
  train({ tensors, learningRateFactor }) {
    let slope = tensors["slope"]?.data[0] ?? 0;
    let offset = tensors["offset"]?.data[0] ?? 0;
    let loss = 0;
    for (const { x, y } of points) {
      const error = slope * x + offset - y;
      loss += (error * error) / points.length;
      slope -= 0.05 * learningRateFactor * error * x;
      offset -= 0.05 * learningRateFactor * error;
    }
    const scalar = (value: number) => ({ shape: [1], data: Float32Array.of(value) });
    return { tensors: { slope: scalar(slope), offset: scalar(offset) }, loss };
  },
});
