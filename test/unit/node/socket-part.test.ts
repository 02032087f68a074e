// A server whose socket file vanishes is made to listen again; what others put in its place is left alone.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startControlServer } from "../../../src/adapters/http/control-server.ts";
import { SocketPart } from "../../../src/node/socket-part.ts";

async function started(t: TestContext): Promise<{ part: SocketPart; path: string }> {
  const directory = mkdtempSync(join(tmpdir(), "meshd-socket-"));
  const path = join(directory, "c.sock");
  const app = () => Promise.resolve({ status: 200, headers: {}, content: "" });
  const part = new SocketPart(path, () =>
    startControlServer({ app: app as never, socketPath: path }),
  );
  t.after(async () => {
    await part.stop();
    rmSync(directory, { recursive: true });
  });
  await part.start();
  return { part, path };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.end());
  });
}

test("a socket whose file was removed is made again; one that is there is left alone", async (t) => {
  const { part, path } = await started(t);
  assert.equal(part.isGone, false);
  await part.restart();
  rmSync(path);
  assert.equal(part.isGone, true);
  assert.equal(await answers(path), false);
  await part.restart();
  assert.equal(part.isGone, false);
  assert.equal(await answers(path), true);
});

test("a file of somebody else is left where it is, and said", async (t) => {
  const { part, path } = await started(t);
  rmSync(path);
  writeFileSync(path, "");
  assert.equal(part.isGone, true);
  await assert.rejects(part.restart(), { code: "control/socket-in-use" });
  assert.ok(existsSync(path));
});

test("a part that could not listen again is gone still, and one that was stopped is not", async (t) => {
  const { part, path } = await started(t);
  let fails = true;
  const other = new SocketPart(path, () =>
    fails
      ? Promise.reject(new Error("no"))
      : Promise.resolve({ address: path, stop: () => Promise.resolve() }),
  );
  await assert.rejects(other.start());
  assert.equal(other.isGone, false);
  fails = false;
  await other.start();
  rmSync(path);
  fails = true;
  await assert.rejects(other.restart());
  assert.equal(other.isGone, true);
  await other.stop();
  assert.equal(other.isGone, false);
  await part.restart();
});
