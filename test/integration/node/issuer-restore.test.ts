// An issuer that is lost with its host, and built again from its backup: authorities that were rotated, entries, and what the mesh has
// revoked since.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { restoreBackup } from "../../../src/node/backup/restore.ts";
import { meshctl } from "../cli/run-meshctl.ts";
import { converged, enrol, scratch, startDaemon, until } from "./harness.ts";

const PASSPHRASE = "five random words are good";
const options = { identity: { authority_prepare: "0s" } };
const entry = { spiffeId: "spiffe://it.mesh/web", parent: "*", selectors: ["unix:uid:1"] };

test("a lost issuer is rebuilt from its backup and goes on where the mesh is", async (t) => {
  const home = scratch(t);
  const a = await startDaemon(t, options, home);
  const b = await startDaemon(t, options);
  await enrol({ a, b });
  await converged({ a, b });
  await a.client.createEntry(entry);
  await a.client.prepareAuthority();
  const { authorities } = await a.client.activateAuthority({ force: true });
  const [old, active] = authorities.map(({ id }) => id);
  const directory = scratch(t);
  const file = join(directory, "a.x0");
  const pass = join(directory, "pass");
  writeFileSync(pass, `${PASSPHRASE}\n`, { mode: 0o600 });
  const socket = ["--socket", join(home, "c.sock")];
  const backUp = ["backup", "create", "--encrypt", "--output", file, "--passphrase-file", pass];
  const created = await meshctl([...backUp, ...socket]);
  assert.equal(created.exit, 0, created.err);

  // The mesh goes on: what the backup has for good is revoked.
  await a.client.taintAuthority({ id: old ?? "" });
  await until("everybody to have renewed", async () => {
    const now = (await a.client.authorities()).authorities;
    return now.find(({ id }) => id === active)?.nodes === 2;
  });
  const { sequence } = await a.client.revokeAuthority({ id: old ?? "", force: false });
  await until("b to know", async () => (await b.client.identity()).bundle?.sequence === sequence);
  await a.stop();
  const stateDir = join(home, "state");
  rmSync(stateDir, { recursive: true });
  await restoreBackup({ file, passphrase: PASSPHRASE, stateDir, replace: false, now: new Date() });

  const bootstrap = [await b.address()];
  const restored = await startDaemon(t, { ...options, mesh: { bootstrap } }, home);
  await converged({ a: restored, b });
  const known = await until("what was revoked to be gone here, too", async () => {
    const now = await restored.client.authorities();
    return now.sequence === sequence && now;
  });
  assert.deepEqual(
    known.authorities.map(({ id, state }) => [id, state]),
    [[active, "active"]],
  );
  const { entries } = await restored.client.entries();
  assert.deepEqual(
    entries.map(({ spiffeId }) => spiffeId),
    [entry.spiffeId],
  );
  const next = await restored.client.prepareAuthority();
  await until(
    "b to follow it",
    async () => (await b.client.identity()).bundle?.sequence === next.sequence,
  );
  const { token } = await restored.client.createToken({ ttlSeconds: 600 });
  const c = await startDaemon(t, options);
  await c.client.join({ token, name: "c" });
  assert.equal((await c.status()).node.state, "running");
});
