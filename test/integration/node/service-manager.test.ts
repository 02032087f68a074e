// What meshd tells a service manager, received by a real datagram socket: in a path and in the abstract namespace.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { daemonRuntime } from "../../../src/cli/daemon-program.ts";
import {
  type Cleanup,
  converged,
  type DaemonProcess,
  enrol,
  fileText,
  type FileOptions,
  fromSource,
  scratch,
  spawnDaemon,
  startDaemon,
  until,
} from "./harness.ts";

const skip = spawnSync("python3", ["--version"]).status === 0 ? false : "python3 is not installed";

/** Node.js cannot receive datagrams of a Unix socket either. Prints each, and the process that sent it, as JSON. */
const RECEIVER = `
import json, socket, struct, sys
address = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind("\\0" + address[1:] if address.startswith("@") else address)
print(json.dumps({"ready": True}), flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(65536, 64)
    pid = struct.unpack("iii", ancillary[0][2][:12])[0]
    print(json.dumps({"pid": pid, "text": data.decode()}), flush=True)
`;

interface Message {
  readonly pid: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** The service manager's side. */
class Receiver {
  readonly messages: Message[] = [];
  readonly #python: ChildProcess;
  #ready = false;

  constructor(t: Cleanup, address: string) {
    this.#python = spawn("python3", ["-c", RECEIVER, address], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => void this.#python.kill("SIGKILL"));
    assert.ok(this.#python.stdout !== null);
    createInterface(this.#python.stdout).on("line", (line) => {
      const { pid, text } = JSON.parse(line) as { pid?: number; text?: string };
      if (pid === undefined || text === undefined) {
        this.#ready = true;
        return;
      }
      const fields = Object.fromEntries(
        text.split("\n").map((assignment) => {
          const at = assignment.indexOf("=");
          return [assignment.slice(0, at), assignment.slice(at + 1)] as const;
        }),
      );
      this.messages.push({ pid, fields });
    });
  }

  async listening(): Promise<this> {
    await until("the receiver", () => Promise.resolve(this.#ready));
    return this;
  }

  /** Waits for a message after the first `from` in which all these fields match. */
  told(fields: Readonly<Record<string, RegExp>>, from = 0): Promise<Message> {
    return until(`a message with ${Object.keys(fields).join()}`, () =>
      Promise.resolve(
        this.messages
          .slice(from)
          .find((message) =>
            Object.entries(fields).every(([key, wanted]) =>
              wanted.test(message.fields[key] ?? "\0"),
            ),
          ),
      ),
    );
  }

  fed(): number {
    return this.messages.filter(({ fields }) => fields["WATCHDOG"] === "1").length;
  }
}

interface Managed {
  readonly manager: Receiver;
  readonly daemon: DaemonProcess;
}

async function managed(
  t: Cleanup,
  options: FileOptions = {},
  {
    address = undefined as string | undefined,
    watchdogMs = 1_500,
    before = [] as readonly string[],
  } = {},
): Promise<Managed> {
  const directory = scratch(t);
  const socket = address ?? join(directory, "notify");
  const manager = await new Receiver(t, socket).listening();
  const daemon = spawnDaemon(t, options, directory, fromSource(before), {
    NOTIFY_SOCKET: socket,
    WATCHDOG_USEC: String(watchdogMs * 1_000),
  });
  return { manager, daemon };
}

describe("meshd under a service manager", { skip, concurrency: 2 }, () => {
  test("is ready once its socket answers, says how its life goes, and that it stops; all by its main process", async (t) => {
    const { manager, daemon } = await managed(t, {}, { before: daemonRuntime.flags });
    const ready = await manager.told({ READY: /^1$/ });
    assert.match(ready.fields["STATUS"] ?? "", /^waiting for enrolment: meshctl init or meshctl/);
    assert.equal((await daemon.status()).node.state, "unenrolled");
    const friend = await startDaemon(t);
    await enrol({ first: daemon, friend });
    await converged({ first: daemon, friend });
    await manager.told({ STATUS: /^first in it\.mesh, 1 peer connected$/ });
    await friend.stop();
    await manager.told({ STATUS: /^first in it\.mesh, 0 peers connected$/ });
    assert.equal(await daemon.end("SIGTERM"), 0);
    const last = manager.messages.at(-1);
    assert.deepEqual(last?.fields, { STOPPING: "1", STATUS: "leaving the mesh" });
    for (const { pid } of manager.messages) assert.equal(pid, daemon.child.pid);
    assert.equal(daemon.err, "");
  });

  test("says before and after a reload that it reloads, also when the new configuration is refused", async (t) => {
    const { manager, daemon } = await managed(t, {}, { address: `@meshd-test-${process.pid}` });
    await manager.told({ READY: /^1$/ });
    const reload = async (text: string): Promise<readonly [Message, Message]> => {
      const from = manager.messages.length;
      writeFileSync(daemon.configFile, text);
      const beforeUsec = process.hrtime.bigint() / 1_000n;
      daemon.child.kill("SIGHUP");
      const reloading = await manager.told({ RELOADING: /^1$/ }, from);
      const usec = BigInt(reloading.fields["MONOTONIC_USEC"] ?? "0");
      assert.ok(usec >= beforeUsec && usec <= process.hrtime.bigint() / 1_000n, String(usec));
      const ready = await manager.told({ READY: /^1$/ }, manager.messages.indexOf(reloading));
      return [reloading, ready];
    };
    const [, refused] = await reload("mesh: [broken");
    assert.match(refused.fields["STATUS"] ?? "", /new configuration refused \[config\/invalid\]$/);
    const [, taken] = await reload(fileText(daemon.directory));
    assert.doesNotMatch(taken.fields["STATUS"] ?? "", /refused/);
  });

  test("feeds the watchdog, and stops that when the mesh machine stands still although the event loop turns", async (t) => {
    // At SIGUSR2 no timer set from then on ever comes: the mesh machine sets each of its own anew.
    const sabotage = `process.on("SIGUSR2", () => { globalThis.setTimeout = () => undefined; });`;
    const before = ["--import", `data:text/javascript,${encodeURIComponent(sabotage)}`];
    const { manager, daemon } = await managed(t, {}, { before });
    await manager.told({ READY: /^1$/ });
    await until("two feeds without a mesh", () => Promise.resolve(manager.fed() >= 2));
    await enrol({ first: daemon });
    await manager.told({ STATUS: /^first in it\.mesh/ });
    const atEnrolment = manager.fed();
    // More feeds than could come without a timer of the mesh machine in between.
    await until("feeds in a mesh", () => Promise.resolve(manager.fed() >= atEnrolment + 3));

    daemon.child.kill("SIGUSR2");
    const withheld = (): Promise<number> =>
      daemon.metric("meshd_process_watchdog_withheld_total", { reason: "mesh-stuck" });
    // A timer that was set before may still come and earn one more feed: the count begins anew with each.
    let since = { fed: -1, withheld: 0 };
    await until("four beats in a row without a feed", async () => {
      const now = { withheld: await withheld(), fed: manager.fed() };
      if (now.fed !== since.fed) since = now;
      return now.withheld >= since.withheld + 4;
    });
    assert.equal((await daemon.status()).node.state, "running", "the event loop turns");
  });

  test("stops feeding when its process stands still, and feeds again when it goes on", async (t) => {
    const { manager, daemon } = await managed(t);
    await until("a feed", () => Promise.resolve(manager.fed() >= 1));
    daemon.child.kill("SIGSTOP");
    const other = await managed(t);
    const fed = manager.fed();
    // The other daemon's beats are the clock of this test.
    await until("three feeds of another", () => Promise.resolve(other.manager.fed() >= 3));
    assert.ok(manager.fed() <= fed + 1, "one may have been under way");
    daemon.child.kill("SIGCONT");
    await until("a feed again", () => Promise.resolve(manager.fed() > fed + 1));
  });

  test("runs on when the socket takes nothing, logs that once and counts it", async (t) => {
    const directory = scratch(t);
    const daemon = await spawnDaemon(t, {}, directory, undefined, {
      NOTIFY_SOCKET: join(directory, "nobody"),
      WATCHDOG_USEC: "300000",
    }).answers();
    await until(
      "failures",
      async () => (await daemon.metric("meshd_process_notify_failures_total")) >= 3,
    );
    const lines = daemon.log().filter(({ code }) => code === "systemd/notify-failed");
    assert.equal(lines.length, 1);
    assert.match(String(lines[0]?.["error"]), /NotifyAccess=/);
  });

  test("runs on with an address that is none, and says so", async (t) => {
    const daemon = await spawnDaemon(t, {}, scratch(t), undefined, {
      NOTIFY_SOCKET: "vsock:2:1234",
    }).answers();
    const line = await daemon.logged({ code: "systemd/notify-unusable" });
    assert.match(String(line["error"]), /neither an absolute path nor an abstract name/);
    assert.equal(await daemon.metric("meshd_process_notify_failures_total"), 1);
  });
});
