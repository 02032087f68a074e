// Healing on real daemons: faults that are found, mended and explained; an operator's brake and playbooks; and a loss that is
// none, about which nothing is done.

import assert from "node:assert/strict";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { meshctl } from "../cli/run-meshctl.ts";
import {
  converged,
  enrol,
  refusal,
  scratch,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "./harness.ts";
import { mountSkip, smallDisk } from "./small-disk.ts";
import { teach } from "./teacher.ts";

const DISK_MB = 12;
const BALLAST_BYTES = 3 * 1024 * 1024;

/** Rows that were deleted: a database keeps their pages, and gives none of them back by itself. */
function bloat(state: string): void {
  const database = new DatabaseSync(join(state, "meshd.sqlite"));
  database.exec("PRAGMA journal_mode = WAL");
  database.prepare("INSERT INTO facts VALUES ('ballast', ?)").run("b".repeat(BALLAST_BYTES));
  database.exec("DELETE FROM facts WHERE name = 'ballast'; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

/** A playbook that comes before the one that helps. */
const FIRST_IN_VAIN =
  "playbooks: [{name: in-vain, for: [node/disk-filling], radius: none, steps: [{action: free-memory, check_within: 1s}]}]";

/** Leaves so little room that it is a symptom, and enough to mend it. */
function fillUpTo(state: string, freeShare: number): void {
  const { bavail, bsize, blocks } = statfsSync(state);
  const bytes = Math.floor((bavail - freeShare * blocks) * bsize);
  writeFileSync(join(state, "filler"), new Uint8Array(bytes));
}

test("A disk that runs full is found, the store gives back what it does not need, and meshctl says why.", {
  skip: mountSkip,
}, async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const { directory, problem } = smallDisk(stack, DISK_MB);
  if (problem !== undefined) return t.skip(`mount: ${problem}`);
  const state = join(directory, "state");
  await (await startDaemon(stack, {}, directory)).stop();
  bloat(state);
  const playbooks = join(directory, "playbooks.yml");
  writeFileSync(playbooks, FIRST_IN_VAIN);
  const a = await startDaemon(stack, { healing: { playbooks } }, directory);
  await a.client.init({ trustDomain: TRUST_DOMAIN, name: "a" });
  await teach(stack, a, {
    cause: "node/disk-filling",
    playbook: "compact",
    action: "compact-store",
  });
  fillUpTo(state, 0.04);

  const incident = await until(
    "the disk to be mended",
    async () => {
      const [newest] = (await a.client.incidents({ limit: 1 })).incidents;
      return newest?.actions.at(-1)?.outcome === "mended" && newest;
    },
    40_000,
  );
  assert.equal(incident.cause.code, "node/disk-filling");
  // The operator's own playbook comes first, and would be tried in vain: the lesson is why it is not.
  assert.deepEqual(
    incident.actions.map(({ action, outcome }) => [action, outcome]),
    [["compact-store", "mended"]],
  );
  const { bavail, blocks } = statfsSync(state);
  assert.ok(bavail / blocks > 0.2, `${bavail} of ${blocks} blocks are free`);

  const explained = await meshctl(["incidents", "explain"], {
    MESHD_SOCKET: join(directory, "c.sock"),
  });
  assert.equal(explained.exit, 0, explained.err);
  assert.match(
    explained.out,
    /seen +disk of state_dir free, share: 0\.0\d+, below 0\.05[^]*cause +the disk of state_dir runs full[^]*similar +1 before, the most alike as teacher told[^]*mended by compact-store\n[^]*action +compact-store, because playbook compact is for node\/disk-filling; it mended 1 similar[^]*check +mended after [\d.]+ s: /,
  );
  const similar = await meshctl(["incidents", "similar"], {
    MESHD_SOCKET: join(directory, "c.sock"),
  });
  assert.match(similar.out, /\d+ % +teacher +mended +compact-store: mended/);
  const { entries } = await a.client.audit({ limit: 10, event: "heal.action" });
  assert.deepEqual(entries.map(({ fields }) => fields["outcome"]).sort(), ["mended", "running"]);
  assert.equal(
    await a.metric("meshd_healing_actions_total", { action: "compact-store", outcome: "mended" }),
    1,
  );
  assert.equal(await a.metric("meshd_health_issue", { code: "node/disk-filling" }), 0);
});

test("A node that leaves is no incident; the brake outlasts a restart; a broken file of playbooks changes nothing; a socket is made again.", async (t) => {
  const directory = scratch(t);
  const file = join(directory, "playbooks.yml");
  const own =
    "playbooks: [{name: compact, for: [node/disk-filling], radius: none, steps: [{action: compact-store, level: advise}]}, " +
    "{name: mine, for: [mesh/isolated], radius: none, steps: [{action: rejoin}]}]";
  writeFileSync(file, own);
  const options = { healing: { playbooks: file } };
  const a = await startDaemon(t, options, directory);
  const b = await startDaemon(t);
  await enrol({ a, b });
  await converged({ a, b });
  assert.deepEqual((await a.client.healing()).playbooks.slice(0, 2), ["compact", "mine"]);

  await b.stop();
  await a.peerIs("b", "left");
  const looks = await a.metric("meshd_healing_looks_total");
  await until(
    "three more looks",
    async () => (await a.metric("meshd_healing_looks_total")) > looks + 3,
  );
  assert.deepEqual((await a.client.incidents({ limit: 10 })).incidents, []);
  assert.deepEqual((await a.client.healing()).halted, null);

  writeFileSync(file, own.replace("rejoin", "reboot"));
  a.reload(options);
  const refused = await a.client.healing();
  assert.match(
    refused.playbookProblem ?? "",
    /playbooks\.1\.steps\.0\.action[^]*docs\/healing\.md/,
  );
  assert.deepEqual(refused.playbooks.slice(0, 2), ["compact", "mine"]);
  assert.ok((await a.status()).health.some(({ code }) => code === "healing/playbooks-refused"));

  assert.equal((await a.client.freezeHealing(true)).frozen, true);
  await a.stop();
  const again = await startDaemon(t, options, directory);
  const frozen = await again.client.healing();
  assert.equal(frozen.frozen, true);
  // At the start there is no older file: those that ship are in force.
  assert.equal(frozen.playbooks.includes("mine"), false);
  assert.equal(frozen.playbooks.includes("rejoin"), true);
  assert.equal((await again.client.freezeHealing(false)).frozen, false);
  const { entries } = await again.client.audit({ limit: 50 });
  const events = entries.map(({ event }) => event).filter((event) => event.startsWith("heal."));
  assert.deepEqual(events.sort(), ["heal.freeze", "heal.thaw"]);
  assert.equal(
    (await refusal(again.client.incident({ id: "none" }))).code,
    "control/unknown-incident",
  );

  rmSync(join(directory, "c.sock"));
  const mended = await until("the socket to be there again", async () => {
    const newest = (await again.client.incidents({ limit: 1 }).catch(() => undefined))
      ?.incidents[0];
    return newest?.actions.at(-1)?.outcome === "mended" && newest;
  });
  assert.equal(mended.cause.code, "node/socket-gone");
  assert.deepEqual(
    mended.actions.map(({ action, target, outcome }) => [action, target, outcome]),
    [["restart-part", "control", "mended"]],
  );
});
