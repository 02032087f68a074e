// Certified rounds among simulated participants: what must always hold, and what must happen in the end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createNativeEngine } from "../../../src/adapters/crypto/native.ts";
import type { Certificate, RoundAction } from "../../../src/learning/index.ts";
import { batchAsyncPolicy, verifyChain } from "../../../src/learning/index.ts";
import { encodeHeader } from "../../../src/learning/protocol/messages.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";
import { FAULTS_MS, faultyNetwork } from "./fault-plan.ts";
import {
  digestOf,
  modelSignatures,
  RoundNetwork,
  sha256,
  type SimulatedNode,
} from "./round-network.ts";

const SEEDS = Number(process.env["ROUND_SEEDS"] ?? 1000);

const states = (network: RoundNetwork) =>
  JSON.stringify(network.nodes.map(({ machine }) => machine.status()));

const authors = ({ decision }: Certificate) =>
  decision.kind === "set" ? decision.entries.map(({ nodeId }) => nodeId) : [];

const node = (network: RoundNetwork, index: number) => network.nodes[index] as SimulatedNode;

const newest = ({ certificates }: SimulatedNode) =>
  certificates.get(Math.max(...certificates.keys())) as Certificate;

describe("certified rounds", () => {
  it("are one chain at all participants, and take everyone's update when nothing fails", () => {
    const network = new RoundNetwork({ seed: 1, participants: 4, byzantine: 1, rounds: 5 });
    assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    for (const { certificates } of network.nodes) {
      assert.equal(certificates.size, 5);
      for (const certificate of certificates.values()) {
        assert.equal(authors(certificate).length, 4);
      }
    }
    assert.equal(network.highestView, 0, "no proposer failed");
    const { participants, task, nodes } = network;
    const chain = [...node(network, 3).certificates.values()];
    const verifier = {
      ...{ sha256, mlDsa: modelSignatures },
      publicKeyOf: (id: string) => nodes.find((other) => other.id === id)?.signer.publicKey,
    };
    const genesis = { digest: chain[0]?.previous ?? "", round: 0, task };
    assert.ok(verifyChain(verifier, chain, participants, genesis).ok);
    const gap = verifyChain(verifier, chain.slice(1), participants, genesis);
    assert.equal(!gap.ok && gap.code, "learning/wrong-chain");
    const forged = chain.map((one) => ({ ...one, result: { ...one.result, model: task } }));
    const refused = verifyChain(verifier, forged, participants, genesis);
    assert.equal(!refused.ok && refused.code, "learning/bad-certificate");
    const few = chain.map((one) => ({ ...one, signatures: one.signatures.slice(0, 2) }));
    const short = verifyChain(verifier, few, participants, genesis);
    assert.equal(!short.ok && short.code, "learning/bad-certificate");
  });

  it("lose no timer that comes a moment early", () => {
    const network = new RoundNetwork({ seed: 1, participants: 4, byzantine: 1, rounds: 1 });
    network.run(60);
    const { machine } = node(network, 0);
    const early = { monoMs: (network.nowMs + 1) as MonoMs, wallMs: 0 as WallMs };
    for (const id of ["deadline", "republish"] as const) {
      const [again] = machine.handle({ kind: "timer", id }, early);
      assert.ok(again?.kind === "set-timer" && again.id === id, `${id} is set again`);
      assert.ok(again.delayMs > 0 && again.delayMs < 1000, `${id} in ${again.delayMs} ms`);
    }
  });

  for (const kind of ["train", "aggregate", "fetch-update", "fetch-model", "sync"] as const)
    it(`are done although every ${kind} fails three times, everywhere`, () => {
      const failures = new Map<string, number>();
      const fails = ({ index, disk }: SimulatedNode, action: RoundAction): boolean => {
        if (action.kind !== kind) return false;
        const what = action.kind === "fetch-update" ? action.header.digest : "";
        const place = [index, disk.certificates.size, what].join("/");
        const count = (failures.get(place) ?? 0) + 1;
        failures.set(place, count);
        return count <= 3;
      };
      const setting = { seed: 3, participants: 4, byzantine: 1, rounds: 2, fails };
      const network = new RoundNetwork({
        ...setting,
        policy: batchAsyncPolicy({ target: 4, deadlineMs: 20_000 }, 4, 1),
      });
      // Who comes back has to fetch a model, too.
      const late = node(network, 3);
      if (kind === "fetch-model") {
        network.crash(late);
        network.later(25_000, () => network.restart(late));
      }
      const isDone = () =>
        network.nodes.every(({ finished, machine }) => finished && machine.status().modelHere);
      assert.ok(network.run(120_000, isDone), states(network));
      assert.ok(Math.max(...failures.values()) > 3 || kind === "sync", "it was tried again");
      for (const { certificates } of network.nodes)
        for (const certificate of certificates.values())
          assert.ok(authors(certificate).length >= 3, "no round is void");
    });

  it("close at the deadline without those that are silent, as long as they are no more than f", () => {
    const network = new RoundNetwork({ seed: 2, participants: 7, byzantine: 2, rounds: 3 });
    network.crash(node(network, 0));
    network.crash(node(network, 4));
    const up = network.nodes.filter((one) => one.up);
    assert.ok(
      network.run(60_000, () => up.every(({ finished }) => finished)),
      states(network),
    );
    for (const certificate of node(network, 1).certificates.values()) {
      assert.deepEqual(
        authors(certificate),
        up.map(({ id }) => id),
      );
    }
  });

  it("need no more than two participants, when none may lie", () => {
    for (const participants of [2, 3]) {
      const network = new RoundNetwork({ seed: 12, participants, byzantine: 0, rounds: 3 });
      assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    }
  });

  it("do not end while more than f are silent, and go on when one of them is back", () => {
    const network = new RoundNetwork({ seed: 3, participants: 4, byzantine: 1, rounds: 2 });
    network.crash(node(network, 0));
    network.crash(node(network, 1));
    network.run(20_000);
    assert.equal(node(network, 2).certificates.size, 0);
    assert.ok(network.highestView < 2, "nobody burns views meanwhile");
    network.restart(node(network, 0));
    assert.ok(
      network.run(20_000, () => node(network, 2).finished),
      states(network),
    );
  });

  it("are void when too few updates come, and keep the model", () => {
    const network = new RoundNetwork({
      ...{ seed: 4, participants: 4, byzantine: 1, rounds: 2 },
      // Nobody is done before the deadline.
      trainMs: 4000,
    });
    assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    for (const { certificates } of network.nodes) {
      const [first] = certificates.values();
      assert.equal(first?.decision.kind, "void");
      assert.equal(first.result.model, network.initialModel);
    }
  });

  it("do not take a model for here because the round that keeps it was void", () => {
    const isVoid = { now: false };
    const policy = batchAsyncPolicy({ target: 3, deadlineMs: 1000 }, 4, 1);
    const network = new RoundNetwork({
      ...{ seed: 13, participants: 4, byzantine: 1, rounds: 9 },
      policy: { ...policy, closes: (view) => (isVoid.now ? "void" : policy.closes(view)) },
    });
    const behind = node(network, 2);
    network.crash(behind);
    assert.ok(network.run(60_000, () => node(network, 0).certificates.size === 1));
    isVoid.now = true;
    // One more is gone: what is certified now, the one that comes back has signed as well.
    network.crash(node(network, 3));
    const { model } = newest(node(network, 0)).result;
    for (const { disk } of network.nodes) disk.models.delete(model);
    network.restart(behind);
    assert.ok(network.run(60_000, () => behind.certificates.size >= 3));
    assert.equal(newest(behind).decision.kind, "void");
    assert.equal(newest(behind).result.model, model);
    assert.equal(behind.machine.status().modelHere, false);
  });

  it("take who joins late along: it follows the certificates and takes part in what comes", () => {
    const network = new RoundNetwork({ seed: 5, participants: 4, byzantine: 1, rounds: 60 });
    const late = node(network, 2);
    network.crash(late);
    assert.ok(network.run(60_000, () => node(network, 0).certificates.size >= 40));
    network.restart(late);
    assert.ok(
      network.run(60_000, () => late.finished),
      states(network),
    );
    assert.equal(late.certificates.size, 60, "more than one answer's worth of certificates");
    assert.ok(authors(newest(late)).includes(late.id));
    assert.ok(late.machine.status().modelHere);
  });

  it("tell a node that computes something else, and give it the certified model", () => {
    const network = new RoundNetwork({
      ...{ seed: 6, participants: 4, byzantine: 1, rounds: 4 },
      compute: ({ index }, model) => (index === 3 ? digestOf("bit flip", model) : model),
    });
    assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    network.run(2000);
    const ill = node(network, 3);
    assert.ok(ill.diverged >= 1);
    assert.equal(
      ill.counted.get("meshd_learning_divergences_total"),
      4,
      "in each round, late or not",
    );
    assert.equal(ill.machine.status().model, node(network, 0).machine.status().model);
    assert.ok(ill.disk.models.has(ill.machine.status().model));
    assert.ok(ill.machine.status().modelHere);
    assert.deepEqual(
      network.nodes.map(({ diverged }) => diverged > 0),
      [false, false, false, true],
    );
  });

  it("say so when no result can reach a quorum any more", () => {
    const network = new RoundNetwork({
      ...{ seed: 7, participants: 4, byzantine: 1, rounds: 4 },
      compute: ({ index }, model) => digestOf(String(index % 2), model),
    });
    network.run(20_000);
    assert.equal(network.certified, 0);
    assert.deepEqual(
      network.nodes.map(({ split }) => split),
      [1, 1, 1, 1],
    );
  });

  it("leave out who commits to two updates, and everyone can prove it", () => {
    const network = new RoundNetwork({
      ...{ seed: 8, participants: 4, byzantine: 1, rounds: 4, liars: 1 },
      lie: (message, bytes, { index, signer }) => {
        const others = [0, 1, 2, 3].filter((to) => to !== index);
        if (message.kind !== "header") return others.map((to) => [to, bytes]);
        const update = digestOf("twin");
        const twin = encodeHeader(signer, message, { ...message.header, update });
        return [[1, twin], ...others.map((to) => [to, bytes] as const)];
      },
    });
    assert.ok(network.run(60_000, () => network.honest.every(({ finished }) => finished)));
    const liar = node(network, 0).id;
    for (const { disk, machine, certificates } of network.honest) {
      assert.deepEqual(machine.status().faulty, [liar]);
      assert.equal(disk.proofs.length, 1);
      assert.ok(!authors(certificates.get(4) as Certificate).includes(liar));
    }
  });

  it("end early, in the same round everywhere, when a certificate says so", () => {
    const network = new RoundNetwork({
      ...{ seed: 9, participants: 4, byzantine: 1, rounds: 9 },
      isLast: ({ result }) => result.summary[0] === 3,
    });
    assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    assert.deepEqual(
      network.nodes.map(({ certificates }) => certificates.size),
      [3, 3, 3, 3],
    );
  });

  it("admit updates from older models where the policy does, and no older ones than that", () => {
    const stalenessMax = 3;
    const network = new RoundNetwork({
      ...{ seed: 10, participants: 4, byzantine: 1, rounds: 20, trainMs: 500 },
      policy: {
        ...{ deadlineMs: 200, stalenessMax },
        closes: ({ held, elapsedMs }) => (elapsedMs < 200 ? "wait" : held >= 3 ? "close" : "void"),
      },
    });
    const ages: number[] = [];
    network.onAggregate = (round, headers) => {
      for (const { baseRound } of headers) ages.push(round - 1 - baseRound);
    };
    assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
    assert.ok(ages.length > 20 && Math.max(...ages) > 0, `${ages.length} updates`);
    assert.ok(Math.max(...ages) <= stalenessMax, `ages ${ages.join()}`);
  });

  it("cost little more than their signatures: six a participant", (context) => {
    const signatureBytes = 3309;
    for (const [participants, byzantine] of [
      [12, 3],
      [64, 21],
    ] as const) {
      const network = new RoundNetwork({ seed: 1, participants, byzantine, rounds: 1 });
      assert.ok(network.run(60_000, () => network.nodes.every(({ finished }) => finished)));
      const { published, certificate } = network.bytes;
      const total = [...published.values()].reduce((sum, bytes) => sum + bytes, 0);
      context.diagnostic(`n = ${participants}: ${total} bytes a round, certificate ${certificate}`);
      assert.ok(total < 6 * participants * signatureBytes * 1.2, `${total} bytes`);
    }
  });

  it("take a minute's state back from the journal when all crash at once", () => {
    const network = new RoundNetwork({ seed: 11, participants: 4, byzantine: 1, rounds: 100 });
    for (let i = 0; i < 30; i++) {
      network.later(137 * i, () => {
        for (const one of network.nodes) network.crash(one);
        for (const one of network.nodes) network.restart(one);
      });
    }
    assert.ok(
      network.run(60_000, () => network.certified >= 30),
      states(network),
    );
  });
});

describe("a lock", () => {
  it("survives the loss of everything but the journal of the one that has it", () => {
    for (let seed = 1; seed <= 10; seed++) {
      let lockedAtMs: number | undefined;
      const network: RoundNetwork = new RoundNetwork({
        ...{ seed, participants: 4, byzantine: 1, rounds: 1 },
        // The locked set has three updates; when they are up again, there are four, and another set would be proposed.
        policy: batchAsyncPolicy({ target: 3, deadlineMs: 1000 }, 4, 1),
        onPublish: (message) => {
          if (message.kind !== "precommit" || message.value === undefined) return;
          if (lockedAtMs !== undefined) return;
          lockedAtMs = network.nowMs;
          // All crash. One that did not lock stays away: with it the proposal may be gone, and one of the prevotes.
          network.later(0, () => {
            for (const one of network.nodes) network.crash(one);
            const away = network.nodes.find(({ id }) => id !== message.nodeId);
            for (const one of network.nodes) if (one !== away) network.restart(one);
          });
        },
      });
      network.run(60_000, () => network.nodes.filter(({ finished }) => finished).length === 3);
      assert.ok(lockedAtMs !== undefined);
      assert.ok(network.nodes.filter(({ finished }) => finished).length === 3, states(network));
    }
  });
});

describe("certified rounds under faults", () => {
  it(`never fork, and go on once all is well again: ${SEEDS} seeds`, (context) => {
    let rounds = 0;
    let views = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = survive(seed, faultyNetwork(seed));
      rounds += outcome.rounds;
      views = Math.max(views, outcome.views);
    }
    context.diagnostic(
      `${rounds} rounds under faults; at most ${views + 1} views a round after them`,
    );
    // At worst every liar proposes before the first honest participant does, and one view is lost to catching up.
    assert.ok(views <= 4, `${views} views`);
  });

  it("do so with real signatures: 3 seeds", () => {
    const signatures = createNativeEngine().mlDsa65;
    for (const seed of [1, 2, 3]) survive(seed, faultyNetwork(seed, { signatures }));
  });
});

/** Runs the faults, then the calm; every safety check is the network's own. */
function survive(seed: number, network: RoundNetwork): { rounds: number; views: number } {
  try {
    network.run(FAULTS_MS);
    const rounds = network.certified;
    network.highestView = 0;
    const healed = network.run(20_000, () => network.certified >= rounds + 2);
    assert.ok(healed, `stuck: ${states(network)}`);
    return { rounds, views: network.highestView };
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}
