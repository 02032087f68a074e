// The log level of a running daemon: changed by an operator, told in the log, back at what the file says after a reload or a start.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { type DaemonProcess, fileText, type FileOptions, spawnDaemon, until } from "./harness.ts";

const AT_WARN: FileOptions = { telemetry: { log: { level: "warn" } } };

async function logHealth(daemon: DaemonProcess): Promise<string | undefined> {
  const { health } = await daemon.status();
  return health.find(({ code }) => code === "node/log-level")?.message;
}

test("the log level changes while the daemon runs, and everybody can see that it did", async (t) => {
  const daemon = await spawnDaemon(t, AT_WARN).answers();
  const { client } = daemon;
  const levels = async (): Promise<readonly string[]> => {
    const { level, configured } = await client.log();
    return [level, configured];
  };
  assert.deepEqual(await levels(), ["warn", "warn"]);
  assert.equal(await logHealth(daemon), undefined);
  assert.equal(daemon.out, "", "nothing to warn of");

  // Each change is in the log, whether it makes the log louder or quieter; the same level again is no change.
  const { level, configured } = await client.setLogLevel({ level: "debug" });
  assert.deepEqual([level, configured], ["debug", "warn"]);
  await client.setLogLevel({ level: "debug" });
  await daemon.logged({ from: "warn", to: "debug", message: "log level changed by an operator" });
  assert.match((await logHealth(daemon)) ?? "", /at debug until .* the configuration says warn/);
  await client.init({ trustDomain: "log.mesh", name: "a" });
  await daemon.logged({ level: "info", message: "trust domain made" });
  await client.setLogLevel({ level: "error" });
  await daemon.logged({ from: "debug", to: "error" });
  const changes = daemon
    .log()
    .filter(({ message }) => message === "log level changed by an operator");
  assert.equal(changes.length, 2);

  // A reload takes what the file says, although the file is as before.
  writeFileSync(daemon.configFile, fileText(daemon.directory, AT_WARN));
  await client.setLogLevel({ level: "info" });
  daemon.child.kill("SIGHUP");
  await until("the reload", async () => (await client.log()).level === "warn");
  assert.deepEqual(await levels(), ["warn", "warn"]);

  await client.setLogLevel({ level: "debug" });
  assert.equal(await daemon.end("SIGTERM"), 0);
  const again = await spawnDaemon(t, AT_WARN, daemon.directory).answers();
  assert.deepEqual(Object.values(await again.client.log()).slice(1), ["warn", "warn"]);
});
