// Whatever is done to a log behind its daemon's back, the check says so, and names the entry.
// Run with FAST_CHECK_SEED=<seed> to repeat a run.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  AUDIT_EVENTS,
  AUDIT_LINE_BYTES_MAX,
  AuditChecker,
  type AuditHead,
  type AuditProblem,
  type AuditRecord,
  encodeAuditLine,
  FIRST_PREVIOUS,
  readAuditHead,
  readAuditLine,
  signAuditHead,
} from "../../../src/identity/index.ts";
import { engine, nodeKeys } from "../../unit/identity/support.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261121);
const runs = (numRuns: number) => ({ seed, numRuns });
console.log(`fast-check seed ${seed}`);

const keys = nodeKeys("auditor");
const AT = "2026-06-01T12:00:00.000Z";
const text = fc.string({ unit: "binary", maxLength: 300 });
const record: fc.Arbitrary<AuditRecord> = fc.record({
  event: fc.constantFrom(...AUDIT_EVENTS.filter((event) => !event.startsWith("audit."))),
  subject: text,
  fields: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.oneof(text, fc.integer(), fc.boolean()),
    {
      maxKeys: 5,
    },
  ),
});

interface Log {
  readonly lines: readonly string[];
  readonly head: AuditHead;
}

function write(records: readonly AuditRecord[]): Log {
  let previous = FIRST_PREVIOUS;
  const lines = records.map((entry, index) => {
    const line = encodeAuditLine(engine, entry, { sequence: index + 1, at: AT, previous });
    previous = line.hash;
    return line.text;
  });
  return { lines, head: { nodeId: keys.nodeId, sequence: lines.length, hash: previous, at: AT } };
}

const log = fc.array(record, { minLength: 3, maxLength: 12 }).map(write);

function check(lines: readonly string[], head: AuditHead): readonly AuditProblem[] {
  const checker = new AuditChecker(engine, [head]);
  for (const line of lines) checker.line(line);
  return checker.finish().problems;
}

const without = (lines: readonly string[], from: number, count: number): string[] => [
  ...lines.slice(0, from),
  ...lines.slice(from + count),
];

/** Says again what a line says, as if it had always said something else. */
function rewritten(line: string, subject: string): string {
  const read = readAuditLine(engine, line);
  assert.ok(read);
  const { event, fields, sequence, at, previous } = read.entry;
  const entry = { event: event as AuditRecord["event"], subject, fields };
  return encodeAuditLine(engine, entry, { sequence, at, previous }).text;
}

describe("a log that nobody touched", () => {
  it("is whole, whatever its entries say, and every line reads back and fits its bound", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 12 }), (records) => {
        const { lines, head } = write(records);
        assert.deepEqual(check(lines, head), []);
        for (const [index, line] of lines.entries()) {
          assert.equal(readAuditLine(engine, line)?.entry.event, records[index]?.event);
          assert.ok(Buffer.byteLength(line) < AUDIT_LINE_BYTES_MAX && !line.includes("\n"));
        }
      }),
      runs(200),
    );
  });

  it("of the longest entries there can be still has lines within the bound", () => {
    const fields = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`field${index}`, "\u0001".repeat(1_000)]),
    );
    const { text: line } = encodeAuditLine(
      engine,
      { event: "access.deny", subject: "\u0001".repeat(1_000), fields },
      { sequence: Number.MAX_SAFE_INTEGER, at: AT, previous: FIRST_PREVIOUS },
    );
    assert.ok(Buffer.byteLength(line) < AUDIT_LINE_BYTES_MAX, String(Buffer.byteLength(line)));
  });
});

describe("the check of a log", () => {
  it("finds one changed character, and names the entry", () => {
    fc.assert(
      fc.property(log, fc.nat(), fc.nat(), fc.nat(), ({ lines, head }, which, where, what) => {
        const index = which % lines.length;
        const line = lines[index] ?? "";
        const at = where % line.length;
        const character = String.fromCharCode(0x20 + (what % 0x5f));
        fc.pre(line[at] !== character);
        const changed = [...lines];
        changed[index] = line.slice(0, at) + character + line.slice(at + 1);
        const problems = check(changed, head);
        assert.ok(
          problems.some(
            ({ kind, from, to }) => kind === "edited" && from <= index + 1 && to >= index + 1,
          ),
          JSON.stringify(problems),
        );
      }),
      runs(300),
    );
  });

  it("finds an entry that was rewritten together with its hash", () => {
    fc.assert(
      fc.property(log, fc.nat(), text, ({ lines, head }, which, subject) => {
        const index = which % lines.length;
        const changed = [...lines];
        changed[index] = rewritten(lines[index] ?? "", subject);
        fc.pre(changed[index] !== lines[index]);
        assert.deepEqual(check(changed, head), [
          { kind: "edited", from: index + 1, to: index + 1 },
        ]);
      }),
      runs(200),
    );
  });

  it("finds removed entries, at the beginning, in between and at the end", () => {
    fc.assert(
      fc.property(log, fc.nat(), fc.nat(), ({ lines, head }, first, more) => {
        const from = first % lines.length;
        const count = 1 + (more % (lines.length - from));
        fc.pre(count < lines.length);
        const kind = from + count === lines.length ? "truncated" : "removed";
        const problems = check(without(lines, from, count), head);
        assert.deepEqual(problems, [{ kind, from: from + 1, to: from + count }]);
      }),
      runs(200),
    );
  });

  it("finds entries that changed places, and one that stands there twice", () => {
    fc.assert(
      fc.property(log, fc.nat(), fc.boolean(), ({ lines, head }, which, twice) => {
        const index = which % (lines.length - 1);
        const [a = "", b = ""] = lines.slice(index, index + 2);
        const moved = [
          ...lines.slice(0, index),
          ...(twice ? [a, a, b] : [b, a]),
          ...lines.slice(index + 2),
        ];
        const problems = check(moved, head);
        assert.ok(
          problems.some(({ kind, from }) => kind === "reordered" && from === index + 1),
          JSON.stringify(problems),
        );
      }),
      runs(200),
    );
  });

  it("never throws and never calls foreign lines whole", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (lines) => {
        assert.ok(check(lines, write([{ event: "daemon.start" }]).head).length > 0);
      }),
      runs(200),
    );
  });
});

describe("a signed head", () => {
  const head = { sequence: 7, hash: "ab".repeat(32), at: AT };
  const signed = signAuditHead(engine, keys, head);

  it("reads back as what was signed, by whom", () => {
    const read = readAuditHead(engine, signed);
    assert.ok(read.ok);
    assert.deepEqual(read.value, { nodeId: keys.nodeId, ...head });
  });

  it("is refused when any part of it was changed", () => {
    const other = JSON.parse(signAuditHead(engine, nodeKeys("other"), head)) as Record<
      string,
      unknown
    >;
    const own = JSON.parse(signed) as Record<string, unknown>;
    const changes: Record<string, unknown> = {
      sequence: 8,
      hash: "cd".repeat(32),
      at: "2026-06-02T12:00:00.000Z",
    };
    for (const [name, value] of Object.entries({ ...other, ...changes })) {
      if (own[name] === value) continue;
      const forged = readAuditHead(engine, JSON.stringify({ ...own, [name]: value }));
      assert.equal(forged.ok, false, name);
    }
    fc.assert(
      fc.property(fc.oneof(text, fc.json()), (foreign) => !readAuditHead(engine, foreign).ok),
      runs(200),
    );
  });
});
