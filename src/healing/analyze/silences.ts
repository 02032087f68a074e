// Who is silent that is not usually: members whose signs of life stay away, and links on which probes are not answered any more.
// A link may be dead while its peer lives and is heard of through others: TCP tells that after a quarter of an hour.

import type { MonoMs } from "../../ports/index.ts";
import type { Evidence } from "../incident.ts";
import type { PeerReading, Reading } from "../observation.ts";
import { shortNumber } from "../short-number.ts";
import { PhiAccrual } from "./phi.ts";

/** Akka's and Cassandra's threshold. */
const PHI_MAX = 8;
/** A time in which this node did not look says nothing about others: three looks missed. */
const PAUSE_MS = 4_000;

interface Trace {
  readonly phi: PhiAccrual;
  atMs: MonoMs;
}

/** What a look at the peers adds to a reading. */
export interface Silence {
  readonly values: Pick<Reading["values"], "silentRatio" | "linkPhi">;
  /** By NodeId: live members whose link carries nothing. */
  readonly deadLinks: ReadonlyMap<string, Evidence>;
}

export class Silences {
  /** Of the peers of the last reading, which are at most `PEERS_READ_MAX`. */
  readonly #heard = new Map<string, Trace>();
  readonly #answered = new Map<string, Trace>();
  #lookMs: MonoMs | undefined;

  look(peers: readonly PeerReading[], nowMs: MonoMs): Silence {
    if (nowMs - (this.#lookMs ?? nowMs) > PAUSE_MS) this.#excuse(nowMs);
    this.#lookMs = nowMs;
    this.#forgetOthers(peers);
    const live = peers.filter(({ state }) => state === "alive" || state === "suspect");
    const silent = live.filter(({ nodeId, heardAtMs }) => {
      const trace = follow(this.#heard, nodeId, heardAtMs);
      return (trace?.phi.after(nowMs - trace.atMs) ?? 0) > PHI_MAX;
    });
    let linkPhi = 0;
    const deadLinks = new Map<string, Evidence>();
    for (const { nodeId, connected, answeredAtMs } of live) {
      const trace = connected ? follow(this.#answered, nodeId, answeredAtMs) : undefined;
      const silentMs = nowMs - (trace?.atMs ?? nowMs);
      const phi = trace?.phi.after(silentMs) ?? 0;
      linkPhi = Math.max(linkPhi, phi);
      if (trace !== undefined && phi > PHI_MAX)
        deadLinks.set(nodeId, evidenceOf(phi, silentMs, trace.phi.usualMs));
    }
    const silentRatio = live.length === 0 ? 0 : silent.length / live.length;
    return { values: { silentRatio, linkPhi }, deadLinks };
  }

  /** All silences begin anew. */
  #excuse(nowMs: MonoMs): void {
    for (const traces of [this.#heard, this.#answered])
      for (const trace of traces.values()) trace.atMs = nowMs;
  }

  #forgetOthers(peers: readonly PeerReading[]): void {
    for (const traces of [this.#heard, this.#answered]) {
      if (traces.size === 0) continue;
      const here = new Set(peers.map(({ nodeId }) => nodeId));
      for (const nodeId of traces.keys()) if (!here.has(nodeId)) traces.delete(nodeId);
    }
  }
}

/** The trace of a source after its newest sign of life; `undefined` when there was none yet. */
function follow(
  traces: Map<string, Trace>,
  nodeId: string,
  atMs: MonoMs | undefined,
): Trace | undefined {
  const trace = traces.get(nodeId);
  if (atMs === undefined) return trace;
  if (trace === undefined) traces.set(nodeId, { phi: new PhiAccrual(), atMs });
  else if (atMs > trace.atMs) {
    trace.phi.arrived(atMs - trace.atMs);
    trace.atMs = atMs;
  }
  return traces.get(nodeId);
}

function evidenceOf(phi: number, silentMs: number, usualMs: number): Evidence {
  const finding = `silent for ${shortNumber(silentMs / 1_000)} s, usually ${shortNumber(usualMs / 1_000)} s`;
  return { observation: "linkPhi", value: phi, threshold: PHI_MAX, finding };
}
