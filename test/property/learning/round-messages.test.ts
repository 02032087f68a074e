// The parsers of the round protocol: what goes in comes out, everything else is a value and never a throw, and bytes that
// parse are the one encoding of what they say.

import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  completeDraft,
  decodeCertificate,
  decodeRoundEvidence,
  decodeRoundProof,
  encodeRoundEvidence,
  parseDraft,
  taskDigest,
} from "../../../src/learning/index.ts";
import { encodeCertificate } from "../../../src/learning/protocol/certificate.ts";
import { ROUND_EVIDENCE_BYTES_MAX } from "../../../src/learning/protocol/evidence.ts";
import { encodeRoundProof } from "../../../src/learning/protocol/equivocation.ts";
import {
  decodeMessage,
  encodeHeader,
  encodeProposal,
  encodeResult,
  encodeStatement,
  encodeVote,
  type RoundMessage,
} from "../../../src/learning/protocol/messages.ts";
import type { Place } from "../../../src/learning/protocol/wire.ts";
import { decodeStatus, encodeStatus } from "../../../src/learning/protocol/sync.ts";
import type { Certificate } from "../../../src/learning/index.ts";
import {
  decode,
  digestOf,
  four,
  placeOf,
  sha256,
  signerOf,
} from "../../unit/learning/round-messages.ts";

const seed = 20_261_121;
const parameters = { seed, numRuns: 300 };
const [signer, place] = [signerOf(1), placeOf(1)];
const holdings = [0, 2, 3].map((index) => ({ index, age: index, header: digestOf(String(index)) }));
const entries = [0, 2].map((i) => ({ nodeId: four.ids[i] ?? "", header: digestOf(String(i)) }));
const decision = { kind: "set", entries } as const;
const result = { model: digestOf("m"), weights: digestOf("w"), summary: Uint8Array.of(1, 2) };
const statements = [0, 1, 2].map((i) => encodeStatement(signerOf(i), placeOf(i), holdings));
const facts = { update: digestOf("u"), bytes: 9, codec: 1, note: Uint8Array.of(7) };
const header = (bytes: number) =>
  encodeHeader(signer, place, { ...facts, bytes, baseRound: 0, baseModel: digestOf("m") });

const manifest = completeDraft(parseDraft({ name: "t" }), {
  ...{ taskId: "t-1", trustDomain: "a.b", createdBy: four.ids[0] ?? "", seed: 1 },
  ...{ createdAtMs: 1_800_000_000_123, participants: four.ids },
});
/** In the manifest's task. */
const named = { ...place, task: taskDigest(sha256, manifest) };
const twoHeaders = (at: Place): [RoundMessage, RoundMessage] => {
  const content = { ...facts, baseRound: 0, baseModel: digestOf("m") };
  return [
    decode(encodeHeader(signer, at, { ...content, bytes: 1 })),
    decode(encodeHeader(signer, at, { ...content, bytes: 2 })),
  ];
};

const messages: Record<string, Uint8Array> = {
  header: header(9),
  statement: encodeStatement(signer, place, holdings),
  proposal: encodeProposal(
    signer,
    place,
    { view: 3, validView: -1, decision, excluded: [1, 3], statements },
    four,
    sha256,
  ),
  prevote: encodeVote(signer, place, { kind: "prevote", view: 1, value: undefined }),
  precommit: encodeVote(signer, place, { kind: "precommit", view: 1, value: digestOf("v") }),
  result: encodeResult(signer, place, { decision: digestOf("d"), result, rule: digestOf("r") }),
};
const certificate: Certificate = {
  ...{ digest: "", task: place.task, round: 1, previous: place.previous },
  ...{ decision, result, rule: digestOf("r") },
  signatures: [0, 1, 3].map((i) => ({
    nodeId: four.ids[i] ?? "",
    signature: new Uint8Array(3309).fill(i),
  })),
};

/** How each form is read, and written again from what was read. */
const forms: Record<
  string,
  {
    bytes: Uint8Array;
    read: (bytes: Uint8Array) => boolean;
    again?: (bytes: Uint8Array) => Uint8Array;
  }
> = {
  ...Object.fromEntries(
    Object.entries(messages).map(([kind, bytes]) => [
      kind,
      { bytes, read: (some: Uint8Array) => decodeMessage(some, four, sha256).ok, again: rewritten },
    ]),
  ),
  certificate: {
    bytes: encodeCertificate(certificate, four),
    read: (some) => decodeCertificate(some, four, sha256).ok,
    again: (some) => {
      const decoded = decodeCertificate(some, four, sha256);
      assert.ok(decoded.ok);
      return encodeCertificate(decoded.value, four);
    },
  },
  proof: {
    bytes: encodeRoundProof(decode(header(1)), decode(header(2))),
    read: (some) => decodeRoundProof(some).ok,
    again: (some) => {
      const decoded = decodeRoundProof(some);
      assert.ok(decoded.ok);
      const [one, other] = decoded.value.parts;
      assert.ok(one !== undefined && other !== undefined);
      return encodeRoundProof(one, other);
    },
  },
  evidence: {
    bytes: encodeRoundEvidence(sha256, manifest, encodeRoundProof(...twoHeaders(named))),
    read: (some) => decodeRoundEvidence(sha256, some).ok,
    again: (some) => {
      const decoded = decodeRoundEvidence(sha256, some);
      assert.ok(decoded.ok);
      const { epoch, parts } = decoded.value;
      assert.equal(epoch, 1_800_000_000, "the task's name commits to it");
      const [one, other] = parts;
      assert.ok(one !== undefined && other !== undefined);
      return encodeRoundEvidence(sha256, manifest, encodeRoundProof(one, other));
    },
  },
  status: {
    bytes: encodeStatus({ task: place.task, round: 3, names: new Set(["0011223344556677"]) }),
    read: (some) => decodeStatus(some) !== undefined,
  },
};

/** What a signed message's fields give when they are encoded again, under the signature that it had. */
function rewritten(bytes: Uint8Array): Uint8Array {
  const message = decode(bytes);
  const borrowed = { ...signer, sign: () => message.signature.slice() };
  return encodeAgain(message, borrowed);
}

function encodeAgain(message: RoundMessage, borrowed: typeof signer): Uint8Array {
  switch (message.kind) {
    case "header":
      return encodeHeader(borrowed, message, message.header);
    case "statement":
      return encodeStatement(borrowed, message, message.holdings);
    case "proposal": {
      const brought = message.statements.map((statement) => statement.bytes);
      return encodeProposal(borrowed, message, { ...message, statements: brought }, four, sha256);
    }
    case "prevote":
    case "precommit":
      return encodeVote(borrowed, message, message);
    case "result":
      return encodeResult(borrowed, message, message);
  }
}

for (const [name, { bytes, read, again }] of Object.entries(forms)) {
  test(`A ${name} is read as it was written, and nothing that is cut or longer is (seed ${seed}).`, () => {
    assert.ok(read(bytes));
    if (again !== undefined) assert.deepEqual(again(bytes), bytes);
    assert.ok(!read(Uint8Array.of(...bytes, 0)));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) =>
        assert.ok(!read(bytes.subarray(0, length))),
      ),
      parameters,
    );
  });

  test(`Damage to a ${name}, and bytes of chance, never throw; what parses has one encoding (seed ${seed}).`, () => {
    // Most damage to the content, not to the signatures behind it.
    const places = fc.oneof(fc.nat(Math.min(300, bytes.length - 1)), fc.nat(bytes.length - 1));
    const damage = fc.array(fc.tuple(places, fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.uint8Array({ maxLength: 400 }), (changes, chance) => {
        const damaged = bytes.slice();
        for (const [at, value] of changes) damaged[at] = value;
        if (read(damaged) && again !== undefined) assert.deepEqual(again(damaged), damaged);
        const kind = bytes.subarray(0, 2);
        read(chance);
        read(Uint8Array.of(...kind, ...chance));
      }),
      parameters,
    );
  });
}

test(`Values of a header of any size within the limits come back (seed ${seed}).`, () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytes.toHex());
  const facts = fc.record({
    ...{ update: digest, baseModel: digest, bytes: fc.integer({ min: 1, max: 0xffff_ffff }) },
    ...{ baseRound: fc.nat(0xffff_ffff), codec: fc.nat(255) },
    note: fc.uint8Array({ maxLength: 64 }),
  });
  fc.assert(
    fc.property(facts, (values) => {
      const bytes = encodeHeader(signer, place, values);
      assert.ok(bytes.length <= 512 + 3309);
      const message = decode(bytes);
      assert.ok(message.kind === "header");
      const { digest: name, nodeId, round, ...rest } = message.header;
      assert.deepEqual(rest, { ...values });
      assert.deepEqual([name.length, nodeId, round], [64, place.nodeId, place.round]);
    }),
    parameters,
  );
});

test("A note and a summary of one byte too many are refused.", () => {
  const note = new Uint8Array(65);
  const long = encodeHeader(signer, place, {
    ...facts,
    note,
    baseRound: 0,
    baseModel: digestOf("m"),
  });
  assert.ok(!decodeMessage(long, four, sha256).ok);
  const summary = new Uint8Array(257);
  const content = { decision: digestOf("d"), result: { ...result, summary }, rule: digestOf("r") };
  assert.ok(!decodeMessage(encodeResult(signer, place, content), four, sha256).ok);
});

test("Evidence is of the task that the proof is about, with the age that the task's name commits to.", () => {
  const proof = encodeRoundProof(...twoHeaders(named));
  const good = encodeRoundEvidence(sha256, manifest, proof);
  assert.ok(decodeRoundEvidence(sha256, good).ok);
  const of = (bytes: Uint8Array): string => {
    const decoded = decodeRoundEvidence(sha256, bytes);
    return decoded.ok ? "ok" : decoded.code;
  };
  const younger = { ...manifest, createdAtMs: manifest.createdAtMs + 1000 };
  assert.equal(of(encodeRoundEvidence(sha256, younger, proof)), "learning/not-a-proof");
  const elsewhere = encodeRoundProof(...twoHeaders(place));
  assert.equal(of(encodeRoundEvidence(sha256, manifest, elsewhere)), "learning/not-a-proof");
  assert.equal(of(good.subarray(0, 40)), "learning/malformed");
  const aged = good.slice();
  aged.fill(0xff, 0, 8);
  assert.equal(of(aged), "learning/malformed", "no time that can be told exactly");
  const [longest, longer] = [0, 1].map((more) => new Uint8Array(ROUND_EVIDENCE_BYTES_MAX + more));
  assert.equal(of(longest ?? good), "learning/malformed");
  assert.equal(of(longer ?? good), "learning/too-large");
});
