// The generated data set: digits of four drawn styles, each shifted, turned, sheared, scaled, drawn thin or thick, with
// stray strokes and pixel noise. No download, any size, same seed same samples. It is meant to be hard for a linear
// model and fair for a small network, so that training has something to show.

import { SeededRandom } from "../seeded.ts";
import type { Dataset, SplitDataset } from "./dataset.ts";
import { fonts, GLYPH_COLUMNS, GLYPH_ROWS } from "./fonts.ts";

/** Side of the square image. */
export const GLYPH_SIDE = 12;
/** Features of one sample. */
export const GLYPH_FEATURES = GLYPH_SIDE * GLYPH_SIDE;
export const GLYPH_CLASSES = 10;

/** How much a sample may stray from its drawing; pixels of the image unless said otherwise. */
const distortion = {
  shift: 0.95,
  /** Radians. */
  turn: 0.2,
  shear: 0.16,
  scaleLeast: 1.3,
  scaleMost: 1.6,
  /** Ink below this blurred density is dropped: low draws thick. */
  inkLeast: 0.2,
  inkMost: 0.45,
  noise: 0.14,
  strokeChance: 0.5,
} as const;

/** `trainSamples` and `testSamples` digits from a seed; classes alternate, so every class has its share. */
export function generateGlyphs(options: {
  readonly seed: number;
  readonly trainSamples: number;
  readonly testSamples: number;
}): SplitDataset {
  const { seed, trainSamples, testSamples } = options;
  return {
    train: drawSamples(new SeededRandom("glyphs/train", seed), trainSamples),
    test: drawSamples(new SeededRandom("glyphs/test", seed), testSamples),
  };
}

function drawSamples(random: SeededRandom, count: number): Dataset {
  const features = new Float32Array(count * GLYPH_FEATURES);
  const labels = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const digit = i % GLYPH_CLASSES;
    labels[i] = digit;
    drawDigit(random, digit, features.subarray(i * GLYPH_FEATURES, (i + 1) * GLYPH_FEATURES));
  }
  return { count, dimensions: GLYPH_FEATURES, classes: GLYPH_CLASSES, features, labels };
}

function drawDigit(random: SeededRandom, digit: number, image: Float32Array): void {
  const glyph = fonts[random.below(fonts.length)]?.[digit] as Float32Array;
  const turn = random.between(-distortion.turn, distortion.turn);
  const shear = random.between(-distortion.shear, distortion.shear);
  const scaleX = random.between(distortion.scaleLeast, distortion.scaleMost + 0.2);
  const scaleY = random.between(distortion.scaleLeast, distortion.scaleMost);
  const centreX = (GLYPH_SIDE - 1) / 2 + random.between(-distortion.shift, distortion.shift);
  const centreY = (GLYPH_SIDE - 1) / 2 + random.between(-distortion.shift, distortion.shift);
  const ink = random.between(distortion.inkLeast, distortion.inkMost);
  const strength = random.between(0.7, 1);
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  for (let y = 0; y < GLYPH_SIDE; y++) {
    for (let x = 0; x < GLYPH_SIDE; x++) {
      // Each pixel is traced back into the drawing, where the ink is read between the cells.
      const dx = x - centreX;
      const dy = y - centreY;
      const u = (cos * dx + sin * dy) / scaleX;
      const v = (cos * dy - sin * dx) / scaleY;
      const density = inkAt(
        glyph,
        u + shear * v + (GLYPH_COLUMNS - 1) / 2,
        v + (GLYPH_ROWS - 1) / 2,
      );
      image[y * GLYPH_SIDE + x] = strength * Math.min(1, Math.max(0, (density - ink) * 2.6 + 0.35));
    }
  }
  if (random.fraction() < distortion.strokeChance) drawStroke(random, image);
  for (let i = 0; i < image.length; i++) {
    const value = (image[i] as number) + distortion.noise * random.normal();
    image[i] = Math.min(1, Math.max(0, value));
  }
}

/** Ink at a point of the drawing, bilinear between cells, none outside. */
function inkAt(glyph: Float32Array, x: number, y: number): number {
  const column = Math.floor(x);
  const row = Math.floor(y);
  const fx = x - column;
  const fy = y - row;
  const upper = (1 - fx) * cell(glyph, column, row) + fx * cell(glyph, column + 1, row);
  const lower = (1 - fx) * cell(glyph, column, row + 1) + fx * cell(glyph, column + 1, row + 1);
  return (1 - fy) * upper + fy * lower;
}

function cell(glyph: Float32Array, column: number, row: number): number {
  if (column < 0 || column >= GLYPH_COLUMNS || row < 0 || row >= GLYPH_ROWS) return 0;
  return glyph[row * GLYPH_COLUMNS + column] as number;
}

/** A stray stroke of three to five pixels that belongs to no digit. */
function drawStroke(random: SeededRandom, image: Float32Array): void {
  let x = random.below(GLYPH_SIDE);
  let y = random.below(GLYPH_SIDE);
  const stepX = random.below(3) - 1;
  const stepY = stepX === 0 ? 1 : random.below(3) - 1;
  for (let left = 3 + random.below(3); left > 0; left--) {
    if (x < 0 || x >= GLYPH_SIDE || y < 0 || y >= GLYPH_SIDE) return;
    image[y * GLYPH_SIDE + x] = Math.max(
      image[y * GLYPH_SIDE + x] as number,
      random.between(0.5, 1),
    );
    x += stepX;
    y += stepY;
  }
}
