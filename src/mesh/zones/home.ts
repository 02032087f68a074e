// The zone of the own node: a fixed name, or the automatic one of the moment. After a move the zone before stays home
// for a grace time, so that those who move later are neither lost nor taken for dead.

import type { NodeId } from "../../identity/index.ts";
import type { MonoMs, Now, Random } from "../../ports/index.ts";
import { currentBeacon, type Member } from "../membership/member.ts";
import type { MeshOptions } from "../options.ts";
import { AUTO_ZONE, autoZone, belongs, depthOf } from "./zone-names.ts";

/** A move that is considered: it must be wanted without a break until then. */
interface Intention {
  readonly holdsAtMs: MonoMs;
}

/** Where the own node is, and since when. */
export class Home {
  readonly #self: NodeId;
  readonly #random: Random;
  readonly #options: Pick<MeshOptions, "zoneSettleMs" | "zoneGraceMs">;
  #zone: string;
  #enteredAtMs = 0 as MonoMs;
  #staysUntilMs = 0 as MonoMs;
  #before: { readonly zone: string; readonly untilMs: MonoMs } | undefined;
  #intention: Intention | undefined;

  constructor(
    deps: { readonly self: { nodeId: NodeId; zone: string }; readonly random: Random },
    options: Pick<MeshOptions, "zoneSettleMs" | "zoneGraceMs">,
  ) {
    const { nodeId, zone } = deps.self;
    this.#self = nodeId;
    this.#random = deps.random;
    this.#options = options;
    this.#zone = zone === AUTO_ZONE ? autoZone(nodeId, 0) : zone;
  }

  get zone(): string {
    return this.#zone;
  }

  /** Of an automatic zone. */
  get depth(): number | undefined {
    return depthOf(this.#zone);
  }

  /** The zone before, in its grace time. */
  get before(): string | undefined {
    return this.#before?.zone;
  }

  get enteredAtMs(): MonoMs {
    return this.#enteredAtMs;
  }

  /** Whether the node has been here long enough to know who else is. */
  isSettled(nowMs: MonoMs): boolean {
    return this.#intention === undefined && nowMs - this.#enteredAtMs >= this.#options.zoneSettleMs;
  }

  /** A node that comes back to a zone within the mesh waits for what the other zones tell before it finds that too large a place. */
  start(nowMs: MonoMs): void {
    this.#enteredAtMs = nowMs;
    const patienceMs = (this.depth ?? 0) > 0 ? this.#options.zoneGraceMs : 0;
    this.#staysUntilMs = (nowMs + patienceMs) as MonoMs;
  }

  /** Heartbeats of this zone arrive here. */
  hears(zone: string): boolean {
    return zone === this.#zone || zone === this.#before?.zone;
  }

  /** A node that belongs here: by its zone, or by its NodeId wherever in the tree it is at the moment. */
  concerns(nodeId: NodeId, zone: string): boolean {
    return this.hears(zone) || belongs(nodeId, zone, this.#zone);
  }

  /** The same of a member; one without a beacon belongs nowhere yet. */
  holds(member: Member): boolean {
    const beacon = currentBeacon(member);
    return beacon !== undefined && this.concerns(member.nodeId, beacon.zone);
  }

  /** Whether heartbeats of this member should arrive here; of one without a beacon nobody knows. */
  isHeard(member: Member): boolean {
    const beacon = currentBeacon(member);
    return beacon === undefined || this.hears(beacon.zone);
  }

  /**
   * Goes to the wanted depth once that was wanted without a break for one to three settling times, by chance, so that two
   * halves of a mesh do not change places for ever. One move at a time. @returns the zone left, or `undefined`
   */
  consider(wantedDepth: number, now: Now): string | undefined {
    if (this.#before !== undefined && now.monoMs >= this.#before.untilMs) this.#before = undefined;
    if (this.depth === undefined || now.monoMs < this.#staysUntilMs) return undefined;
    if (wantedDepth === this.depth) this.#intention = undefined;
    else if (this.#intention === undefined) {
      const holdMs = this.#options.zoneSettleMs * (1 + 2 * this.#random.fraction());
      this.#intention = { holdsAtMs: (now.monoMs + holdMs) as MonoMs };
    } else if (this.#before === undefined && now.monoMs >= this.#intention.holdsAtMs)
      return this.#move(autoZone(this.#self, wantedDepth), now);
    return undefined;
  }

  #move(zone: string, now: Now): string {
    const from = this.#zone;
    this.#before = { zone: from, untilMs: (now.monoMs + this.#options.zoneGraceMs) as MonoMs };
    this.#zone = zone;
    this.#enteredAtMs = now.monoMs;
    this.#intention = undefined;
    return from;
  }
}
