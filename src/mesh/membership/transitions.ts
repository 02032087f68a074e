// The membership state machine as one table. What is not in it does not happen.
//
//   joining --proof of life--> alive --silence--> suspect --time--> dead
//      suspect and dead come back with a proof of life; left only with a new epoch; quarantined only after an
//      operator's release, as if it had never been here. Dead and left are forgotten after their time.

import type { MemberCause, MemberState } from "../machine-types.ts";

type Row = Partial<Record<MemberState, MemberState | "gone">>;

const proofOfLife: Row = { joining: "alive", suspect: "alive", dead: "alive" };
const badNews: Row = { joining: "suspect", alive: "suspect" };
const inTheMesh = (to: MemberState): Row => ({ joining: to, alive: to, suspect: to, dead: to });

const table: Readonly<Record<MemberCause, Row>> = {
  // A beacon may have been under way for long: it refutes a suspicion, but the dead must show a heartbeat too.
  beacon: { suspect: "alive", dead: "joining" },
  heartbeat: proofOfLife,
  connected: proofOfLife,
  "probe-answered": proofOfLife,
  silence: badNews,
  "probe-failed": badNews,
  "suspicion-timeout": { suspect: "dead" },
  leaving: inTheMesh("left"),
  "new-epoch": { joining: "alive", suspect: "alive", dead: "alive", left: "alive" },
  equivocation: { ...inTheMesh("quarantined"), left: "quarantined" },
  released: { quarantined: "gone" },
  forgotten: { joining: "gone", dead: "gone", left: "gone" },
};

/** Where a state leads for a cause; `undefined` when it stays, `gone` when the member is to be forgotten. */
export function transition(
  from: MemberState,
  cause: MemberCause,
): MemberState | "gone" | undefined {
  return table[cause][from];
}
