import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createPinoLogger,
  type PinoLoggerOptions,
} from "../../../src/adapters/telemetry/pino-logger.ts";

function logger(options: Partial<PinoLoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createPinoLogger({
    level: "info",
    format: "json",
    colours: false,
    destination: { write: (line) => void lines.push(line) },
    ...options,
  });
  return {
    log,
    lines,
    records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

test("a line is JSON with level, time, message and safe fields", () => {
  const { log, records } = logger({ fields: { node: "node-1" } });
  log.warn({ seed: "abc", peer: "b", level: "x" }, "peer is slow");
  const [record] = records();
  assert.equal(record?.["message"], "peer is slow");
  assert.equal(record["node"], "node-1");
  assert.equal(record["seed"], "[redacted]");
  assert.match(String(record["time"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test("the level holds lines back and can change while running, for children too", () => {
  const { log, lines } = logger();
  const child = log.child({ room: "mesh" });
  log.debug({}, "one");
  child.debug({}, "two");
  assert.equal(lines.length, 0);
  log.setLevel("debug");
  log.debug({}, "three");
  child.debug({}, "four");
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? "", /"room":"mesh"/);
  log.setLevel("error");
  child.warn({}, "five");
  child.error({}, "six");
  assert.equal(lines.length, 3);
});

test("the pretty format is one readable line that cannot move the cursor", () => {
  const { log, lines } = logger({ format: "pretty" });
  log.info({ peer: "node-2", text: "a\u001b[2J\u009b\u202eb", list: [1, 2] }, "linked");
  assert.match(
    lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}linked peer=node-2 text=".*" list=\[1,2\]\n$/,
  );
  assert.doesNotMatch((lines[0] ?? "").slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u202e]/);
});
