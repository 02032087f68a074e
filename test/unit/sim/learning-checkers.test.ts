// The checkers of trainings on made-up histories of four participants, one of which may lie: quiet on good ones, red on bad ones.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Certificate,
  type Decision,
  encodeSummary,
  population,
} from "../../../src/learning/index.ts";
import { decisionDigest, encodeDecision } from "../../../src/learning/protocol/decision.ts";
import { decodeMessage, encodeResult } from "../../../src/learning/protocol/messages.ts";
import { Results } from "../../../src/learning/protocol/results.ts";
import { Census, type SimEngine } from "../../../src/sim/census.ts";
import type { Checker } from "../../../src/sim/checkers/checker.ts";
import { ContradictionsProven } from "../../../src/sim/checkers/contradictions-proven.ts";
import { LearningQuorum } from "../../../src/sim/checkers/learning-quorum.ts";
import { OneCertificate } from "../../../src/sim/checkers/one-certificate.ts";
import { learningTask } from "../../../src/sim/learning/learning-task.ts";
import { createModelSignatures } from "../../../src/sim/model-signatures.ts";
import { SeededRandom } from "../../../src/sim/random.ts";
import { nativeSha256 as sha256 } from "../../sim/native-sha256.ts";
import { digestOf } from "../learning/round-messages.ts";

const engine: SimEngine = { sha256, mlDsa65: createModelSignatures(sha256) };
const census = new Census(4, engine, SeededRandom.fromSeed(1));
const nodeIds = census.all.map(({ identity }) => identity.nodeId).sort();
const taskOf = (orchestrator: "batch-async" | "streaming") =>
  learningTask(
    { rounds: 3, start: 0, deadline: 1000, aggregator: "median", orchestrator, alpha: 1 },
    { seed: 1, nodeIds, engine },
  );
const task = taskOf("batch-async");
const participants = population(nodeIds, task.manifest.byzantine);
const swarm = { nowMs: 7000, isHealthy: (node: number) => node !== 3, census };

const setOf = (count: number): Decision => ({
  kind: "set",
  entries: nodeIds.slice(0, count).map((nodeId) => ({ nodeId, header: digestOf(nodeId) })),
});

/** The certificate of a round, as `signers` of the participants make it; `held`: what its summary says, if there is one. */
function certificate(
  model: string,
  decision = setOf(3),
  signers = [0, 1, 2],
  held?: boolean,
): Certificate {
  const place = { task: task.digest, round: 1, previous: digestOf("genesis") };
  const value = decisionDigest(sha256, place, encodeDecision(decision, participants));
  const told = { loss: null, accuracy: null, norm: 0, stepSize: 1 };
  const summary = held === undefined ? new Uint8Array(0) : encodeSummary({ held, ...told });
  const result = { model: digestOf(model), weights: digestOf("w"), summary };
  const results = new Results(participants);
  for (const index of signers) {
    const nodeId = nodeIds[index] ?? "";
    const signer = census.all.find(({ identity }) => identity.nodeId === nodeId)?.signer;
    assert.ok(signer);
    const content = { decision: value, result, rule: task.rule };
    const bytes = encodeResult(signer, { ...place, nodeId }, content);
    const decoded = decodeMessage(bytes, participants, sha256);
    assert.ok(decoded.ok && decoded.value.kind === "result");
    results.add(decoded.value);
  }
  const made = results.certificate(sha256, { value, decision });
  assert.ok(made);
  return made;
}

const said = ({ violations }: Checker): string[] => violations.map(({ what }) => what);
const oneCertificate = () => new OneCertificate(swarm, { task }, engine);

test("one certificate of a round, whoever signed it, is none too many; a second content is", () => {
  const checker = oneCertificate();
  checker.roundCertified(0, certificate("a"));
  checker.roundCertified(1, certificate("a", setOf(3), [1, 2, 3]));
  assert.deepEqual(said(checker), []);
  checker.roundCertified(2, certificate("b"));
  assert.deepEqual(said(checker), ["has a second certificate of round 1"]);
  assert.deepEqual([checker.checks, checker.violations[0]?.observer], [3, 2]);
});

test("a certificate without a quorum, or with one signature of another content, is seen at healthy nodes", () => {
  const good = certificate("a");
  const forged = certificate("b").signatures[1];
  assert.ok(forged);
  const bad = [
    good.signatures.slice(0, 2),
    good.signatures.map((one, i) => (i === 1 ? forged : one)),
  ];
  for (const signatures of bad) {
    const checker = oneCertificate();
    checker.roundCertified(3, { ...good, signatures });
    assert.deepEqual(said(checker), [], "its own signatures are bad");
    checker.roundCertified(0, { ...good, signatures });
    assert.deepEqual(said(checker), ["took a certificate of round 1 that no quorum signed"]);
  }
});

test("a round of n - f updates is enough, one of fewer is not, and a void one needs none", () => {
  const checker = new LearningQuorum(swarm, { task });
  checker.roundCertified(0, certificate("a", setOf(3)));
  checker.roundCertified(0, certificate("a", { kind: "void" }));
  assert.deepEqual([said(checker), checker.checks], [[], 1]);
  checker.roundCertified(0, certificate("a", setOf(2)));
  assert.deepEqual(said(checker), ["took round 1 with 2 updates, at least 3 are needed"]);
});

test("a stream's table of 2f keeps the model, and one of more may move it", () => {
  const checker = new LearningQuorum(swarm, { task: taskOf("streaming") });
  const signers = [0, 1, 2];
  checker.roundCertified(0, certificate("a", setOf(3), signers, false));
  checker.roundCertified(0, certificate("a", setOf(2), signers, true));
  assert.deepEqual([said(checker), checker.checks], [[], 2]);
  checker.roundCertified(0, certificate("b", setOf(2), signers, false));
  assert.deepEqual(said(checker), ["took round 1 with 2 updates, at least 3 are needed"]);
});

/** Nodes 0, 1 and 2 are honest; 3 is what the test makes of it. */
function contradictions(contradictors: readonly number[]): ContradictionsProven {
  const lies = { contradictors: new Set(contradictors) };
  return new ContradictionsProven(swarm, { honest: [0, 1, 2], lies });
}

test("who contradicts itself has to be convicted by every honest participant", () => {
  const checker = contradictions([3]);
  for (const node of [0, 1, 2]) checker.convicted(node, 3);
  checker.finish(swarm);
  assert.deepEqual([said(checker), checker.count], [[], 1]);

  const slow = contradictions([3]);
  for (const node of [0, 2]) slow.convicted(node, 3);
  slow.finish(swarm);
  assert.deepEqual(said(slow), ["never learnt that it contradicted itself"]);
  assert.equal(slow.violations[0]?.observer, 1);

  const blind = contradictions([3]);
  blind.finish(swarm);
  assert.deepEqual(said(blind), ["contradicted itself, and nobody saw it"]);
});

test("nobody else is ever convicted", () => {
  const checker = contradictions([]);
  checker.convicted(0, 1);
  assert.deepEqual(said(checker), ["convicted who did not contradict itself"]);
});
