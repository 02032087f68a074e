// What an injector is: it lets faults of its class begin and end in a swarm, in any overlap.

import type { Fault, FaultKind } from "../scenarios/faults.ts";

/** Injects the faults of one class. */
export interface Injector<Kind extends FaultKind = FaultKind> {
  begin(fault: Fault<Kind>): void;
  end(fault: Fault<Kind>): void;
  /** Once a virtual second, for faults that go on. */
  tick(): void;
}
