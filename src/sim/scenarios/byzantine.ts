// Byzantine members: one replays, one forges, one says two things at once, on a network that loses and
// doubles messages. Honest nodes must keep seeing each other, put the equivocator into quarantine
// everywhere, nobody else, and accept nothing twice.

import { Equivocator, Forger, Replayer } from "../intruders.ts";
import type { NodeIndex } from "../node-types.ts";
import type { Swarm } from "../swarm.ts";
import { converge, stayCalm, waitFor } from "./phases.ts";
import type { Scenario, ScenarioOutcome } from "./scenario.ts";

const BOOT_LIMIT_MS = 60_000;
/** Every honest node has the equivocator in quarantine by then. */
const QUARANTINE_LIMIT_MS = 60_000;
/** Longer than a seen-cache remembers, so that replays reach the machines. */
const MISCHIEF_MS = 180_000;
const EQUIVOCATOR = 0;
const FORGER = 1;
const REPLAYER = 2;

export const byzantine: Scenario = {
  name: "byzantine",
  summary:
    "A replayer, a forger and an equivocator among honest nodes; only the last is quarantined.",
  nodes: 20,
  swarm: ({ seed, nodes, lossRatio = 0.03 }) => ({
    seed,
    nodes,
    network: { lossRatio, duplicateRatio: 0.02, jitterMs: 15 },
    makeIntruder: ({ node, honest, twin }) => {
      if (node === EQUIVOCATOR) return new Equivocator(honest, twin());
      if (node === FORGER) return new Forger(honest);
      return node === REPLAYER ? new Replayer(honest) : undefined;
    },
  }),
  script,
};

function script(swarm: Swarm): ScenarioOutcome {
  const failures: string[] = [];
  swarm.startAll();
  const booted = converge(swarm, "start", BOOT_LIMIT_MS, failures);
  const convicted = (): boolean =>
    swarm.healthy().every((observer) => quarantined(swarm, observer).includes(EQUIVOCATOR));
  const quarantine = waitFor(swarm, convicted, QUARANTINE_LIMIT_MS);
  if (quarantine === undefined) failures.push("The equivocator is not in quarantine everywhere.");
  stayCalm(swarm, MISCHIEF_MS, failures);
  for (const observer of swarm.healthy()) {
    const wronged = quarantined(swarm, observer).filter((node) => node !== EQUIVOCATOR);
    if (wronged.length > 0) {
      failures.push(`Node ${observer} put ${wronged.join(", ")} into quarantine without a proof.`);
    }
  }
  const { rejected } = swarm.world.counts;
  if (rejected === 0) failures.push("No forgery was rejected: the forger was not heard.");
  return {
    findings: [
      booted,
      { name: "equivocator in quarantine everywhere", value: quarantine, unit: "ms" },
      { name: "messages rejected", value: rejected, unit: "messages" },
    ],
    failures,
  };
}

function quarantined(swarm: Swarm, observer: NodeIndex): NodeIndex[] {
  return swarm.states(observer).flatMap(([node, state]) => (state === "quarantined" ? [node] : []));
}
