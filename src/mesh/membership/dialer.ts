// Who to connect to: known members until the target is reached, chosen at random so that the overlay is a random
// graph and hangs together; and beyond it one member at a time who is dead, or who was and sent a beacon and no heartbeat yet. Without
// that the halves of a partition would not meet again, each with all the connections and gossip neighbours that it wants.

import type { MonoMs, Now, Random } from "../../ports/index.ts";
import type { MeshAction, MeshSelf } from "../machine-types.ts";
import type { MeshOptions } from "../options.ts";
import type { LinksOutside } from "../zones/links-outside.ts";
import { isPresent, type Member } from "./member.ts";
import type { Roster } from "./roster.ts";
import { sample } from "./sampling.ts";

/** Dials in one tick: what a small host opens without a stir. */
const DIALS_AT_ONCE = 4;
/** The interval doubles with each failure up to 2^4. */
const BACKOFF_EXPONENT_MAX = 4;
const JITTER = 0.2;

interface DialerDeps {
  readonly roster: Roster;
  readonly random: Random;
  readonly self: MeshSelf;
  /**
   * Whether a member is of the own zone: those of others have a share of the connections of their own, and the one that
   * was given up last is still known.
   */
  readonly isHere: (member: Member) => boolean;
  readonly outside: Pick<LinksOutside, "wanted" | "candidates" | "surplus">;
  readonly emit: (action: MeshAction) => void;
}

/** Dials on its timer. */
export class Dialer {
  readonly #deps: DialerDeps;
  readonly #options: MeshOptions;

  constructor(deps: DialerDeps, options: MeshOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Sets the next timer, ±20 %. */
  schedule(): void {
    const jitter = 1 + JITTER * (2 * this.#deps.random.fraction() - 1);
    const delayMs = this.#options.dialIntervalMs * jitter;
    this.#deps.emit({ kind: "set-timer", id: "dial", delayMs });
  }

  /** The `dial` timer. */
  tick(now: Now): void {
    let connected = 0;
    const present: Member[] = [];
    const lost: Member[] = [];
    for (const member of this.#deps.roster.all()) {
      if (!this.#deps.isHere(member)) continue;
      if (member.connected) connected++;
      else if (this.#isDue(member, now)) {
        if (isPresent(member)) present.push(member);
        if (member.state === "dead" || member.state === "joining") lost.push(member);
      }
    }
    const { outside, emit } = this.#deps;
    const target = Math.max(1, this.#options.connectionsTarget - outside.wanted);
    const free = Math.min(DIALS_AT_ONCE, target - connected);
    const chosen = new Set(sample(present, free, this.#deps.random));
    for (const member of sample(lost, 1, this.#deps.random)) chosen.add(member);
    for (const member of chosen) this.#dial(member, now);
    for (const candidate of outside.candidates()) emit({ kind: "dial", ...candidate });
    const nodeId = outside.surplus();
    if (nodeId !== undefined) emit({ kind: "disconnect", nodeId, code: "mesh/surplus" });
    this.schedule();
  }

  #isDue(member: Member, now: Now): boolean {
    if (addressesOf(member).length === 0 || now.monoMs < member.dialAtMs) return false;
    // Of two nodes that meet, the one with the smaller id dials first: one connection instead of two.
    const second = this.#deps.self.nodeId > member.nodeId && member.dialFailures === 0;
    return !second || now.monoMs - member.stateSinceMs >= 2 * this.#options.dialIntervalMs;
  }

  #dial(member: Member, now: Now): void {
    const backoff = 2 ** Math.min(BACKOFF_EXPONENT_MAX, member.dialFailures);
    member.dialFailures++;
    member.dialAtMs = (now.monoMs + this.#options.dialIntervalMs * backoff) as MonoMs;
    this.#deps.emit({ kind: "dial", nodeId: member.nodeId, addresses: addressesOf(member) });
  }
}

function addressesOf(member: Member): readonly string[] {
  const announced = member.accepted[0]?.beacon.addresses ?? [];
  return announced.length > 0 ? announced : member.seenAddresses;
}
