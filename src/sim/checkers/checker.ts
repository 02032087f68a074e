// What a checker is: something that is told what happens in a swarm, looks around once a virtual second, and
// says when its invariant does not hold. One file an invariant.

import type { NodeId } from "../../identity/index.ts";
import type { MemberState } from "../../mesh/index.ts";
import type { NodeIndex } from "../node-types.ts";
import type { SwarmView } from "./swarm-view.ts";
import { type Violation, Violations } from "./violation.ts";

/** A member changed its state in the view of an observer. */
export interface MemberChange {
  readonly observer: NodeIndex;
  /** Undefined: nobody of this world. */
  readonly subject: NodeIndex | undefined;
  readonly from: MemberState | undefined;
  readonly to: MemberState | undefined;
  readonly atMs: number;
}

/** What a swarm tells its checkers; each listens to what concerns it. */
export interface SwarmListener {
  /** The world (or one node of it) is not whole at this moment: called at the last moment of that, too. */
  disturbed?(nowMs: number, node?: NodeIndex): void;
  /** An honest node accepted this from another. */
  accepted?(observer: NodeIndex, bytes: Uint8Array, nowMs: number): void;
  /** An honest node published this under its own name. */
  published?(node: NodeIndex, bytes: Uint8Array, nowMs: number): void;
  memberChanged?(change: MemberChange, swarm: SwarmView): void;
  crashed?(node: NodeIndex, swarm: SwarmView): void;
  /** Started, or started again; `forgetful`: with a disk that has lost time. */
  restarted?(node: NodeIndex, forgetful: boolean, nowMs: number): void;
  /** Once a virtual second. */
  check?(swarm: SwarmView): void;
}

/** Looks for one invariant's violations. */
export abstract class Checker implements SwarmListener {
  abstract readonly name: string;
  /** How much was judged: 0 says that the checker never looked. */
  checks = 0;
  readonly #violations = new Violations();

  /** The first ones. */
  get violations(): readonly Violation[] {
    return this.#violations.list;
  }

  /** All, those not kept included. */
  get violationCount(): number {
    return this.#violations.count;
  }

  /** Once a virtual second. */
  check?(swarm: SwarmView): void;

  /** Once, after the world has healed and had its time to converge. */
  finish?(swarm: SwarmView): void;

  protected report(atMs: number, observer: NodeIndex, subject: NodeIndex, what: string): void {
    this.#violations.add({ checker: this.name, atMs, observer, subject, what });
  }
}

/** A node id that is in this world. */
export type IndexOf = (nodeId: NodeId) => NodeIndex | undefined;
