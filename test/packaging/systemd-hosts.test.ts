// meshd as the service of real hosts: systemd boots in systemd-nspawn, starts the executable with all of its hardening,
// and does to it what it does to services. The hosts are on a network of their own.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Stack } from "../integration/node/harness.ts";
import { buildMeshd, repository } from "./executables.ts";
import { bootHosts, cannotBootHosts, type Host } from "./support/host.ts";

const skip = cannotBootHosts() ?? false;

/** Where the package puts its files. */
function installed(executable: string): Record<string, string> {
  return {
    "/usr/bin/meshd": executable,
    "/usr/bin/meshctl": executable,
    "/usr/lib/systemd/system/meshd.service": join(repository, "systemd/meshd.service"),
    "/usr/lib/systemd/system/meshd-wait-online.service": join(
      repository,
      "systemd/meshd-wait-online.service",
    ),
    "/usr/lib/sysusers.d/meshd.conf": join(repository, "systemd/meshd.sysusers.conf"),
    "/usr/lib/tmpfiles.d/meshd.conf": join(repository, "systemd/meshd.tmpfiles.conf"),
    "/usr/share/meshd/meshd.yml": join(repository, "packaging/meshd.yml"),
  };
}

const CONFIG = "/etc/meshd/meshd.yml";
const INSTALL = `systemd-sysusers && systemd-tmpfiles --create meshd.conf &&
  mkdir -p /etc/meshd && cp /usr/share/meshd/meshd.yml ${CONFIG}`;

interface Shown {
  readonly active: string;
  readonly result: string;
  readonly restarts: number;
  readonly pid: number;
  readonly text: string;
}

async function shown(host: Host): Promise<Shown> {
  const output = await host.ok(
    "systemctl show meshd -p ActiveState -p Result -p NRestarts -p MainPID -p StatusText",
  );
  const value = (key: string): string =>
    new RegExp(`^${key}=(.*)$`, "m").exec(output)?.[1] ?? assert.fail(`no ${key} in ${output}`);
  return {
    active: value("ActiveState"),
    result: value("Result"),
    restarts: Number(value("NRestarts")),
    pid: Number(value("MainPID")),
    text: value("StatusText"),
  };
}

/** A drop-in of the test's own, in place of an earlier one. */
async function override(host: Host, lines: string): Promise<void> {
  await host.ok(
    "mkdir -p /etc/systemd/system/meshd.service.d && cat >/etc/systemd/system/meshd.service.d/test.conf && systemctl daemon-reload",
    lines,
  );
}

const journal = (host: Host): Promise<string> =>
  host.ok("journalctl --no-pager -o cat -u meshd.service");

const nodeId = (host: Host): Promise<string> =>
  host.ok('meshctl identity --json | grep -o \'"nodeId": *"[0-9a-f]*"\' | head -n 1');

const NO_WAIT = "this meshctl has no verb wait";
const hasWait = async (host: Host): Promise<boolean> =>
  (await host.run('meshctl --help | grep -q "^ *wait "')).status === 0;

describe("meshd under systemd", { skip, concurrency: false }, () => {
  const stack = new Stack();
  let alpha: Host;
  let beta: Host;
  let token = "";
  before(async () => {
    const scratch = mkdtempSync(join(tmpdir(), "meshd-systemd-"));
    stack.after(() => rmSync(scratch, { recursive: true, force: true }));
    const files = installed(await buildMeshd(process.arch, scratch));
    [alpha, beta] = (await bootHosts(stack, ["alpha", "beta"], { files })) as [Host, Host];
    await Promise.all([alpha.ok(INSTALL), beta.ok(INSTALL)]);
  });
  after(() => stack.unwind());

  test("is active as soon as its control socket answers, as its own user, and waits to be enrolled", async (t) => {
    for (const host of [alpha, beta]) {
      const startedAtMs = performance.now();
      await host.ok("systemctl enable --now meshd");
      t.diagnostic(`${host.name} started in ${(performance.now() - startedAtMs).toFixed(0)} ms`);
      const { active, text, pid } = await shown(host);
      assert.equal(active, "active");
      assert.match(text, /^waiting for enrolment/);
      assert.match((await host.run("meshctl status")).output, /unenrolled/);
      assert.equal(await host.ok(`stat -c '%U %G %a' /run/meshd/control.sock`), "meshd meshd 660");
      assert.equal(await host.ok(`stat -c '%U %G %a' /var/lib/meshd`), "meshd meshd 700");
      assert.equal(await host.ok(`stat -c %U /proc/${pid}`), "meshd");
    }
  });

  test("runs with all of its hardening", async () => {
    const { pid } = await shown(alpha);
    const status = await alpha.ok(`cat /proc/${pid}/status`);
    assert.match(status, /^CapBnd:\s0+$/m);
    assert.match(status, /^CapEff:\s0+$/m);
    assert.match(status, /^NoNewPrivs:\s1$/m);
    assert.match(status, /^Seccomp:\s2$/m);
    assert.match(await alpha.ok(`cat /proc/${pid}/limits`), /Max core file size +0 +0/);
    const inside = `nsenter -t ${pid} -m sh -c`;
    assert.notEqual((await alpha.run(`${inside} 'echo x >/usr/x'`)).status, 0, "read-only system");
    await alpha.ok("touch /root/mine");
    assert.notEqual((await alpha.run(`${inside} 'ls /root/mine'`)).status, 0, "no homes");
    assert.match(await alpha.ok(`cat /proc/${pid}/uid_map`), /^ +0 +0 +1\n/, "a user namespace");
  });

  test("meshd-wait-online gives up on a host that is in no mesh", async (t) => {
    if (!(await hasWait(alpha))) return t.skip(NO_WAIT);
    await alpha.ok(
      "mkdir -p /run/systemd/system/meshd-wait-online.service.d && cat >/run/systemd/system/meshd-wait-online.service.d/test.conf && systemctl daemon-reload",
      "[Service]\nExecStart=\nExecStart=/usr/bin/meshctl wait --for ready --timeout 1s\n",
    );
    assert.notEqual((await alpha.run("systemctl start meshd-wait-online")).status, 0);
    assert.match(await alpha.ok("journalctl -o cat -u meshd-wait-online"), /unenrolled/);
    assert.equal((await shown(alpha)).active, "active");
  });

  test("two hosts make a mesh: init on one, join with a token on the other", async () => {
    await alpha.ok("meshctl init --trust-domain hosts.test --name alpha");
    token = /x0t1\S+/.exec(await alpha.ok("meshctl token create"))?.[0] ?? assert.fail("a token");
    await beta.ok(`meshctl join ${token} --name beta`);
    await alpha.until("meshctl peers", /beta.*alive/);
    await beta.until("meshctl peers", /alpha.*alive/);
    for (const host of [alpha, beta])
      await host.until("systemctl show meshd -p StatusText", /in hosts\.test, 1 peer connected$/);
  });

  test("meshd-wait-online ends when the host is in its mesh", async (t) => {
    if (!(await hasWait(beta))) return t.skip(NO_WAIT);
    await beta.ok("systemctl start meshd-wait-online");
    assert.equal(await beta.ok("systemctl is-active meshd-wait-online"), "active");
  });

  test("the control socket is for members of the group", async () => {
    await alpha.ok(
      "useradd --no-create-home member && useradd stranger && usermod -aG meshd member",
    );
    assert.equal(
      (await alpha.run("setpriv --reuid=member --init-groups meshctl status")).status,
      0,
    );
    const refused = await alpha.run("setpriv --reuid=stranger --init-groups meshctl status");
    assert.equal(refused.status, 3, refused.output);
  });

  test("systemctl reload takes a new configuration, and keeps the old one for a broken one", async () => {
    const { pid } = await shown(alpha);
    await alpha.ok(`sed -i 's/level: info/level: debug/' ${CONFIG} && systemctl reload meshd`);
    await alpha.until("journalctl -o cat -u meshd", /"keys":\["telemetry.log.level"\].*reloaded/);
    await alpha.ok(`sed -i 's/level: debug/level: loud/' ${CONFIG} && systemctl reload meshd`);
    await alpha.until("systemctl show meshd -p StatusText", /refused \[config\/invalid\]/);
    assert.equal((await shown(alpha)).active, "active");
    await alpha.ok(`sed -i 's/level: loud/level: info/' ${CONFIG} && systemctl reload meshd`);
    assert.equal((await shown(alpha)).pid, pid);
  });

  test("a daemon that stands still is killed by the watchdog and started again, the same node", async (t) => {
    await override(alpha, "[Service]\nWatchdogSec=3\nRestartSec=100ms\n");
    await alpha.ok("systemctl restart meshd");
    await beta.until("meshctl peers", /alpha.*alive/);
    const before = await shown(alpha);
    const id = await nodeId(alpha);
    await alpha.ok(`kill -STOP ${before.pid}`);
    const stoppedAtMs = performance.now();
    await alpha.until("systemctl show meshd -p NRestarts", /=1$/);
    t.diagnostic(
      `restarted after ${(performance.now() - stoppedAtMs).toFixed(0)} ms, WatchdogSec=3`,
    );
    await alpha.until("systemctl show meshd -p ActiveState", /=active$/);
    assert.match(await alpha.ok("journalctl -o cat -u meshd"), /Watchdog timeout \(limit 3s\)!/);
    assert.match(await alpha.ok("journalctl -o cat -u meshd"), /Failed with result 'watchdog'/);
    assert.notEqual((await shown(alpha)).pid, before.pid);
    assert.equal(await nodeId(alpha), id);
    await alpha.until("meshctl peers", /beta.*alive/);
  });

  test("kill -9 is followed by a start, and a stop by none, within its time", async (t) => {
    const before = await shown(alpha);
    await alpha.ok(`kill -KILL ${before.pid}`);
    await alpha.until("systemctl show meshd -p NRestarts", /=2$/);
    await alpha.until("meshctl peers", /beta.*alive/);
    await beta.until("meshctl peers", /alpha.*alive/);
    const askedAtMs = performance.now();
    await alpha.ok("systemctl stop meshd");
    t.diagnostic(`stopped in ${(performance.now() - askedAtMs).toFixed(0)} ms`);
    const { active, result } = await shown(alpha);
    assert.deepEqual([active, result], ["inactive", "success"]);
    await beta.until("meshctl peers", /alpha.*left/);
    await alpha.ok("systemctl start meshd");
    await beta.until("meshctl peers", /alpha.*alive/);
  });

  test("V8 cannot live with MemoryDenyWriteExecute, the one hardening that is left out", async () => {
    await override(alpha, "[Service]\nMemoryDenyWriteExecute=yes\nRestart=no\n");
    assert.notEqual((await alpha.run("systemctl restart meshd")).status, 0);
    await override(alpha, "");
    await alpha.ok("systemctl reset-failed meshd; systemctl start meshd");
  });

  test("a taken port is named, and given up after a bounded number of starts", async () => {
    await alpha.ok("systemctl stop meshd");
    await alpha.ok("systemd-run --unit=squatter --socket-property=ListenStream=9464 cat");
    await override(alpha, "[Service]\nRestartSec=10ms\n[Unit]\nStartLimitBurst=3\n");
    await alpha.run("systemctl start meshd");
    await alpha.until("systemctl show meshd -p ActiveState", /=failed$/);
    const text = await journal(alpha);
    assert.equal(text.match(/\[telemetry\/port-taken\]$/gm)?.length, 3, text);
    assert.match(text, /set telemetry\.metrics\.listen/);
    await alpha.ok("systemctl stop squatter.socket");
    await override(alpha, "");
    await alpha.ok("systemctl reset-failed meshd; systemctl start meshd");
    await beta.until("meshctl peers", /alpha.*alive/);
  });

  for (const [what, breakIt, mend, code] of [
    [
      "a configuration with unknown keys",
      `sed -i 's/^mesh:/mish:/' ${CONFIG}`,
      `sed -i 's/^mish:/mesh:/' ${CONFIG}`,
      "config/invalid",
    ],
    [
      "an unreadable configuration",
      `chmod 600 ${CONFIG}`,
      `chmod 644 ${CONFIG}`,
      "config/unreadable",
    ],
    [
      "a key that is gone",
      "mv /var/lib/meshd/keys/ed25519.seed /root/",
      "mv /root/ed25519.seed /var/lib/meshd/keys/",
      "state/key-missing",
    ],
    [
      "a credential of 31 bytes",
      "mkdir -p /etc/credstore && head -c 31 /dev/zero >/etc/credstore/meshd.ed25519 && head -c 32 /dev/zero >/etc/credstore/meshd.ml-dsa-65",
      "rm /etc/credstore/meshd.*",
      "state/credential-unusable",
    ],
    [
      "credentials that are not this node's keys",
      "for n in ed25519 ml-dsa-65; do head -c 32 /dev/zero >/etc/credstore/meshd.$n; done",
      "rm /etc/credstore/meshd.*",
      "state/key-conflict",
    ],
  ] as const) {
    test(`${what}: said once, not tried again, and nothing is lost`, async () => {
      const id = await nodeId(beta);
      await beta.ok(`systemctl stop meshd; ${breakIt}`);
      assert.notEqual((await beta.run("systemctl start meshd")).status, 0);
      const { active, restarts } = await shown(beta);
      assert.deepEqual([active, restarts], ["failed", 0]);
      const ends = (await journal(beta)).match(new RegExp(`\\[${code}\\]$`, "gm"));
      assert.equal(ends?.length, 1, await journal(beta));
      assert.match(await journal(beta), /status=78\/CONFIG/);
      await beta.ok(`${mend}; systemctl start meshd`);
      assert.equal(await nodeId(beta), id);
    });
  }

  test("seeds from credentials make the node, and are not written to its disk", async () => {
    const id = await nodeId(beta);
    await beta.ok(`systemctl stop meshd
      cd /var/lib/meshd/keys && for n in ed25519 ml-dsa-65; do mv $n.seed /etc/credstore/meshd.$n; done
      chown root: /etc/credstore/*; chmod 400 /etc/credstore/*; systemctl start meshd`);
    assert.equal(await nodeId(beta), id);
    assert.equal(await beta.ok("ls /var/lib/meshd/keys"), "");
    await alpha.until("meshctl peers", /beta.*alive/);
  });

  for (const [what, keep, code] of [
    ["with an identity", "cp -a /root/kept/. /var/lib/meshd/", "state/write-failed"],
    ["without an identity", "true", "state/disk-full"],
  ] as const) {
    test(`a full disk ${what}: named, the state stays as it was, and with space again the host starts`, async () => {
      const id = await nodeId(alpha);
      await alpha.ok(`systemctl stop meshd && mkdir -p /root/kept && cp -a /var/lib/meshd/. /root/kept/
        mount -t tmpfs -o size=1M,mode=700,uid=meshd,gid=meshd none /var/lib/meshd; ${keep}
        dd if=/dev/zero of=/var/lib/meshd/fill bs=1k 2>/dev/null; true`);
      await override(alpha, "[Service]\nRestart=no\n");
      assert.notEqual((await alpha.run("systemctl start meshd")).status, 0);
      const reason = new RegExp(`Free space on the disk of state_dir.*\\[${code}\\]$`, "m");
      assert.match(await journal(alpha), reason);
      await alpha.ok("rm /var/lib/meshd/fill; systemctl start meshd");
      assert.equal((await nodeId(alpha)) === id, keep !== "true", "the same node as before");
      await alpha.ok("systemctl stop meshd && umount /var/lib/meshd");
      await override(alpha, "");
      await alpha.ok("systemctl start meshd");
      assert.equal(await nodeId(alpha), id);
    });
  }

  test("no secret got into the journal", async () => {
    for (const host of [alpha, beta]) {
      const text = await host.ok("journalctl --no-pager -o cat; journalctl -o json --no-pager");
      assert.ok(text.length > 1_000);
      const secrets = [token, token.slice(-24)];
      const files = await host.ok("ls /var/lib/meshd/keys/* /etc/credstore/* 2>/dev/null; true");
      for (const file of files.split("\n").filter((name) => name !== "")) {
        const seed = Buffer.from(await host.ok(`base64 -w0 ${file}`), "base64");
        assert.equal(seed.length, 32, file);
        secrets.push(seed.toString("hex"), seed.toString("base64url"), seed.toString("base64"));
      }
      for (const secret of secrets) assert.ok(!text.includes(secret), `${host.name}: a secret`);
    }
  });
});
