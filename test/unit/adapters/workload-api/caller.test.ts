import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Caller } from "../../../../src/adapters/workload-api/caller.ts";
import { openPeerCredentials } from "../../../../src/adapters/workload-api/peer-credentials.ts";
import {
  ProcessReader,
  startTicksOf,
  unitOf,
} from "../../../../src/adapters/workload-api/process-facts.ts";
import { scratch } from "../../../integration/node/harness.ts";

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const me = { pid: process.pid, uid, gid };

describe("the kernel's word about a peer", () => {
  it("[E6] names the process at the other end, its user and group, and is asked of a live socket alone", async (t) => {
    const credentialsOf = openPeerCredentials();
    const server = createServer();
    t.after(() => server.close());
    server.listen(join(scratch(t), "s.sock"));
    await once(server, "listening");
    const client = connect(server.address() as string);
    const [socket] = (await once(server, "connection")) as [Socket];
    assert.deepEqual(credentialsOf(socket), me);
    client.destroy();
    socket.destroy();
    await once(socket, "close");
    assert.equal(credentialsOf(socket), undefined);
  });
});

describe("a caller", () => {
  const codeOf = (credentials: Parameters<typeof Caller.pin>[0]): string => {
    const caller = Caller.pin(credentials);
    return caller.ok ? "pinned" : caller.code;
  };

  it("is pinned when it runs, and its selectors say what it is", async () => {
    const caller = Caller.pin(me);
    assert.ok(caller.ok);
    const selectors = await caller.value.selectors(new ProcessReader(), true);
    assert.ok(selectors.ok);
    for (const kind of ["unix:uid:", "unix:gid:", "unix:path:", "unix:sha256:"])
      assert.equal(
        [...selectors.value].filter((selector) => selector.startsWith(kind)).length,
        1,
        kind,
      );
  });

  it("[W13] that the kernel does not name, or only as one of many users, is nobody", () => {
    assert.equal(codeOf(undefined), "workload/caller-unknown");
    assert.equal(codeOf({ ...me, uid: 65_534 }), "workload/caller-foreign");
    assert.equal(codeOf({ ...me, gid: 65_534 }), "workload/caller-foreign");
    assert.equal(codeOf({ ...me, pid: 2 ** 22 + 1 }), "workload/caller-unknown");
    assert.equal(codeOf(me), "pinned");
  });

  it("[E6] whose process has ended is nobody, whoever has its id then", async () => {
    const child = spawn("sleep", ["60"]);
    await once(child, "spawn");
    const caller = Caller.pin({ ...me, pid: child.pid ?? 0 });
    assert.ok(caller.ok);
    const reader = new ProcessReader();
    assert.ok((await caller.value.selectors(reader, false)).ok);
    child.kill("SIGKILL");
    await once(child, "exit");
    const after = await caller.value.selectors(reader, false);
    assert.equal(after.ok ? "found" : after.code, "workload/caller-gone");
  });

  it("starts at the time that the kernel says, in ticks", () => {
    const ticks = startTicksOf(process.pid) ?? assert.fail("no start");
    assert.ok(ticks > 0 && ticks <= (process.uptime() + 3e9) * 100);
    assert.equal(startTicksOf(2 ** 22 + 1), undefined);
  });
});

describe("the unit of a process", () => {
  it("is the first part of its control group that is no slice", () => {
    const cases: [string, string | undefined][] = [
      ["0::/system.slice/nginx.service\n", "nginx.service"],
      ["9:name=systemd:/system.slice/nginx.service\n8:pids:/x\n", "nginx.service"],
      ["0::/app.slice/app-web.slice/web@1.service/payload/evil.service\n", "web@1.service"],
      [
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service\n",
        "user@1000.service",
      ],
      ["0::/user.slice/user-1000.slice/session-2.scope\n", "session-2.scope"],
      ["0::/\n", undefined],
      ["0::/../../nginx.service\n", undefined],
      ["0::/docker/0123abc\n", undefined],
      ["", undefined],
    ];
    for (const [text, unit] of cases) assert.equal(unitOf(text), unit, text);
  });
});
