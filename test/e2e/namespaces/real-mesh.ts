// Real daemons as a mesh under test.

import { globSync } from "node:fs";
import type { DaemonMesh } from "./daemons.ts";
import type { Impairment } from "./fabric.ts";
import type { MeshUnderTest } from "./phases.ts";

const POLL_MS = 10;

/** Debian's libfaketime: the only way to give one process another wall clock. */
export function libfaketime(): string | undefined {
  return globSync("/usr/lib/*/faketime/libfaketimeMT.so.1")[0];
}

export class RealMesh implements MeshUnderTest {
  readonly wronged = { suspected: 0, dead: 0 };
  readonly #daemons: DaemonMesh;

  constructor(daemons: DaemonMesh) {
    this.#daemons = daemons;
    daemons.onChange = (subject, state) => {
      if (!daemons.isUp(subject)) return;
      if (state === "suspect") this.wronged.suspected++;
      if (state === "dead") this.wronged.dead++;
    };
  }

  get size(): number {
    return this.#daemons.size;
  }

  isUp(node: number): boolean {
    return this.#daemons.isUp(node);
  }

  stateOf(observer: number, subject: number): string {
    return this.#daemons.views[observer]?.get(subject) ?? "forgotten";
  }

  impair(impairment: Impairment): Promise<void> {
    return this.#daemons.namespaces.fabric.impair(impairment);
  }

  partition(side: readonly number[]): Promise<void> {
    return this.#daemons.namespaces.fabric.partition(side);
  }

  powerLoss(node: number): Promise<void> {
    return this.#daemons.powerLoss(node);
  }

  async powerOn(node: number, skewMs: number): Promise<void> {
    await this.#daemons.powerOn(node, skewMs === 0 ? {} : skewedClock(skewMs));
  }

  run(ms: number): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }

  async until(what: string, holds: () => boolean, limitMs: number): Promise<number> {
    const start = performance.now();
    while (!holds()) {
      if (performance.now() - start > limitMs)
        throw new Error(`waited ${limitMs} ms for ${what}; ${this.#daemons.describe()}`);
      await this.run(POLL_MS);
    }
    return performance.now() - start;
  }
}

function skewedClock(skewMs: number): NodeJS.ProcessEnv {
  const seconds = skewMs / 1_000;
  return {
    LD_PRELOAD: libfaketime(),
    FAKETIME: `${seconds > 0 ? "+" : ""}${seconds}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}
