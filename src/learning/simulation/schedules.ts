// Who answers when: the schedules that rounds are tried under. Times are virtual and drawn from the task's seed.

import { SeededRandom } from "../seeded.ts";

/** The schedules there are. */
export const scheduleKinds = [
  /** Everybody answers well within the deadline. */
  "prompt",
  /** A third of the honest take up to one and a half deadlines. */
  "slow",
  /** Liars never answer. */
  "silent",
  /** Liars answer at once, before anybody else. */
  "byzantine-first",
  /** Liars send ten updates where others send one. */
  "flooding",
  /** Liars announce their updates at once and let them trickle beyond the deadline. */
  "slow-loris",
  /** f of the participants, drawn from all, are down in the second quarter of the rounds. */
  "crash",
  /** The mesh is cut in halves in the second quarter of the rounds. */
  "partition",
  /** One participant is not there in the first half of the rounds. */
  "late-joiner",
] as const;

/** One of {@link scheduleKinds}. */
export type ScheduleKind = (typeof scheduleKinds)[number];

/** What a flooder sends where others send one. */
export const FLOOD_FACTOR = 10;

export interface ScheduleOptions {
  readonly kind: ScheduleKind;
  readonly seed: number;
  readonly participants: number;
  readonly byzantine: number;
  readonly rounds: number;
  readonly deadlineMs: number;
  /** By index. */
  readonly isLiar: (participant: number) => boolean;
}

/** A drawn schedule. */
export class Schedule {
  readonly #options: ScheduleOptions;
  /** Those that are down, cut off or late when the kind says so. */
  readonly #away: ReadonlySet<number>;
  readonly #slow: ReadonlySet<number>;

  constructor(options: ScheduleOptions) {
    this.#options = options;
    const { kind, seed, participants: n, byzantine, isLiar } = options;
    const drawn = drawIndices("away", seed, n);
    const count = { crash: byzantine, partition: Math.floor(n / 2), "late-joiner": 1 };
    const honestFirst = drawn.filter((i) => !isLiar(i)).concat(drawn.filter(isLiar));
    const list = kind === "late-joiner" ? honestFirst : drawn;
    this.#away = new Set(kind in count ? list.slice(0, count[kind as keyof typeof count]) : []);
    const honest = drawIndices("slow", seed, n).filter((i) => !isLiar(i));
    this.#slow = new Set(kind === "slow" ? honest.slice(0, Math.floor(honest.length / 3)) : []);
  }

  /** Whether a participant is there, and reached by the side of the mesh that is looked at. */
  isHere(participant: number, round: number): boolean {
    const { kind, rounds } = this.#options;
    const isOver = round > rounds / 2;
    const hasBegun = kind === "late-joiner" || round > rounds / 4;
    return !hasBegun || isOver || !this.#away.has(participant);
  }

  /** When the update of a participant is there whole, since its training began; `undefined`: never. */
  arrivalMs(participant: number, round: number): number | undefined {
    const { kind, seed, deadlineMs, isLiar } = this.#options;
    if (isLiar(participant)) {
      if (kind === "silent" || kind === "slow-loris") return undefined;
      if (kind === "byzantine-first") return 0;
    }
    const share = new SeededRandom("arrival", seed, round, participant).fraction();
    if (this.#slow.has(participant)) return deadlineMs * (0.5 + share);
    return deadlineMs * (0.05 + 0.35 * share);
  }
}

/** All indices below `count`, shuffled for a purpose. */
export function drawIndices(purpose: string, seed: number, count: number): number[] {
  const indices = Array.from({ length: count }, (_, i) => i);
  return new SeededRandom(purpose, seed).shuffle(indices);
}
