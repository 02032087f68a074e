// Notices: what comes in is new, in its rate and of one form; what goes out is worth telling and not told already.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Incident,
  type Notice,
  decodeNotice,
  encodeNotice,
  NoticeDesk,
  type TakenAction,
} from "../../../src/healing/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { incident, wall } from "./incidents.ts";

const SIGNATURE_BYTES = 8;
const NODE = "ab".repeat(32);
const at = (ms: number): MonoMs => ms as MonoMs;
const sign = (): Uint8Array => new Uint8Array(SIGNATURE_BYTES);

function notice(number: number, changes: Partial<Notice> = {}): Notice {
  return { nodeId: NODE, epoch: 7, number, body: { kind: "claim", leftMs: 1 }, ...changes };
}

function lesson(outcome: TakenAction["outcome"] = "mended", playbook = "rejoin"): Incident {
  const action = { playbook, action: "rejoin", level: "act", startedMs: wall(1), outcome } as const;
  return incident("a-1", "mesh/isolated", { actions: [{ ...action, reason: "" }] });
}

function desk(fraction = 0.5): NoticeDesk {
  const random = { fraction: () => fraction };
  const self = "5e".repeat(32);
  const deps = { self, epoch: 3, sign, signatureBytes: SIGNATURE_BYTES, random };
  return new NoticeDesk(deps, at(0));
}

/** What a desk publishes. */
function read(bytes: Uint8Array): Notice {
  const decoded = decodeNotice(bytes, SIGNATURE_BYTES);
  return decoded.ok ? decoded.value.notice : assert.fail(decoded.code);
}

/** Looks at a notice and takes it when it would be verified. */
function receive(desk: NoticeDesk, one: Notice, atMs = 0): string {
  const verdict = desk.look(encodeNotice(one, sign), at(atMs));
  if (verdict.verdict !== "verify") return verdict.code;
  desk.take(verdict.notice, at(atMs));
  return "taken";
}

test("a notice comes back as it was sent, and any other bytes are refused or read as what they say", () => {
  for (const body of [
    { kind: "claim", leftMs: 30_000 } as const,
    { kind: "lesson", incident: lesson() } as const,
  ]) {
    const sent = notice(3, { body });
    const read = decodeNotice(encodeNotice(sent, sign), SIGNATURE_BYTES);
    assert.ok(read.ok);
    const { body: heard, ...head } = read.value.notice;
    assert.deepEqual(head, { nodeId: NODE, epoch: 7, number: 3 });
    assert.equal(heard.kind, body.kind);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const read = decodeNotice(bytes, SIGNATURE_BYTES);
      if (read.ok)
        assert.deepEqual(
          encodeNotice(read.value.notice, () => read.value.signature),
          bytes,
        );
    }),
  );
});

test("a notice counts once, an older one not at all, and one of a later boot again", () => {
  const one = desk();
  assert.equal(receive(one, notice(5)), "taken");
  assert.equal(receive(one, notice(5)), "healing/old-notice");
  assert.equal(receive(one, notice(4)), "healing/old-notice");
  assert.equal(receive(one, notice(6)), "taken");
  assert.equal(receive(one, notice(1, { epoch: 8 })), "taken");
  assert.equal(receive(one, notice(9)), "healing/old-notice");
});

test("what a desk tells is numbered through, claims and lessons alike, and it does not take its own", () => {
  const one = desk();
  one.closed(lesson(), at(0));
  const told = [one.claim(30_000), ...one.due(at(30_000)), one.claim(0)];
  assert.deepEqual(
    told.map((bytes) => [read(bytes).epoch, read(bytes).number, read(bytes).body.kind]),
    [
      [3, 1, "claim"],
      [3, 2, "lesson"],
      [3, 3, "claim"],
    ],
  );
  const [verdict] = told.map((bytes) => one.look(bytes, at(30_000)));
  assert.deepEqual(verdict, { verdict: "ignore", code: "healing/own-notice" });
});

test("a claim holds for as long as one may at most", () => {
  const claim = (leftMs: number): string =>
    receive(desk(), notice(1, { body: { kind: "claim", leftMs } }));
  assert.deepEqual([claim(30_000), claim(30_001)], ["taken", "healing/malformed-notice"]);
});

test("what was not verified costs its supposed author nothing", () => {
  const one = desk();
  for (let number = 1; number <= 100; number++) one.look(encodeNotice(notice(number), sign), at(0));
  assert.equal(receive(one, notice(1)), "taken");
});

test("one author has a rate, others have theirs, and time restores it", () => {
  const one = desk();
  const taken = Array.from({ length: 20 }, (_, number) => receive(one, notice(number + 1)));
  assert.equal(taken.filter((code) => code === "taken").length, 12);
  assert.equal(taken.at(-1), "healing/notice-rate");
  assert.equal(receive(one, notice(1, { nodeId: "cd".repeat(32) })), "taken");
  assert.equal(receive(one, notice(50), 1_999), "healing/notice-rate");
  assert.equal(receive(one, notice(50), 2_000), "taken");
});

test("lessons of all authors together have a rate; claims do not count in it", () => {
  const one = desk();
  const authors = Array.from({ length: 80 }, (_, number) => number.toString(16).padStart(64, "0"));
  const codes = authors.map((nodeId) =>
    receive(one, notice(1, { nodeId, body: { kind: "lesson", incident: lesson() } })),
  );
  assert.equal(codes.filter((code) => code === "taken").length, 60);
  assert.equal(receive(one, notice(1)), "taken");
});

test("what is malformed is rejected, what is newer than this version is ignored", () => {
  const one = desk();
  const bytes = encodeNotice(notice(1), sign);
  assert.equal(one.look(bytes.with(1, 2), at(0)).verdict, "ignore");
  assert.equal(one.look(bytes.with(0, 9), at(0)).verdict, "ignore");
  assert.equal(one.look(bytes.subarray(0, -1), at(0)).verdict, "reject");
  assert.equal(one.look(new Uint8Array(100_000), at(0)).verdict, "reject");
});

test("a lesson is told once, after its wait, and only of what was tried", () => {
  const one = desk(0.5);
  one.closed(incident("idle"), at(0));
  one.closed(lesson("advised"), at(0));
  one.closed(lesson("refused-by-guard"), at(0));
  one.closed(lesson("no-effect"), at(0));
  assert.deepEqual(one.due(at(14_999)), []);
  assert.equal(one.due(at(15_000)).length, 1);
  assert.deepEqual(one.due(at(99_000)), []);
});

test("a lesson that two others told meanwhile is not told again; one that differs is", () => {
  const one = desk();
  one.closed(lesson(), at(0));
  one.closed(lesson("mended", "renew"), at(0));
  const tell = (nodeId: string): string =>
    receive(one, notice(1, { nodeId, body: { kind: "lesson", incident: lesson() } }));
  assert.equal(tell("01".repeat(32)), "taken");
  assert.equal(tell("02".repeat(32)), "taken");
  const due = one.due(at(60_000));
  const told = due.map((bytes) => read(bytes).body);
  assert.deepEqual(
    told.map((body) => (body.kind === "lesson" ? body.incident.actions[0]?.playbook : body.kind)),
    ["renew"],
  );
});

test("a lesson that only one other told is told", () => {
  const one = desk();
  one.closed(lesson(), at(0));
  receive(one, notice(1, { body: { kind: "lesson", incident: lesson() } }));
  assert.equal(one.due(at(60_000)).length, 1);
});
