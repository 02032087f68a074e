// Rotation of authorities on an issuer that is killed (SIGKILL) in the middle of each step, or has no room on its disk: a step is done or
// not done, nothing else; the issuer starts again, and what nodes hold is still good there.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Authorities, ControlClient } from "../../../src/control/index.ts";
import {
  converged,
  enrol,
  fromSource,
  hasten,
  refusal,
  scratch,
  spawnDaemon,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";
import { fill, mountSkip, smallDisk } from "./small-disk.ts";

/** Kills the process when KILL_AT comes: a key is in its place, or the transaction that follows a step's audit entry is or will be committed. */
const KILLER = `
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  import { DatabaseSync } from "node:sqlite";
  let keys = 0;
  let isStep = false;
  const pass = (point) => point === process.env.KILL_AT && process.kill(process.pid, "SIGKILL");
  const { renameSync } = fs;
  fs.renameSync = (from, to) => {
    renameSync(from, to);
    if (/(root|jwt)-\\w+\\.seed$/.test(to)) pass("key " + ++keys);
  };
  const { writeSync } = fs;
  fs.writeSync = (file, data, ...rest) => {
    isStep ||= /"event":"authority.(prepare|activate|taint|revoke)"/.test(Buffer.from(data).toString());
    return writeSync(file, data, ...rest);
  };
  syncBuiltinESMExports();
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (sql) {
    const isCommit = isStep && sql === "COMMIT";
    if (isCommit) pass("before the commit");
    exec.call(this, sql);
    if (isCommit) pass("behind the commit");
    isStep &&= !isCommit;
  };
`;

const options = { identity: { authority_prepare: "0s" } };
const statesOf = ({ authorities }: Authorities): string =>
  authorities.map(({ state }) => state).join(" ");
const oldest = async (client: ControlClient): Promise<string> =>
  (await client.authorities()).authorities[0]?.id ?? assert.fail("none");

type Step = (client: ControlClient) => Promise<Authorities>;
const prepare: Step = (client) => client.prepareAuthority();
const activate: Step = (client) => client.activateAuthority({ force: true });
const taint: Step = async (client) => client.taintAuthority({ id: await oldest(client) });
const revoke: Step = async (client) =>
  client.revokeAuthority({ id: await oldest(client), force: false });

/** The first two keys are those of the first authority. Every other place where a step can be cut off: authority-keeper.test.ts. */
const kills: readonly (readonly [step: Step, point: string, left: string])[] = [
  [prepare, "key 4", "active"],
  [prepare, "behind the commit", "active prepared"],
  [activate, "behind the commit", "old active"],
  [taint, "behind the commit", "tainted active"],
  [revoke, "before the commit", "tainted active"],
  [revoke, "behind the commit", "active"],
];

test("An issuer that is killed in any step of a rotation has done it or not, and every SVID is good there afterwards.", async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  hasten(stack);
  const home = scratch(stack);
  const killer = fromSource(["--import", `data:text/javascript,${encodeURIComponent(KILLER)}`]);
  let bootstrap: string[] = [];
  const start = (point = "") =>
    spawnDaemon(stack, { ...options, mesh: { bootstrap } }, home, killer, { KILL_AT: point });
  let issuer = await start(kills[0]?.[1]).answers();
  const node = await startDaemon(stack, options);
  await enrol({ issuer, node });
  await converged({ issuer, node });
  bootstrap = [await node.address()];
  const serialOf = async (): Promise<string> => (await node.status()).svid?.serialNumber ?? "";
  for (const [index, [step, point, left]] of kills.entries()) {
    const serial = await serialOf();
    if (step === revoke)
      await until("nobody to depend on it", async () => {
        return (await issuer.client.authorities()).authorities[0]?.nodes === 0;
      });
    await assert.rejects(step(issuer.client), `${step.name} at ${point}`);
    assert.equal(await issuer.ended(), "SIGKILL", issuer.err);
    issuer = await start(kills[index + 1]?.[1]).answers();
    assert.equal(statesOf(await issuer.client.authorities()), left, `${step.name} at ${point}`);
    // A handshake: the chain of each by the bundle of the other.
    await issuer.connected("node");
    if (left.startsWith("tainted") && step === taint)
      await until("the node to be renewed", async () => (await serialOf()) !== serial);
  }
  const { sequence } = await issuer.client.authorities();
  await until("the node to have the last bundle", async () => {
    return (await node.client.identity()).bundle?.sequence === sequence;
  });
  assert.deepEqual((await node.client.audit({ event: "peer.drop", limit: 10 })).entries, []);
});

test("A full disk ends no rotation halfway: the step is refused, what was there goes on, and it is done when there is room.", {
  skip: mountSkip,
}, async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const { directory, problem } = smallDisk(stack);
  if (problem !== undefined) return t.skip(`mount: ${problem}`);
  const issuer = await startDaemon(stack, options, directory);
  await enrol({ issuer });
  const filler = join(directory, "state", "filler");
  for (const [step, before, done] of [
    [prepare, "active", "active prepared"],
    [activate, "active prepared", "old active"],
    [taint, "old active", "tainted active"],
  ] as const) {
    fill(filler);
    const { code } = await refusal(step(issuer.client));
    assert.match(code, /^(?:audit\/write-failed|state\/(?:disk-full|write-failed))$/);
    assert.equal(statesOf(await issuer.client.authorities()), before);
    rmSync(filler);
    assert.equal(statesOf(await step(issuer.client)), done);
  }
  await issuer.stop();
  const again = await startDaemon(stack, options, directory);
  assert.equal(statesOf(await again.client.authorities()), "tainted active");
});
