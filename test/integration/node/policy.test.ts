// The policy of running daemons: who loses the right to be in the mesh goes at once and stays out, on whichever side it was
// taken away; a broken file changes nothing; the control socket obeys it too.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  assertRefused,
  converged,
  enrol,
  type FileOptions,
  fileText,
  startDaemon,
  type TestDaemon,
  until,
} from "./harness.ts";

const EVERYBODY = { spiffe: "spiffe://*/node/*", roles: ["member"] };
const roles = [{ name: "member", allow: ["mesh.join", "beacon.publish"] }];

function write(daemon: TestDaemon, options: FileOptions): void {
  writeFileSync(join(daemon.directory, "meshd.yml"), fileText(daemon.directory, options));
}

for (const where of ["the one that was there first", "the one that joined"] as const) {
  test(`a peer that loses mesh.join at ${where} is dropped there and stays out`, async (t) => {
    const first = await startDaemon(t, { roles, policy: [EVERYBODY] });
    const second = await startDaemon(t, { roles, policy: [EVERYBODY] });
    await enrol({ first, second });
    await converged({ first, second });
    const [judge, other] = where === "the one that joined" ? [second, "first"] : [first, "second"];
    const id = `spiffe://it.mesh/node/${other}`;
    const ask = () => judge.client.checkPolicy({ spiffeId: id, right: "mesh.join" });
    const before = await ask();
    assert.deepEqual([before.allowed, before.role, before.rule?.number], [true, "member", 1]);

    write(judge, { policy: [{ spiffe: id, allow: ["fl.train"] }] });
    assert.deepEqual(await judge.client.reloadPolicy(), {
      ...{ schemaVersion: 1, rules: 1, restartPending: [] },
    });
    await until(`${other} to be gone`, async () => (await judge.peer(other))?.connected === false);
    const after = await ask();
    assert.deepEqual(
      [after.allowed, after.why, after.matched],
      [...[false, "right-not-given", [{ number: 1, line: 1, spiffe: id }]]],
    );
    const denials = () => judge.metric("meshd_identity_denials_total", { right: "mesh.join" });
    await until("an attempt to come back", async () => (await denials()) > 0);
    assert.equal((await judge.peer(other))?.connected, false);
    const { entries } = await judge.client.audit({ limit: 100 });
    const told = entries.filter(({ subject }) => subject === id).map(({ event }) => event);
    assert.ok(told.includes("peer.drop") && told.includes("access.deny"), told.join());
    assert.ok(entries.some(({ event }) => event === "policy.reload"));

    // A broken file: said so, and what was in force stays.
    write(judge, { policy: [{ spiffe: "everybody", allow: ["mesh.join"] }] });
    await assertRefused(judge.client.reloadPolicy(), "config/invalid", /policy\[0\]\.spiffe/);
    assert.equal((await ask()).why, "right-not-given");
    assert.equal(await judge.metric("meshd_node_config_reload_successful"), 0);

    write(judge, { roles, policy: [EVERYBODY] });
    await judge.client.reloadPolicy();
    await judge.connected(other);
  });
}

test("the callers of the control socket have what the policy gives 'local', once it names it", async (t) => {
  const daemon = await startDaemon(t);
  await enrol({ daemon });
  const { client } = daemon;
  const why = async (right: string) => (await client.checkPolicy({ spiffeId: "local", right })).why;
  assert.equal(await why("control.write"), "socket");
  daemon.reload({ policy: [{ spiffe: "local", allow: ["control.read"] }] });
  assert.equal((await daemon.status()).node.name, "daemon");
  const refused = client.createToken({ ttlSeconds: 60 });
  await assertRefused(refused, "control/denied", /control\.write.*meshctl policy check/);
  assert.equal(await why("control.write"), "right-not-given");
  await assertRefused(
    client.checkPolicy({ spiffeId: "local", right: "fly" }),
    ...(["control/bad-request", /mesh\.join/] as const),
  );
  daemon.reload({ policy: [{ spiffe: "local", allow: [] }] });
  await assertRefused(daemon.status(), "control/denied", /control\.read/);
  daemon.reload({});
  assert.match((await client.createToken({ ttlSeconds: 60 })).token, /^x0t1/);
});
