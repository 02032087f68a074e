// One dense layer, forward and backward, over views of the flat weights. `weight` is [outputs, inputs] row-major.

/** outputs = weight · input + bias; `input` starts at `at` of `inputs`. */
export function forward(
  weight: Float32Array,
  bias: Float32Array,
  inputs: Float32Array,
  at: number,
  width: number,
  outputs: Float32Array,
): void {
  for (let o = 0; o < outputs.length; o++) {
    const row = o * width;
    let sum0 = bias[o] as number;
    let sum1 = 0;
    let i = 0;
    for (; i + 1 < width; i += 2) {
      sum0 += (weight[row + i] as number) * (inputs[at + i] as number);
      sum1 += (weight[row + i + 1] as number) * (inputs[at + i + 1] as number);
    }
    if (i < width) sum0 += (weight[row + i] as number) * (inputs[at + i] as number);
    outputs[o] = sum0 + sum1;
  }
}

/** Adds one sample's share to the gradients of weight and bias: outer product of `errors` and the input. */
export function accumulate(
  errors: Float32Array,
  inputs: Float32Array,
  at: number,
  width: number,
  weightGradient: Float32Array,
  biasGradient: Float32Array,
): void {
  for (let o = 0; o < errors.length; o++) {
    const error = errors[o] as number;
    if (error === 0) continue;
    biasGradient[o] = (biasGradient[o] as number) + error;
    const row = o * width;
    for (let i = 0; i < width; i++) {
      weightGradient[row + i] =
        (weightGradient[row + i] as number) + error * (inputs[at + i] as number);
    }
  }
}
