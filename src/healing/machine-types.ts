// What goes into the healing machine and what comes out of it.

import type { Now } from "../ports/index.ts";
import type { ActionEnd, ActionOrder } from "./ports.ts";
import type { Incident, TakenAction } from "./incident.ts";
import type { ObservationName, Reading } from "./observation.ts";

/** A token of the mesh-wide budget that another node has taken, from its signed claim. */
export interface Claim {
  readonly nodeId: string;
  /** Runs out after this, by this node's clock; at most the options' claimMs. */
  readonly leftMs: number;
}

export type HealingEvent =
  /** Once a second. */
  | { readonly kind: "observed"; readonly reading: Reading }
  | { readonly kind: "action-ended"; readonly id: number; readonly end: ActionEnd }
  | { readonly kind: "claimed"; readonly claim: Claim }
  | { readonly kind: "frozen"; readonly frozen: boolean };

/** What the driver is to do. */
export type HealingEffect =
  | { readonly kind: "act"; readonly order: ActionOrder; readonly why: string }
  | { readonly kind: "undo"; readonly order: ActionOrder; readonly why: string }
  /** This node takes a token of the mesh-wide budget: to be signed and told to all. */
  | { readonly kind: "claim"; readonly leftMs: number }
  /** For the audit log: an action of an incident got this far. */
  | { readonly kind: "action"; readonly incident: Incident; readonly action: TakenAction }
  /** An incident opened, changed or closed; the machine has recorded it already. */
  | {
      readonly kind: "incident";
      readonly incident: Incident;
      readonly change: "opened" | "changed" | "closed";
    };

/** The loop's state for `meshctl heal status`. */
export interface HealingView {
  readonly frozen: boolean;
  readonly dryRun: boolean;
  /** Why nothing disruptive is done at the moment; absent while it may be. */
  readonly halted?: string;
  readonly running: readonly ActionOrder[];
  /** Actions left in the window. */
  readonly budgetLeft: number;
  /** Nodes of the mesh under disruptive repair by their claims, and how many may be. */
  readonly claims: number;
  readonly claimsMax: number;
  readonly open: readonly Incident[];
  /** Sensors without a reading at the last look. */
  readonly missing: readonly ObservationName[];
}

/** The healing machine: `HealingMachine` is it. No clock, no I/O, no randomness. */
export interface HealingProtocol {
  handle(event: HealingEvent, now: Now): readonly HealingEffect[];
  view(now: Now): HealingView;
}
