// The units as files: systemd reads them without a complaint, the hardening holds its score, and what the daemon's
// program says of itself stands in them too. systemd-hosts.test.ts boots them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { daemonExitStatus, EXIT_CONFIG } from "../../src/cli/daemon-exit.ts";
import { daemonRuntime } from "../../src/cli/daemon-program.ts";
import { exitStatus } from "../../src/control/index.ts";

const SERVICE = "meshd.service";
const UNITS = [SERVICE, "meshd-wait-online.service"] as const;
const DROP_IN = "meshd.service.d/workload-attestation.conf";
/** Of 10.0; systemd-analyze takes tenths. */
const EXPOSURE_TENTHS_MAX = 15;

const skip =
  spawnSync("systemd-analyze", ["--version"]).status === 0
    ? false
    : "systemd-analyze is not installed";

function unit(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../systemd/${name}`, import.meta.url)), "utf8");
}

/** All values of a setting, in order. */
function settings(name: string, key: string): string[] {
  return unit(name)
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

interface Analyzed {
  readonly status: number | null;
  readonly output: string;
}

/** Runs systemd-analyze over changed copies of the units, whose programs need not be installed. */
function analyze(
  args: readonly string[],
  files: readonly string[],
  change = (text: string): string => text,
): Analyzed {
  const directory = mkdtempSync(join(tmpdir(), "meshd-units-"));
  try {
    for (const name of files) {
      const file = join(directory, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, change(unit(name)).replaceAll(/\/usr\/bin\/mesh(d|ctl)\b/g, "/bin/true"));
    }
    // The empty part at the end: and systemd's own units.
    const env = {
      ...process.env,
      SYSTEMD_UNIT_PATH: `${directory}:`,
      SYSTEMD_LOG_LEVEL: "warning",
    };
    const { status, stdout, stderr } = spawnSync("systemd-analyze", args, {
      env,
      encoding: "utf8",
    });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe("the units", { skip }, () => {
  for (const name of UNITS) {
    const verify = (change?: (text: string) => string): Analyzed =>
      analyze(["verify", "--man=no", name], UNITS, change);

    test(`systemd reads ${name} without a complaint`, () => {
      assert.deepEqual(verify(), { status: 0, output: "" });
    });

    test(`systemd would complain of a misspelt setting in ${name}`, () => {
      const { output } = verify((text) => text.replace("ProtectHome=", "ProtectHomes="));
      assert.match(output, /Unknown key .*'ProtectHomes'/);
    });
  }

  test("systemd takes the drop-in for workload attestation: with it, and only then, the daemon sees other users' processes and their users", () => {
    const isSet = (files: readonly string[]): Record<string, boolean> => {
      const args = ["security", "--offline=yes", "--json=short", "--no-pager", SERVICE];
      const rows = JSON.parse(analyze(args, files).output) as { name: string; set: boolean }[];
      const named = (name: string): [string, boolean] => [
        name,
        rows.find((row) => row.name === name)?.set ?? assert.fail(`systemd has no ${name}`),
      ];
      return Object.fromEntries(["ProtectProc=", "PrivateUsers=", "NoNewPrivileges="].map(named));
    };
    const others = { "NoNewPrivileges=": true };
    assert.deepEqual(isSet(UNITS), { "ProtectProc=": true, "PrivateUsers=": true, ...others });
    assert.deepEqual(isSet([...UNITS, DROP_IN]), {
      ...{ "ProtectProc=": false, "PrivateUsers=": false },
      ...others,
    });
    const verify = (change?: (text: string) => string): string =>
      analyze(["verify", "--man=no", SERVICE], [...UNITS, DROP_IN], change).output;
    assert.equal(verify(), "");
    assert.match(
      verify((text) => text.replace("PrivateUsers=no", "PrivateUsers=perhaps")),
      /attestation.conf:\d+: Failed to parse boolean/,
    );
  });

  for (const [what, files] of [
    ["alone", UNITS],
    ["with the drop-in for workload attestation", [...UNITS, DROP_IN]],
  ] as const) {
    const exposure = (change?: (text: string) => string): Analyzed =>
      analyze(
        ["security", "--offline=yes", `--threshold=${EXPOSURE_TENTHS_MAX}`, "--no-pager", SERVICE],
        files,
        change,
      );

    test(`${SERVICE} ${what} is exposed to 1.5 at most`, (t) => {
      const { status, output } = exposure();
      assert.equal(status, 0, output);
      t.diagnostic(output.trimEnd().split("\n").at(-1) ?? "");
    });

    test(`without bounds on capabilities and system calls ${SERVICE} ${what} would be exposed to more`, () => {
      const { status, output } = exposure((text) =>
        text.replace(/^(CapabilityBoundingSet|SystemCallFilter)=.*\n/gm, ""),
      );
      assert.notEqual(status, 0, output);
    });
  }
});

test("the service sets the daemon's environment as everything else that starts one", () => {
  const variables = Object.entries(daemonRuntime.environment).map(
    ([name, value]) => `${name}=${value}`,
  );
  assert.deepEqual(settings(SERVICE, "Environment"), [variables.join(" ")]);
});

test("the service restarts the daemon for all ends but those that a restart cannot mend", () => {
  const [statuses] = settings(SERVICE, "RestartPreventExitStatus");
  assert.equal(statuses, `${exitStatus.usage} ${EXIT_CONFIG}`);
  for (const code of ["config/invalid", "config/unreadable", "state/key-missing", "state/corrupt"])
    assert.equal(daemonExitStatus(code), EXIT_CONFIG, code);
  for (const code of [
    "telemetry/port-taken",
    "network/port-taken",
    "state/disk-full",
    "state/in-use",
    "internal/unexpected",
  ])
    assert.equal(daemonExitStatus(code), exitStatus.failure, code);
});
