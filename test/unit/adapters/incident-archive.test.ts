// The file of incidents under bad conditions: damaged, of another version, unwritable. The loop above it always goes on.

import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { SqliteArchive } from "../../../src/adapters/sqlite/incident-archive.ts";
import { INCIDENTS_NAME } from "../../../src/adapters/sqlite/incident-file.ts";
import { incident } from "../healing/incidents.ts";

let directory = "";
let archives: SqliteArchive[] = [];
const file = (): string => join(directory, INCIDENTS_NAME);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "incidents-"));
  archives = [];
});
afterEach(() => {
  for (const archive of archives) archive.close();
  rmSync(directory, { recursive: true });
});

function open(): SqliteArchive {
  const archive = new SqliteArchive(directory);
  archives.push(archive);
  return archive;
}

/** A file with so many incidents, closed. */
function written(count: number): void {
  const archive = new SqliteArchive(directory);
  for (let at = 0; at < count; at++) archive.put({ incident: incident(`i-${at}`) }, ["word"]);
  assert.equal(archive.problem, undefined);
  archive.close();
}

const count = (archive: SqliteArchive): number => [...archive.all()].length;

test("incidents are there again after a restart, in a file that only its owner reads", () => {
  written(300);
  const archive = open();
  assert.equal(count(archive), 300);
  assert.equal(archive.problem, undefined);
  assert.equal(archive.search(["word"], 5, "own").length, 5);
  assert.equal(statSync(file()).mode & 0o777, 0o600);
});

test("a file that is no database is set aside and a new one works", () => {
  writeFileSync(file(), "no database ".repeat(1_000));
  const archive = open();
  assert.equal(archive.problem?.code, "healing/knowledge-rebuilt");
  assert.match(readFileSync(`${file()}.damaged`, "utf8"), /^no database/);
  archive.put({ incident: incident("new") }, ["word"]);
  assert.equal(count(archive), 1);
});

test("a damaged page is found at the start", () => {
  written(300);
  const bytes = readFileSync(file());
  bytes.fill(0xa5, bytes.length - 4_096);
  writeFileSync(file(), bytes);
  const archive = open();
  assert.equal(archive.problem?.code, "healing/knowledge-rebuilt");
  assert.equal(count(archive), 0);
});

test("a file that is damaged while it is in use is set aside, and what comes next is kept", () => {
  const first = new SqliteArchive(directory);
  const why = "more than SQLite keeps of the file in memory ".repeat(400);
  const cause = { code: "mesh/isolated", why } as const;
  for (let at = 0; at < 200; at++)
    first.put({ incident: incident(`i-${at}`, cause.code, { cause }) }, ["word"]);
  first.close();
  const archive = open();
  writeFileSync(file(), readFileSync(file()).fill(0xa5, 4_096));
  for (let at = 0; at < 200; at++) archive.get(`i-${at}`);
  archive.put({ incident: incident("next") }, ["word"]);
  assert.equal(archive.problem?.code, "healing/knowledge-rebuilt");
  assert.equal(archive.get("next")?.incident.id, "next");
});

test("a file of another version is set aside whole", () => {
  written(3);
  const database = new DatabaseSync(file());
  database.exec("PRAGMA user_version = 99");
  database.close();
  const archive = open();
  assert.equal(archive.problem?.code, "healing/knowledge-rebuilt");
  assert.equal(count(archive), 0);
  const aside = new DatabaseSync(`${file()}.damaged`);
  assert.equal(aside.prepare("SELECT count(*) AS count FROM incidents").get()?.["count"], 3);
  aside.close();
});

test("only the last damaged file is kept", () => {
  for (const text of ["first", "second"]) {
    writeFileSync(file(), text.repeat(2_000));
    new SqliteArchive(directory).close();
  }
  const damaged = readdirSync(directory).filter((name) => name.includes("damaged"));
  assert.deepEqual(damaged, [`${INCIDENTS_NAME}.damaged`]);
  assert.match(readFileSync(`${file()}.damaged`, "utf8"), /^second/);
});

test("where no file can be, the node remembers until it ends and says so", () => {
  mkdirSync(file()); // a directory in its place, and another where it would be set aside
  mkdirSync(`${file()}.damaged`);
  writeFileSync(join(`${file()}.damaged`, "in-the-way"), "");
  const archive = open();
  archive.put({ incident: incident("new") }, ["word"]);
  assert.deepEqual(archive.search(["word"], 5, "own"), ["new"]);
  assert.equal(archive.problem?.code, "healing/knowledge-lost");
});

test("a row that does not read is left out", () => {
  written(2);
  const database = new DatabaseSync(file());
  database.exec("UPDATE incidents SET body = 'not json' WHERE id = 'i-0'");
  database.close();
  const archive = open();
  assert.equal(count(archive), 1);
  assert.equal(archive.get("i-0"), undefined);
});

test("a removed incident is found no more, and its words neither", () => {
  const archive = open();
  archive.put({ incident: incident("a") }, ["alpha"]);
  archive.put({ incident: incident("b") }, ["alpha"]);
  archive.remove("a");
  archive.remove("never-there");
  assert.deepEqual(archive.search(["alpha"], 5, "own"), ["b"]);
  archive.put({ incident: incident("b") }, ["beta"]);
  assert.deepEqual(archive.search(["alpha"], 5, "own"), []);
  assert.deepEqual(archive.search([], 5, "own"), []);
  assert.ok(existsSync(file()));
});
