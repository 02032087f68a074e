// The parts of the round protocol, each at its thresholds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  batchAsyncPolicy,
  decodeRoundProof,
  population,
  quorumOf,
  RoundMachine,
  verifyRoundProof,
} from "../../../src/learning/index.ts";
import { type Holding, setOf } from "../../../src/learning/protocol/decision.ts";
import { encodeRoundProof } from "../../../src/learning/protocol/equivocation.ts";
import {
  encodeHeader,
  encodeProposal,
  encodeResult,
  encodeStatement,
  encodeVote,
  type ProposalMessage,
  type StatementMessage,
} from "../../../src/learning/protocol/messages.ts";
import { Holdings } from "../../../src/learning/protocol/holdings.ts";
import { flawOf, freshSet } from "../../../src/learning/protocol/proposals.ts";
import { decodeStatus, encodeStatus } from "../../../src/learning/protocol/sync.ts";
import type { MonoMs, Now, WallMs } from "../../../src/ports/index.ts";
import { decode, digestOf, four, placeOf, sha256, signerOf, signatures } from "./round-messages.ts";

const holding = (index: number, header = `header ${index}`, age = 0): Holding => ({
  ...{ index, age, header: digestOf(header) },
});

describe("a quorum", () => {
  it("shares an honest participant with every other, and the honest alone are one, for n > 3f", () => {
    for (let n = 1; n <= 64; n++) {
      for (let f = 0; 3 * f < n; f++) {
        const quorum = quorumOf(n, f);
        assert.ok(2 * quorum - n >= f + 1, `n ${n} f ${f}`);
        assert.ok(quorum <= n - f, `n ${n} f ${f}`);
      }
    }
  });

  it("needs more than three times as many participants as liars", () => {
    const ids = Array.from({ length: 65 }, (_, i) => digestOf(String(i))).sort();
    assert.equal(population(ids.slice(0, 4), 1).quorum, 3);
    assert.throws(() => population(ids.slice(0, 1), 0), { code: "learning/bad-task" });
    assert.throws(() => population(ids.slice(0, 3), 1), { code: "learning/bad-task" });
    assert.throws(() => population(ids.slice(0, 4).reverse(), 1), { code: "learning/bad-task" });
    assert.throws(() => population(ids, 1), { code: "learning/bad-task" });
  });
});

describe("the batch-async policy", () => {
  const policy = batchAsyncPolicy({ target: 8, deadlineMs: 1000 }, 10, 3);
  const closes = (held: number, elapsedMs: number) =>
    policy.closes({ held, fresh: held, participants: 10, byzantine: 3, elapsedMs });

  it("closes at its target, at the deadline at n - f, and else is void", () => {
    assert.equal(closes(7, 999), "wait");
    assert.equal(closes(8, 0), "close");
    assert.equal(closes(7, 1000), "close");
    assert.equal(closes(6, 999), "wait");
    assert.equal(closes(6, 1000), "void");
  });

  it("refuses a target that liars could be half of", () => {
    assert.throws(() => batchAsyncPolicy({ target: 6, deadlineMs: 1 }, 10, 3), {
      code: "learning/bad-task",
    });
    assert.doesNotThrow(() => batchAsyncPolicy({ target: 7, deadlineMs: 1 }, 10, 3));
    assert.throws(() => batchAsyncPolicy({ target: 11, deadlineMs: 1 }, 10, 3), {
      code: "learning/bad-task",
    });
  });
});

describe("the set of statements", () => {
  const set = (statements: Holding[][], excluded: number[] = []) => {
    const decision = setOf(statements, new Set(excluded), four);
    return decision.kind === "void" ? [] : decision.entries;
  };

  it("has the headers that f + 1 hold", () => {
    const entries = set([[holding(0), holding(1)], [holding(0)], []]);
    assert.deepEqual(entries, [{ nodeId: four.ids[0], header: digestOf("header 0") }]);
  });

  it("is void when none has so many, and leaves out who is excluded", () => {
    assert.deepEqual(set([[holding(0)], [holding(1)], [holding(2)]]), []);
    assert.deepEqual(set([[holding(0)], [holding(0)], [holding(0)]], [0]), []);
  });

  it("has neither of two headers of one age, and the younger of two ages", () => {
    const twins = [holding(0), holding(0, "twin")];
    assert.deepEqual(
      set([[holding(0)], [holding(0)], ...twins.slice(1).flatMap((t) => [[t], [t]])]),
      [],
    );
    const aged = [[holding(0, "old", 2)], [holding(0, "old", 2)], [holding(0, "new", 1)]];
    assert.equal(set([...aged, [holding(0, "new", 1)]])[0]?.header, digestOf("new"));
    assert.equal(set(aged)[0]?.header, digestOf("old"), "one liar does not make it new");
  });
});

describe("a proposal", () => {
  const statementOf = (index: number, holdings: Holding[], round = 1): StatementMessage =>
    decode(encodeStatement(signerOf(index), placeOf(index, round), holdings)) as StatementMessage;
  const all = [0, 1, 2].map((index) => holding(index));
  const statements = [0, 1, 2].map((index) => statementOf(index, all));
  const proposal = (content: Partial<Parameters<typeof encodeProposal>[2]>): ProposalMessage => {
    const fresh = freshSet(statements, [], four);
    assert.ok(fresh !== undefined);
    const full = { view: 0, validView: -1, ...fresh, ...content };
    return decode(encodeProposal(signerOf(3), placeOf(3), full, four, sha256)) as ProposalMessage;
  };

  it("is right with the set that n - f statements give", () => {
    assert.equal(flawOf(proposal({}), four), undefined);
    assert.equal(freshSet(statements.slice(0, 2), [], four), undefined, "too few");
  });

  it("takes the statements that name most of the headers that are known", () => {
    const holdings = new Holdings(four, new Map());
    const made = [4, 5, 6, 7].map((i) => holding(i - 4, `nobody's ${i}`));
    for (const statement of [statementOf(3, made), ...statements]) holdings.addStatement(statement);
    assert.deepEqual(
      holdings.statements()[0]?.nodeId,
      four.ids[0],
      "by node id while none is known",
    );
    for (const [index, { header }] of all.entries()) {
      const facts = { update: header, bytes: 9, codec: 1, note: new Uint8Array(0) };
      const base = { baseRound: 0, baseModel: digestOf("model") };
      const message = decode(encodeHeader(signerOf(index), placeOf(index), { ...facts, ...base }));
      assert.ok(message.kind === "header");
      holdings.addHeader({ ...message, header: { ...message.header, digest: header } });
    }
    assert.deepEqual(holdings.statements().slice(0, 3), statements);
  });

  it("is wrong with a picked set, too few statements, or those of another round", () => {
    const bytes = statements.map((statement) => statement.bytes);
    const { decision } = proposal({});
    assert.ok(decision.kind === "set");
    const picked = { kind: "set", entries: decision.entries.slice(1) } as const;
    assert.match(flawOf(proposal({ decision: picked }), four) ?? "", /another set/);
    assert.match(flawOf(proposal({ statements: bytes.slice(0, 2) }), four) ?? "", /2 statements/);
    const stale = statementOf(2, all, 2).bytes;
    const mixed = proposal({ statements: [...bytes.slice(0, 2), stale] });
    assert.match(flawOf(mixed, four) ?? "", /elsewhere/);
    assert.match(flawOf(proposal({ decision: { kind: "void" } }), four) ?? "", /needless/);
    assert.match(flawOf(proposal({ view: 1, validView: 0 }), four) ?? "", /needless/);
  });
});

describe("a proof of equivocation", () => {
  const signer = signerOf(0);
  const vote = (kind: "prevote" | "precommit", view: number, value?: string, round = 1) =>
    decode(
      encodeVote(signer, placeOf(0, round), {
        ...{ kind, view, value: value === undefined ? undefined : digestOf(value) },
      }),
    );
  const header = (update: string) =>
    decode(
      encodeHeader(signer, placeOf(0), {
        ...{ update: digestOf(update), bytes: 9, codec: 1, note: new Uint8Array(0) },
        ...{ baseRound: 0, baseModel: digestOf("model") },
      }),
    );
  const result = (model: string) =>
    decode(
      encodeResult(signer, placeOf(0), {
        ...{ decision: digestOf("decision"), rule: digestOf("rule") },
        result: { model: digestOf(model), weights: digestOf("w"), summary: new Uint8Array(0) },
      }),
    );

  it("convinces anyone with the key, in either order, of headers, results and votes", () => {
    const pairs = [
      [header("a"), header("b")],
      [result("a"), result("b")],
      [vote("prevote", 1, "a"), vote("prevote", 1)],
      [vote("precommit", 1, "a"), vote("precommit", 1, "b")],
    ] as const;
    for (const [one, other] of pairs) {
      const bytes = encodeRoundProof(one, other);
      assert.deepEqual(encodeRoundProof(other, one), bytes);
      const decoded = decodeRoundProof(bytes);
      assert.ok(decoded.ok);
      assert.equal(decoded.value.nodeId, four.ids[0]);
      assert.ok(verifyRoundProof(signatures, signer.publicKey, decoded.value));
      assert.ok(!verifyRoundProof(signatures, signerOf(1).publicKey, decoded.value));
    }
  });

  it("is none of what an honest participant signs", () => {
    const honest = [
      [vote("prevote", 1, "a"), vote("prevote", 2, "b")],
      [vote("prevote", 1, "a"), vote("precommit", 1)],
      [vote("prevote", 1, "a"), vote("prevote", 1, "b", 2)],
      [header("a"), result("a")],
    ] as const;
    for (const [one, other] of honest) {
      const decoded = decodeRoundProof(encodeRoundProof(one, other));
      assert.equal(!decoded.ok && decoded.code, "learning/not-a-proof");
    }
    const same = decodeRoundProof(encodeRoundProof(header("a"), header("a")));
    assert.equal(!same.ok && same.code, "learning/malformed");
    const statement = decode(encodeStatement(signer, placeOf(0), []));
    const grown = decode(encodeStatement(signer, placeOf(0), [holding(0)]));
    assert.ok(!decodeRoundProof(encodeRoundProof(statement, grown)).ok, "statements may grow");
  });
});

describe("a machine at its door", () => {
  const now: Now = { monoMs: 0 as MonoMs, wallMs: 0 as WallMs };
  const counted: string[] = [];
  const machine = () =>
    new RoundMachine(
      {
        ...{ sha256, mlDsa: signatures, signer: signerOf(0), certificateAt: () => undefined },
        meter: {
          count: (name, labels) => counted.push(`${name}/${labels?.["code"] ?? ""}`),
          set: () => undefined,
          observe: () => undefined,
        },
        publicKeyOf: (id) => signerOf(four.ids.indexOf(id)).publicKey,
      },
      {
        ...{ self: four.ids[0] as string, task: digestOf("task"), participants: four.ids },
        ...{ byzantine: 1, rounds: 3, initialModel: digestOf("model"), rule: digestOf("rule") },
        updateBytesMax: 100,
        policy: batchAsyncPolicy({ target: 4, deadlineMs: 1000 }, 4, 1),
      },
    );
  const started = () => {
    const one = machine();
    const [train] = one.handle({ kind: "started" }, now).filter(({ kind }) => kind === "train");
    assert.ok(train !== undefined);
    return one;
  };
  const header = (facts: Partial<Parameters<typeof encodeHeader>[2]> = {}, place = placeOf(1)) =>
    encodeHeader(signerOf(1), place, {
      ...{ update: digestOf("u"), bytes: 100, codec: 1, note: new Uint8Array(0) },
      ...{ baseRound: 0, baseModel: digestOf("model"), ...facts },
    });
  const codeOf = (bytes: Uint8Array, one = started()) => {
    const verdict = one.receive(bytes, now);
    return verdict.verdict === "accept" ? verdict.kind : `${verdict.verdict} ${verdict.code}`;
  };

  it("takes a right header once, and asks for its update", () => {
    const one = started();
    const verdict = one.receive(header(), now);
    assert.deepEqual(
      verdict.actions.map(({ kind }) => kind),
      ["fetch-update"],
    );
    assert.equal(codeOf(header(), one), "ignore learning/doubled");
    assert.ok(counted.includes("meshd_learning_messages_refused_total/learning/doubled"));
  });

  it("refuses what is elsewhere, too large, forged or of strangers", () => {
    const place = placeOf(1);
    assert.equal(codeOf(header(), machine()), "ignore learning/stopped");
    assert.equal(codeOf(header({ bytes: 101 })), "reject learning/too-large");
    assert.equal(codeOf(header({ baseModel: digestOf("other") })), "reject learning/wrong-base");
    assert.equal(codeOf(header({ baseRound: 1 })), "reject learning/wrong-base");
    assert.equal(
      codeOf(header({}, { ...place, task: digestOf("x") })),
      "ignore learning/wrong-task",
    );
    assert.equal(
      codeOf(header({}, { ...place, previous: digestOf("fork") })),
      "reject learning/wrong-chain",
    );
    assert.equal(
      codeOf(header({}, { ...place, nodeId: digestOf("stranger") })),
      "reject learning/not-a-participant",
    );
    assert.equal(codeOf(header({}, placeOf(2))), "reject learning/bad-signature");
    assert.equal(codeOf(header({}, placeOf(1, 2))), "ignore learning/future-round");
    assert.equal(codeOf(new Uint8Array(500_000)), "reject learning/too-large");
    assert.equal(codeOf(Uint8Array.of(1, 1)), "reject learning/malformed");
    assert.equal(codeOf(Uint8Array.of(7, 1)), "reject learning/malformed");
    assert.equal(codeOf(Uint8Array.of(8, 1)), "reject learning/malformed");
  });

  it("refuses a proposal out of turn, and keeps no votes of views far ahead", () => {
    const one = started();
    const content = { view: 0, validView: -1, excluded: [], statements: [] };
    const verdicts = [0, 1, 2, 3].map((index) => {
      const decision = { kind: "void" } as const;
      const bytes = encodeProposal(
        signerOf(index),
        placeOf(index),
        { ...content, decision },
        four,
        sha256,
      );
      return codeOf(bytes, one);
    });
    assert.deepEqual(verdicts.toSorted(), [
      "proposal",
      ...Array.from({ length: 3 }, () => "reject learning/bad-proposal"),
    ]);
    const vote = (view: number) =>
      encodeVote(signerOf(1), placeOf(1), { kind: "prevote", view, value: undefined });
    assert.equal(codeOf(vote(15), one), "prevote");
    // Two participants were seen in view 0 or later: this one is in view 0 by now, and not in -1.
    assert.equal(codeOf(vote(17), one), "ignore learning/future-view");
  });

  it("answers a status with what its sender lacks, and nothing to another task or a lie", () => {
    const one = started();
    const bytes = header();
    one.receive(bytes, now);
    const ask = (task: string, round: number, names: string[] = []) =>
      one.answer(encodeStatus({ task: digestOf(task), round, names: new Set(names) }));
    assert.deepEqual(ask("task", 1), [bytes]);
    const name = Buffer.from(sha256(bytes).subarray(0, 8)).toString("hex");
    assert.deepEqual(ask("task", 1, [name]), []);
    assert.deepEqual(ask("task", 2), [], "ahead of here");
    assert.deepEqual(ask("other", 1), []);
    assert.deepEqual(one.answer(Uint8Array.of(9, 1, 2)), []);
    const status = encodeStatus({ task: digestOf("task"), round: 7, names: new Set([name]) });
    assert.deepEqual(decodeStatus(status), {
      task: digestOf("task"),
      round: 7,
      names: new Set([name]),
    });
    assert.equal(decodeStatus(status.subarray(0, status.length - 1)), undefined);
  });

  it("refuses to be of no task it takes part in", () => {
    assert.throws(
      () =>
        new RoundMachine({} as never, { participants: four.ids, byzantine: 1, self: "" } as never),
      { code: "learning/bad-task" },
    );
  });
});
