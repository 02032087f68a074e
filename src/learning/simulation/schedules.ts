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
  /** Liars send ten updates where others send one: between machines that proves them; modelled, all ten may enter. */
  "flooding",
  /** Liars announce their updates at once and never hand them out. */
  "slow-loris",
  /** Liars say two things wherever they say one: proven, and out. */
  "equivocation",
  /** f of the participants, drawn from all, crash in the second quarter of the rounds and come back from their disks. */
  "crash",
  /** The mesh is cut in halves: modelled in the second quarter of the rounds, between machines for five deadlines. */
  "partition",
  /** One participant is not there in the first half of the rounds. */
  "late-joiner",
] as const;

/** One of {@link scheduleKinds}. */
export type ScheduleKind = (typeof scheduleKinds)[number];

/** What a flooder sends where others send one. */
const FLOOD_FACTOR = 10;

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

  /** The round at whose start the mesh is cut. */
  get cutRound(): number | undefined {
    const { kind, rounds } = this.#options;
    return kind === "partition" ? Math.floor(rounds / 4) + 1 : undefined;
  }

  /** How many different updates a participant sends in a round. */
  updatesOf(participant: number): number {
    const { kind, isLiar } = this.#options;
    if (!isLiar(participant)) return 1;
    return kind === "flooding" ? FLOOD_FACTOR : kind === "equivocation" ? 2 : 1;
  }

  /** Whether a participant runs. */
  isUp(participant: number, round: number): boolean {
    const { kind, rounds, isLiar } = this.#options;
    if (kind === "silent" && isLiar(participant)) return false;
    if (round > rounds / 2 || !this.#away.has(participant)) return true;
    return kind === "partition" || (kind === "crash" && round <= rounds / 4);
  }

  /** Whether a participant runs and is on the side of the mesh that is looked at. */
  isHere(participant: number, round: number): boolean {
    const { rounds } = this.#options;
    const isCut = this.cutRound !== undefined && round >= this.cutRound && round <= rounds / 2;
    return this.isUp(participant, round) && !(isCut && this.#away.has(participant));
  }

  /** Whether two participants are on one side of a cut. */
  connects(a: number, b: number): boolean {
    return this.#away.has(a) === this.#away.has(b);
  }

  /** Whether a participant hands out its update. */
  serves(participant: number): boolean {
    return !(this.#options.kind === "slow-loris" && this.#options.isLiar(participant));
  }

  /** When a participant announces its update, since its training began. */
  announcesMs(participant: number, round: number): number {
    const { kind, seed, deadlineMs, isLiar } = this.#options;
    const atOnce = kind === "byzantine-first" || kind === "slow-loris";
    if (atOnce && isLiar(participant)) return 0;
    const share = new SeededRandom("arrival", seed, round, participant).fraction();
    if (this.#slow.has(participant)) return deadlineMs * (0.5 + share);
    return deadlineMs * (0.05 + 0.35 * share);
  }

  /** When an update is there whole and may enter a set; `undefined`: never. */
  arrivalMs(participant: number, round: number): number | undefined {
    const { kind, isLiar } = this.#options;
    const isOut = kind === "equivocation" && isLiar(participant);
    if (isOut || !this.serves(participant)) return undefined;
    return this.announcesMs(participant, round);
  }
}

/** All indices below `count`, shuffled for a purpose. */
export function drawIndices(purpose: string, seed: number, count: number): number[] {
  const indices = Array.from({ length: count }, (_, i) => i);
  return new SeededRandom(purpose, seed).shuffle(indices);
}
