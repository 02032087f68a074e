// How long recovery takes: from a crash until each other node holds the crashed one dead, until each of its
// neighbours routes around it, and from the healing until all views are equal. Exact to the event that shows it.

import type { MemberChange, SwarmListener } from "../checkers/checker.ts";
import type { NodeIndex } from "../node-types.ts";
import type { SwarmView } from "../checkers/swarm-view.ts";

/** Samples of one kind that are kept; the percentiles are over these. */
const SAMPLES_MAX = 200_000;

/** Milliseconds, or null where there was nothing to measure. */
export interface RecoveryTimes {
  readonly detectMsP50: number | null;
  readonly detectMsP99: number | null;
  readonly rerouteMsP50: number | null;
  readonly rerouteMsP99: number | null;
  readonly convergeMsP50: number | null;
  readonly convergeMsP99: number | null;
}

interface Crash {
  readonly atMs: number;
  /** Neighbours that still route over it. */
  readonly routing: Set<NodeIndex>;
}

/** Measures recovery. */
export class RecoveryMonitor implements SwarmListener {
  readonly #detectMs: number[] = [];
  readonly #rerouteMs: number[] = [];
  readonly #convergeMs: number[] = [];
  readonly #crashes = new Map<NodeIndex, Crash>();

  /** Called before the node is gone. */
  crashed(node: NodeIndex, swarm: SwarmView): void {
    const routing = swarm.peers(node).filter((peer) => swarm.isHealthy(peer));
    this.#crashes.set(node, { atMs: swarm.nowMs, routing: new Set(routing) });
  }

  restarted(node: NodeIndex): void {
    this.#crashes.delete(node);
  }

  memberChanged({ observer, subject, to, atMs }: MemberChange, swarm: SwarmView): void {
    const crash = subject === undefined ? undefined : this.#crashes.get(subject);
    if (subject === undefined || crash === undefined || !swarm.isHealthy(observer)) return;
    if (to === "dead") add(this.#detectMs, atMs - crash.atMs);
    if (!crash.routing.has(observer) || routesOver(swarm, observer, subject)) return;
    crash.routing.delete(observer);
    add(this.#rerouteMs, atMs - crash.atMs);
  }

  converged(afterMs: number): void {
    add(this.#convergeMs, afterMs);
  }

  times(): RecoveryTimes {
    return {
      detectMsP50: percentile(this.#detectMs, 0.5),
      detectMsP99: percentile(this.#detectMs, 0.99),
      rerouteMsP50: percentile(this.#rerouteMs, 0.5),
      rerouteMsP99: percentile(this.#rerouteMs, 0.99),
      convergeMsP50: percentile(this.#convergeMs, 0.5),
      convergeMsP99: percentile(this.#convergeMs, 0.99),
    };
  }
}

function routesOver(swarm: SwarmView, observer: NodeIndex, subject: NodeIndex): boolean {
  const gone = swarm.census.at(subject).identity.nodeId;
  const routes = swarm.node(observer)?.machine.routes() ?? [];
  return routes.some(({ nextHop, target }) => nextHop === gone || target === gone);
}

function add(samples: number[], ms: number): void {
  if (samples.length < SAMPLES_MAX) samples.push(ms);
}

/** Nearest rank, in whole milliseconds. */
export function percentile(samples: readonly number[], share: number): number | null {
  if (samples.length === 0) return null;
  const sorted = Float64Array.from(samples).sort();
  const rank = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return Math.round(sorted[rank] ?? 0);
}
