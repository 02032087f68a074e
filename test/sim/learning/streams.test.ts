// Certified rounds over a rolling table: what late updates and flooders can do to it, and what they cannot.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamingOrchestrator } from "../../../src/learning/index.ts";
import { FAULTS_MS, faultyNetwork } from "./fault-plan.ts";
import { type Lie, RoundNetwork } from "./round-network.ts";

const SEEDS = Number(process.env["STREAM_SEEDS"] ?? 200);
const STALENESS_MAX = 6;

const stream = (participants: number, byzantine: number) =>
  new StreamingOrchestrator({
    ...{ participants, byzantine, intervalMs: 300, stalenessMax: STALENESS_MAX },
  });

const states = (network: RoundNetwork) =>
  JSON.stringify(network.nodes.map(({ machine }) => machine.status()));

describe("a stream's table", () => {
  it("keeps the updates of the slow until newer ones come, and is void when nothing new came", () => {
    const network = new RoundNetwork({
      ...{ seed: 1, participants: 4, byzantine: 1, rounds: 20, policy: stream(4, 1) },
      // Two to six ticks each.
      trainMs: 1_200,
    });
    const ages: number[] = [];
    network.onAggregate = (round, headers) => {
      for (const { baseRound } of headers) ages.push(round - 1 - baseRound);
    };
    assert.ok(
      network.run(60_000, () => network.nodes.every(({ finished }) => finished)),
      states(network),
    );
    assert.ok(Math.max(...ages) <= STALENESS_MAX && new Set(ages).size > 2, ages.join());
    const sets = [...(network.nodes[0]?.certificates.values() ?? [])].flatMap(({ decision }) =>
      decision.kind === "set" ? [decision.entries.map(({ header }) => header).join()] : [],
    );
    assert.ok(sets.length > 0 && sets.length < 20, `${sets.length} of 20 ticks had something new`);
    assert.equal(new Set(sets).size, sets.length, "no table is applied twice");
  });

  it("does not lose what was stated to a liar that fills all its slots at once", () => {
    const withheld: Uint8Array[] = [];
    // The update that all have stated is followed by five newer ones, before it is decided.
    const lie: Lie = (message, bytes) => {
      const others = network.nodes.filter(({ isLiar }) => !isLiar);
      const toAll = (sent: Uint8Array) => others.map(({ index }) => [index, sent] as const);
      if (message.kind === "header" && message.round % STALENESS_MAX !== 1) {
        withheld.push(bytes);
        return [];
      }
      const isTime = message.kind === "prevote" && message.round % STALENESS_MAX === 0;
      return [...(isTime ? withheld.splice(0).flatMap(toAll) : []), ...toAll(bytes)];
    };
    const network: RoundNetwork = new RoundNetwork({
      ...{ seed: 2, participants: 4, byzantine: 1, rounds: 25, policy: stream(4, 1) },
      ...{ liars: 1, lie },
    });
    assert.ok(
      network.run(60_000, () => network.honest.every(({ finished }) => finished)),
      states(network),
    );
    const refused = "meshd_learning_messages_refused_total/learning/too-many-headers";
    for (const { counted } of network.honest)
      assert.ok((counted.get(refused) ?? 0) > 0, "a flooder gets no more than the honest");
    assert.equal(network.highestView, 0, "nobody waited for it");
  });

  it(`never forks under faults and lies, and goes on after them: ${SEEDS} seeds`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const participants = seed % 2 === 0 ? 4 : 7;
      const byzantine = (participants - 1) / 3;
      const network = faultyNetwork(seed, {
        ...{ participants, byzantine, policy: stream(participants, byzantine) },
        ...{ liars: seed % 3 === 0 ? 0 : byzantine, trainMs: seed % 5 === 0 ? 900 : 100 },
      });
      network.run(FAULTS_MS);
      const rounds = network.certified;
      const healed = network.run(20_000, () => network.certified >= rounds + 2);
      assert.ok(healed, `seed ${seed} is stuck: ${states(network)}`);
    }
  });
});
