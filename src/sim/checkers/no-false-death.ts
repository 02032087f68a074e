// No false death: once the world has been whole for long enough to refute any suspicion, no honest node
// holds a healthy node dead that it can reach, directly or through others.
// (SWIM's accuracy with the refutation of Das, Gupta & Motivala, DSN 2002, section 4.2.)

import type { MemberState } from "../../mesh/index.ts";
import type { NodeIndex } from "../node-types.ts";
import { type Violation, Violations } from "./violation.ts";

const CHECKER = "no-false-death";

/** The world as this checker needs it. */
export interface DeathWatch {
  readonly nowMs: number;
  readonly size: number;
  /** Up, honest and not stalled. */
  isHealthy(node: NodeIndex): boolean;
  isConnected(a: NodeIndex, b: NodeIndex): boolean;
  peers(node: NodeIndex): readonly NodeIndex[];
  /** How `observer` sees the others; those it does not know are absent. */
  states(observer: NodeIndex): Iterable<readonly [NodeIndex, MemberState]>;
}

/** Watches for false deaths; called as often as wanted, e.g. once a virtual second. */
export class NoFalseDeath {
  readonly #refuteMs: number;
  readonly #violations = new Violations();
  #disturbedAtMs = 0;
  #checks = 0;

  /** `refuteMs`: how long after the last disturbance a false death must be gone. */
  constructor(refuteMs: number) {
    this.#refuteMs = refuteMs;
  }

  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  /** How many views of one node on another were judged: 0 says that the checker never looked. */
  get checks(): number {
    return this.#checks;
  }

  /** The world is not whole now (a partition, a crash, a stall): call it at the last moment of that too. */
  disturbed(nowMs: number): void {
    this.#disturbedAtMs = nowMs;
  }

  check(watch: DeathWatch): void {
    if (watch.nowMs < this.#disturbedAtMs + this.#refuteMs) return;
    const component = components(watch);
    for (let observer = 0; observer < watch.size; observer++) {
      if (!watch.isHealthy(observer)) continue;
      for (const [subject, state] of watch.states(observer)) {
        if (component[subject] !== component[observer] || !watch.isHealthy(subject)) continue;
        this.#checks++;
        if (state === "dead") this.#report(watch.nowMs, observer, subject);
      }
    }
  }

  #report(atMs: number, observer: NodeIndex, subject: NodeIndex): void {
    const sinceMs = atMs - this.#disturbedAtMs;
    const what = `holds a healthy, reachable node dead ${sinceMs} ms after the last disturbance`;
    this.#violations.add({ checker: CHECKER, atMs, observer, subject, what });
  }
}

/** For each node the number of its component: healthy nodes over live connections. */
function components(watch: DeathWatch): readonly number[] {
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
