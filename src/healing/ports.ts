// What the healing loop needs from outside: what it sees with, acts through and remembers in.

import type { ActionKind, Incident, SimilarIncident } from "./incident.ts";
import type { Reading } from "./observation.ts";

/** Reads the node. Cheap enough for each second; throws nothing: what cannot be read is left out. */
export interface Sensors {
  read(): Reading;
}

/** An action to carry out. */
export interface ActionOrder {
  /** Unique on this node while it runs. */
  readonly id: number;
  readonly kind: ActionKind;
  /** A NodeId, or the name of a part: what `kind` is done to. */
  readonly target?: string;
  /** After this it counts as failed, whatever comes of it. */
  readonly timeLimitMs: number;
}

/** How an order ended, as far as the actuator knows; whether it helped, the machine's check says. */
export type ActionEnd =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** Carries orders out. Every action is idempotent: done twice it does no more than done once. */
export interface Actuators {
  /** What this node can do. A playbook with anything else in it is refused. */
  readonly kinds: ReadonlySet<ActionKind>;
  /** Begins the order; `ended` is called once, never from within this call. */
  begin(order: ActionOrder, ended: (end: ActionEnd) => void): void;
  /** Takes back what the order did; only for kinds with an undo, a no-op for others. */
  undo(order: ActionOrder): void;
}

/** Remembers incidents. Throws nothing: a damaged memory answers with less. */
export interface Knowledge {
  /** Past incidents like this one, most similar first, at most INCIDENT_SIMILAR_MAX. */
  recall(incident: Incident): readonly SimilarIncident[];
  /** Keeps an incident, or its new state under the same id. */
  record(incident: Incident): void;
  /** Newest first. */
  list(limit: number): readonly Incident[];
  find(id: string): Incident | undefined;
}
