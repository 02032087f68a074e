// The audit log on a real disk: what a crash leaves, what a thief leaves, what a full log forgets, and what happens while
// it cannot be written.

import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  auditSegments,
  checkAuditLog,
  headFile,
  readAuditEntries,
} from "../../../src/adapters/audit/audit-files.ts";
import {
  AuditLog,
  type AuditLogOptions,
  NOTES_PER_MINUTE,
} from "../../../src/adapters/audit/audit-log.ts";
import { AUDIT_LOST, AUDIT_SEQUENCE } from "../../../src/identity/index.ts";
import type { Clock, MonoMs } from "../../../src/ports/index.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import { engine, memoryMeter, nodeKeys, NOW } from "../../unit/identity/support.ts";

const keys = nodeKeys("auditor");

function place(t: TestContext) {
  const directory = join(mkdtempSync(join(tmpdir(), "meshd-audit-")), "audit");
  const meter = memoryMeter();
  let monoMs = 0;
  const clock: Clock = { now: () => ({ monoMs: monoMs as MonoMs, wallMs: NOW }) };
  const opened: AuditLog[] = [];
  t.after(() => {
    for (const log of opened) log.close();
    rmSync(join(directory, ".."), { recursive: true, force: true });
  });
  return {
    directory,
    meter,
    pass: (ms: number) => (monoMs += ms),
    open: (options: Partial<AuditLogOptions> = {}, by = keys): AuditLog => {
      const log = new AuditLog(
        { engine, keys: by, clock, meter },
        { directory, bytesMax: 1 << 30, ...options },
      );
      opened.push(log);
      return log;
    },
    check: () => checkAuditLog(engine, directory, { nodeId: keys.nodeId }),
    events: () => readAuditEntries(engine, directory, { limit: 1_000 }).map(({ event }) => event),
    newest: () => auditSegments(directory).at(-1) ?? assert.fail("no segment"),
  };
}

const issued = (serial: number) =>
  ({
    event: "svid.issue",
    subject: `spiffe://mesh.example/node/n${serial}`,
    fields: { serial },
  }) as const;

test("what is recorded is on disk at once, and goes on where it ended after a stop and after a kill", async (t) => {
  const { open, check, events, directory } = place(t);
  const first = open();
  first.record(issued(1));
  assert.deepEqual(events(), ["svid.issue"]); // without a close: a kill -9 leaves as much
  first.note({ event: "access.deny" });
  first.close();
  assert.deepEqual((await check()).problems, []);
  // Entries behind the last signed head are what a kill leaves.
  const head = readFileSync(headFile(directory));
  const second = open();
  second.record(issued(2));
  second.close();
  writeFileSync(headFile(directory), head);
  assert.equal(open().problem, undefined);
  const verdict = await check();
  assert.deepEqual([verdict.first, verdict.last, verdict.problems.length], [1, 3, 0]);
});

test("a line that was cut off while it was written is taken away, and the log says so", async (t) => {
  const { open, check, events, newest } = place(t);
  const log = open();
  log.record(issued(1));
  log.close();
  appendFileSync(newest(), '{"sequence":2,"at":"20');
  assert.deepEqual(
    (await check()).problems.map(({ kind }) => kind),
    ["torn"],
  );
  assert.equal(open().problem, undefined);
  assert.deepEqual(events(), ["svid.issue", "audit.gap"]);
});

for (const [what, change, reason] of [
  ["its last entries cut off", (lines: string[]) => lines.slice(0, -3), "truncated"],
  ["an entry edited", (lines: string[]) => lines.map((line) => line.replace("n2", "nX")), "edited"],
  [
    "an entry removed",
    (lines: string[]) => lines.filter((line) => !line.includes("n2")),
    "removed",
  ],
] as const) {
  test(`a log that was found with ${what} is left as it is, and a new chain begins behind it`, async (t) => {
    const { open, check, newest, events } = place(t);
    const log = open();
    for (let serial = 1; serial <= 5; serial++) log.record(issued(serial));
    log.close();
    const tampered = newest();
    const lines = readFileSync(tampered, "utf8").split("\n");
    writeFileSync(tampered, change(lines.slice(0, -1)).join("\n") + "\n");
    const found = await check();
    assert.deepEqual(
      found.problems.map(({ kind }) => kind),
      [reason],
    );
    const kept = readFileSync(tampered);

    const next = open();
    assert.equal(next.problem?.code, "audit/broken");
    next.record(issued(6));
    assert.equal(next.problem.code, "audit/broken", "a good write does not heal it");
    next.close();
    assert.deepEqual(readFileSync(tampered), kept);
    assert.deepEqual(events().slice(-2), ["audit.break", "svid.issue"]);
    assert.ok((await check()).problems.some(({ kind }) => kind === "restarted"));
    assert.equal(open().problem?.code, "audit/broken", "and neither does a restart");
  });
}

test("a head that is gone, changed, or by another node is found", async (t) => {
  const { open, check, directory } = place(t);
  const log = open();
  log.record(issued(1));
  log.record(issued(2));
  log.close();
  const head = readFileSync(headFile(directory), "utf8");
  const kinds = async () => (await check()).problems.map(({ kind }) => kind);
  rmSync(headFile(directory));
  assert.deepEqual(await kinds(), ["head-missing"]);
  writeFileSync(headFile(directory), head.replace('"sequence":2', '"sequence":1'));
  assert.deepEqual(await kinds(), ["head-forged"]);
  assert.equal(open().problem?.code, "audit/broken");
  const other = place(t);
  const theirs = other.open({}, nodeKeys("thief"));
  theirs.record(issued(1));
  theirs.close();
  assert.deepEqual(
    (await other.check()).problems.map(({ kind }) => kind),
    ["head-forged"],
  );
});

test("a head that was kept elsewhere tells of a log that was put back together with its own", async (t) => {
  const { open, check, directory, newest } = place(t);
  const log = open();
  log.record(issued(1));
  log.close();
  const [earlierLog, earlierHead] = [readFileSync(newest()), readFileSync(headFile(directory))];
  const later = open();
  later.record(issued(2));
  later.close();
  const kept = readFileSync(headFile(directory), "utf8");
  writeFileSync(newest(), earlierLog);
  writeFileSync(headFile(directory), earlierHead);
  assert.deepEqual((await check()).problems, [], "by itself it is whole");
  const { problems } = await checkAuditLog(engine, directory, { keptHeads: [kept] });
  assert.deepEqual(problems, [{ kind: "truncated", from: 2, to: 2 }]);
  await assert.rejects(
    checkAuditLog(engine, directory, { keptHeads: [kept.replace("sequence", "sequencE")] }),
    (error) => isMeshError(error, "audit/head-forged"),
  );
});

test("a log that is longer than it may be forgets its oldest segments, and says which; no others may be missing", async (t) => {
  const { open, check, directory } = place(t);
  const log = open({ segmentBytes: 2_000, bytesMax: 8_000 });
  for (let serial = 1; serial <= 100; serial++) log.record(issued(serial));
  log.close();
  const segments = auditSegments(directory);
  assert.ok(segments.length >= 3 && segments.length <= 6, String(segments.length));
  const { first, problems } = await check();
  assert.ok(first > 1);
  assert.deepEqual(problems, []);
  assert.equal(open({ segmentBytes: 2_000, bytesMax: 8_000 }).problem, undefined);
  // A thief's turn: the oldest that is left goes too, without a word.
  rmSync(segments[0] ?? "");
  assert.deepEqual(
    (await check()).problems.map(({ kind, from }) => [kind, from]),
    [["removed", 1]],
  );
});

test("while it cannot be written, what is recorded is refused and what is noted is counted; then it says what is missing", async (t) => {
  const { open, check, events, meter, directory } = place(t);
  const log = open({ segmentBytes: 1 });
  log.record(issued(1));
  renameSync(directory, `${directory}-away`);
  assert.throws(
    () => log.record(issued(2)),
    (error) => isMeshError(error, "audit/write-failed"),
  );
  log.note({ event: "access.deny" });
  assert.equal(log.problem?.code, "audit/write-failed");
  assert.equal(meter.counts.get(`${AUDIT_LOST} write-failed`), 2);
  renameSync(`${directory}-away`, directory);
  log.record(issued(3));
  assert.equal(log.problem, undefined);
  log.close();
  assert.deepEqual(events(), ["svid.issue", "audit.gap", "svid.issue"]);
  assert.deepEqual((await check()).problems, []);
});

test("notes of one event are limited to a number a minute, and the next one says how many were left out", (t) => {
  const { open, events, meter, pass, directory } = place(t);
  const log = open();
  for (let i = 0; i < NOTES_PER_MINUTE; i++) log.note({ event: "access.deny" });
  assert.equal(events().length, NOTES_PER_MINUTE);
  log.note({ event: "access.deny" });
  log.note({ event: "svid.refuse" });
  assert.equal(events().length, NOTES_PER_MINUTE + 1, "each event has a limit of its own");
  assert.equal(meter.counts.get(`${AUDIT_LOST} rate`), 1);
  pass(60_000);
  log.note({ event: "access.deny" });
  const [last] = readAuditEntries(engine, directory, { limit: 1 });
  assert.deepEqual(last?.fields, { suppressed: 1 });
  assert.equal(meter.gauges.get(AUDIT_SEQUENCE), NOTES_PER_MINUTE + 2);
});

test("entries can be asked for by event and from a sequence on, the newest of them, oldest first", (t) => {
  const { open, directory } = place(t);
  const log = open({ segmentBytes: 900 });
  for (let serial = 1; serial <= 12; serial++) {
    log.record(issued(serial));
    log.record({ event: "token.create" });
  }
  const sequences = (selection: { limit: number; after?: number; event?: string }) =>
    readAuditEntries(engine, directory, selection).map(({ sequence }) => sequence);
  assert.deepEqual(sequences({ limit: 3 }), [22, 23, 24]);
  assert.deepEqual(sequences({ limit: 3, event: "svid.issue" }), [19, 21, 23]);
  assert.deepEqual(sequences({ limit: 1_000, after: 22 }), [23, 24]);
  assert.deepEqual(sequences({ limit: 1_000, after: 24 }), []);
});
