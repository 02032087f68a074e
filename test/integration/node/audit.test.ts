// The audit log of daemons: what they did stands in it, it outlives kill -9, and meshctl checks it with and without them.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { AuditVerified } from "../../../src/control/index.ts";
import { meshctl } from "../cli/run-meshctl.ts";
import { enrol, scratch, spawnDaemon, startDaemon, type TestDaemon } from "./harness.ts";

async function eventsOf(daemon: TestDaemon): Promise<string[]> {
  const { entries } = await daemon.client.audit({ limit: 1_000 });
  return entries.map(({ event }) => event);
}

test("an issuer and a joining node write down who was let in by whom, and no secret", async (t) => {
  const issuer = await startDaemon(t);
  const joining = await startDaemon(t);
  await enrol({ issuer, joining });
  assert.deepEqual(await eventsOf(issuer), [
    "daemon.start",
    "trust-domain.create",
    "authority.rotate",
    "svid.issue",
    "token.create",
    "svid.issue",
  ]);
  assert.deepEqual(await eventsOf(joining), ["daemon.start", "node.join"]);
  const { entries } = await issuer.client.audit({ limit: 1 });
  assert.equal(entries[0]?.subject, "spiffe://it.mesh/node/joining");
  assert.deepEqual(
    [entries[0].fields["cause"], entries[0].fields["nodeId"]],
    ["join", await joining.nodeId()],
  );
  const { token } = await issuer.client.createToken({ ttlSeconds: 60, name: "third" });
  const log = join(issuer.directory, "state/audit/audit-000000000001.jsonl");
  const text = readFileSync(log, "utf8");
  assert.ok(text.includes('"name":"third"') && !text.includes(token.slice(4, 40)), "the token");

  const again = await startDaemon(t);
  await assert.rejects(again.client.join({ token, name: "other" }));
  const { entries: refused } = await issuer.client.audit({ limit: 9, event: "svid.refuse" });
  assert.deepEqual(
    refused.map(({ subject, fields }) => [subject, fields["operation"], fields["code"]]),
    [[await again.nodeId(), "join", "identity/token-name-mismatch"]],
  );
  assert.equal(await issuer.metric("meshd_audit_last_sequence"), 8);
});

test("a changed policy, and a file that was refused, are written down", async (t) => {
  const daemon = await startDaemon(t);
  await enrol({ daemon });
  const policy = [{ spiffe: "spiffe://*/node/*", allow: ["mesh.join"] }];
  daemon.reload({ policy });
  assert.throws(() => daemon.reload({ policy: [{ spiffe: "nobody", allow: [] }] }));
  assert.deepEqual((await eventsOf(daemon)).slice(-2), ["policy.reload", "policy.reject"]);
});

test("meshctl finds what was done to a log, asking the daemon or reading the files", async (t) => {
  const directory = scratch(t);
  const daemon = await spawnDaemon(t, {}, directory).answers();
  await enrol({ daemon });
  const socket = ["--socket", join(directory, "c.sock")];
  const whole = await meshctl(["audit", "verify", ...socket]);
  assert.match(whole.out, /^The audit log is whole: 4 entries \(1 to 4\) in 1 file, signed up to/);
  assert.equal(whole.exit, 0);
  const listed = await meshctl(["audit", "list", "--limit", "3", ...socket]);
  assert.match(listed.out, /svid\.issue +spiffe:\/\/it\.mesh\/node\/daemon +cause=own/);

  // kill -9 loses nothing; the files alone say as much as the daemon did.
  await daemon.end("SIGKILL");
  const audit = join(directory, "state/audit");
  const verify = async (): Promise<AuditVerified> =>
    JSON.parse((await meshctl(["audit", "verify", "--dir", audit, "--json"])).out) as AuditVerified;
  const { entries, problems } = await verify();
  assert.deepEqual([entries, problems], [4, []]);

  const file = join(audit, "audit-000000000001.jsonl");
  const lines = readFileSync(file, "utf8");
  writeFileSync(file, lines.replace('"cause":"own"', '"cause":"owl"'));
  const changed = await meshctl(["audit", "verify", "--dir", audit]);
  assert.match(changed.out, /NOT as it was written[^]*entry 4 is not as it was written/);
  assert.equal(changed.exit, 1);

  // The daemon finds it too, and says so for as long as nobody has looked after it.
  const next = await spawnDaemon(t, {}, directory).answers();
  assert.ok((await next.status()).health.some(({ code }) => code === "audit/broken"));
  assert.equal(await next.metric("meshd_health_issue", { code: "audit/broken" }), 1);
  assert.ok((await eventsOf(next)).includes("audit.break"));
});
