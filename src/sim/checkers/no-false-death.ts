// No false death: once two nodes have been whole for long enough to refute any suspicion, neither holds the other
// dead if it can reach it, directly or through others. (SWIM's accuracy with the refutation of Das, Gupta &
// Motivala, DSN 2002, section 4.2.)

import type { NodeIndex } from "../node-types.ts";
import { Checker, type MemberChange } from "./checker.ts";
import type { SwarmView } from "./swarm-view.ts";

/** Views of how many observers are judged at once; the others have their turn later. */
const OBSERVERS_MAX = 64;

/** The world as this checker needs it. */
export type DeathWatch = Pick<
  SwarmView,
  "nowMs" | "size" | "isHealthy" | "isConnected" | "peers" | "states"
>;

/** Watches for false deaths; called as often as wanted, e.g. once a virtual second. */
export class NoFalseDeath extends Checker {
  readonly name = "no-false-death";
  /** How often a healthy node declared another one dead, refuted afterwards or not. */
  falseDeaths = 0;
  readonly #refuteMs: number;
  #worldDisturbedAtMs = 0;
  readonly #nodeDisturbedAtMs = new Map<NodeIndex, number>();
  #next = 0;

  /** `refuteMs`: how long after the last disturbance a false death must be gone. */
  constructor(refuteMs: number) {
    super();
    this.#refuteMs = refuteMs;
  }

  disturbed(nowMs: number, node?: NodeIndex): void {
    if (node === undefined) this.#worldDisturbedAtMs = nowMs;
    else this.#nodeDisturbedAtMs.set(node, nowMs);
  }

  memberChanged({ observer, subject, to, atMs }: MemberChange, watch: DeathWatch): void {
    if (to !== "dead" || subject === undefined) return;
    const whole = [observer, subject].every(
      (node) => watch.isHealthy(node) && this.#isSettled(node, atMs),
    );
    if (whole) this.falseDeaths++;
  }

  override check(watch: DeathWatch): void {
    if (watch.nowMs < this.#worldDisturbedAtMs + this.#refuteMs) return;
    const component = components(watch);
    const judged = Math.min(watch.size, OBSERVERS_MAX);
    for (let turn = 0; turn < judged; turn++) {
      const observer = this.#next++ % watch.size;
      const canJudge = watch.isHealthy(observer) && this.#isSettled(observer, watch.nowMs);
      if (!canJudge) continue;
      for (const [subject, state] of watch.states(observer)) {
        if (component[subject] !== component[observer] || !watch.isHealthy(subject)) continue;
        if (!this.#isSettled(subject, watch.nowMs)) continue;
        this.checks++;
        if (state === "dead") this.#dead(watch.nowMs, observer, subject);
      }
    }
  }

  #isSettled(node: NodeIndex, nowMs: number): boolean {
    return nowMs >= this.#disturbedAtMs(node) + this.#refuteMs;
  }

  #disturbedAtMs(node: NodeIndex): number {
    return Math.max(this.#worldDisturbedAtMs, this.#nodeDisturbedAtMs.get(node) ?? 0);
  }

  #dead(atMs: number, observer: NodeIndex, subject: NodeIndex): void {
    const sinceMs = atMs - Math.max(this.#disturbedAtMs(observer), this.#disturbedAtMs(subject));
    const what = `holds a healthy, reachable node dead ${sinceMs} ms after the last disturbance`;
    this.report(atMs, observer, subject, what);
  }
}

/** For each node the number of its component: healthy nodes over live connections. */
export function components(
  watch: Pick<DeathWatch, "size" | "isHealthy" | "isConnected" | "peers">,
): readonly number[] {
  const component = new Array<number>(watch.size).fill(-1);
  for (let start = 0; start < watch.size; start++) {
    if (component[start] !== -1 || !watch.isHealthy(start)) continue;
    const stack = [start];
    component[start] = start;
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (const peer of watch.peers(node)) {
        if (component[peer] !== -1 || !watch.isHealthy(peer)) continue;
        if (!watch.isConnected(node, peer)) continue;
        component[peer] = start;
        stack.push(peer);
      }
    }
  }
  return component;
}
