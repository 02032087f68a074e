// Every check of the doctor on both sides of its threshold.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CheckStatus, DoctorCheck } from "../../../src/control/index.ts";
import * as checks from "../../../src/node/doctor/checks.ts";
import type { DaemonFacts, HostFacts, StateFacts } from "../../../src/node/doctor/facts.ts";
import { fakePeer, fakeStatus } from "../../integration/control/fake-node.ts";

const state = (part: Partial<StateFacts> = {}): StateFacts => ({
  directory: "/s",
  problem: undefined,
  freeBytes: checks.DISK_FREE_BYTES_WARN,
  files: [
    { path: "/s", mode: 0o700, uid: 7 },
    { path: "/s/keys/ed25519.seed", mode: 0o600, uid: 7 },
  ],
  ...part,
});
const host = (part: Partial<HostFacts> = {}): HostFacts => ({
  config: { file: "/c.yml", problem: undefined, restartPending: [] },
  state: state(),
  socket: { path: "/c.sock", mode: 0o660, uid: 7 },
  clockSynchronised: true,
  ...part,
});
type Status = DaemonFacts["status"];
const daemon = (
  part: Partial<Omit<DaemonFacts, "status">> & {
    status?: Partial<Status>;
    node?: Partial<Status["node"]>;
  } = {},
): DaemonFacts => {
  const { status, node, ...rest } = part;
  const base = { ...fakeStatus(), peers: [fakePeer("node-2")] };
  return {
    status: { ...base, ...status, node: { ...base.node, ...node } },
    openFilesMax: 1024,
    connectionsTarget: 16,
    metricsWanted: true,
    observedIps: ["10.0.0.1"],
    ...rest,
  };
};
const health = (severity: "info" | "warning" | "error") => ({
  status: { health: [{ code: "mesh/x", severity, message: "It is so." }] },
});
const file = (path: string, mode: number, uid = 7) => ({ path, mode, uid });
const HOUR_MS = 3_600_000;
const svidOf = fakeStatus().svid ?? assert.fail("the fixture has an SVID");
const renewAtMs = Date.parse(svidOf.renewAt);
const notAfterMs = Date.parse(svidOf.notAfter);
const lateMs = renewAtMs + (notAfterMs - renewAtMs) / 2;

const table: readonly (readonly [string, DoctorCheck, CheckStatus, RegExp])[] = [
  ["a good file", checks.checkConfig(host()), "ok", /in order/],
  [
    "a bad file",
    checks.checkConfig(
      host({ config: { file: "/c.yml", problem: "2 problems", restartPending: [] } }),
    ),
    "fail",
    /2 problems/,
  ],
  [
    "a change that waits",
    checks.checkConfig(
      host({ config: { file: "/c.yml", problem: undefined, restartPending: ["mesh.zone"] } }),
    ),
    "warn",
    /mesh\.zone/,
  ],
  ["a writable state", checks.checkState(state()), "ok", /can be written/],
  ["a closed state", checks.checkState(state({ problem: "EACCES" })), "fail", /EACCES/],
  ["no state yet", checks.checkState(state({ problem: "ENOENT" })), "warn", /does not exist/],
  ["room enough", checks.checkDisk(state()), "ok", /256 MiB/],
  [
    "little room",
    checks.checkDisk(state({ freeBytes: checks.DISK_FREE_BYTES_WARN - 1 })),
    "warn",
    /255 MiB/,
  ],
  [
    "the last room that only warns",
    checks.checkDisk(state({ freeBytes: checks.DISK_FREE_BYTES_FAIL })),
    "warn",
    /16 MiB/,
  ],
  [
    "no room",
    checks.checkDisk(state({ freeBytes: checks.DISK_FREE_BYTES_FAIL - 1 })),
    "fail",
    /15 MiB/,
  ],
  [
    "an unknown disk",
    checks.checkDisk(state({ freeBytes: undefined })),
    "unknown",
    /cannot be read/,
  ],
  ["private files", checks.checkPermissions(state()), "ok", /2 files/],
  [
    "a readable seed",
    checks.checkPermissions(state({ files: [file("/s", 0o700), file("/s/a.seed", 0o640)] })),
    "fail",
    /a\.seed is open/,
  ],
  [
    "a readable directory",
    checks.checkPermissions(state({ files: [file("/s", 0o750)] })),
    "warn",
    /\/s is open/,
  ],
  [
    "a foreign file",
    checks.checkPermissions(state({ files: [file("/s", 0o700), file("/s/db", 0o600, 0)] })),
    "fail",
    /another user/,
  ],
  ["no files", checks.checkPermissions(state({ files: [] })), "unknown", /no state/],
  ["a socket for the group", checks.checkSocket(host()), "ok", /group alone/],
  [
    "a socket for all",
    checks.checkSocket(host({ socket: file("/c.sock", 0o666) })),
    "fail",
    /Every user/,
  ],
  ["no socket", checks.checkSocket(host({ socket: undefined })), "unknown", /no control socket/],
  ["a right clock", checks.checkClock(host()), "ok", /synchronised/],
  [
    "a free clock",
    checks.checkClock(host({ clockSynchronised: false })),
    "warn",
    /not synchronised/,
  ],
  [
    "a silent clock",
    checks.checkClock(host({ clockSynchronised: undefined })),
    "unknown",
    /does not say/,
  ],
  [
    "a free port",
    checks.checkBind([{ address: "/ip4/0.0.0.0/tcp/1", problem: undefined }]),
    "ok",
    /can be bound/,
  ],
  [
    "a taken port",
    checks.checkBind([{ address: "/ip4/0.0.0.0/tcp/1", problem: "EADDRINUSE" }]),
    "fail",
    /EADDRINUSE/,
  ],
  ["an address", checks.checkListen(daemon()), "ok", /\/ip4\/10\.0\.0\.1\/tcp\/4001/],
  ["no address", checks.checkListen(daemon({ node: { addresses: [] } })), "fail", /no address/],
  [
    "no mesh to listen for",
    checks.checkListen(daemon({ node: { state: "unenrolled" } })),
    "unknown",
    /in no mesh/,
  ],
  ["served metrics", checks.checkMetrics(daemon()), "ok", /127\.0\.0\.1:9464/],
  [
    "metrics off",
    checks.checkMetrics(daemon({ metricsWanted: false, node: { metricsAddress: null } })),
    "warn",
    /off/,
  ],
  [
    "lost metrics",
    checks.checkMetrics(daemon({ node: { metricsAddress: null } })),
    "fail",
    /nothing serves/,
  ],
  ["no NAT", checks.checkNat(daemon()), "ok", /10\.0\.0\.1/],
  [
    "a NAT",
    checks.checkNat(daemon({ observedIps: ["203.0.113.7"] })),
    "warn",
    /203\.0\.113\.7, the node tells 10\.0\.0\.1/,
  ],
  [
    "a name behind a NAT",
    checks.checkNat(
      daemon({ observedIps: ["203.0.113.7"], node: { addresses: ["/dns4/a.example/tcp/1"] } }),
    ),
    "ok",
    /a name/,
  ],
  ["nobody to say", checks.checkNat(daemon({ observedIps: [] })), "unknown", /No peer/],
  ["files enough", checks.checkOpenFiles(daemon({ openFilesMax: 256 })), "ok", /256/],
  ["too few files", checks.checkOpenFiles(daemon({ openFilesMax: 255 })), "fail", /Only 255/],
  [
    "unknown files",
    checks.checkOpenFiles(daemon({ openFilesMax: undefined })),
    "unknown",
    /cannot be read/,
  ],
  ["a fast engine", checks.checkEngine(daemon()), "ok", /native/],
  ["a slow engine", checks.checkEngine(daemon({ node: { engine: "noble" } })), "warn", /noble/],
  ["a good node", checks.checkNode(daemon()), "ok", /running/],
  ["news", checks.checkNode(daemon(health("info"))), "ok", /running/],
  ["a warning", checks.checkNode(daemon(health("warning"))), "warn", /mesh\/x/],
  ["an error", checks.checkNode(daemon(health("error"))), "fail", /mesh\/x/],
  ["no mesh", checks.checkNode(daemon({ node: { state: "unenrolled" } })), "warn", /in no mesh/],
  ["a fresh SVID", checks.checkSvid(daemon(), renewAtMs - HOUR_MS), "ok", /valid until/],
  ["a renewal under way", checks.checkSvid(daemon(), lateMs - 1), "ok", /valid until/],
  ["a late renewal", checks.checkSvid(daemon(), lateMs), "warn", /should have been renewed/],
  [
    "the last moment",
    checks.checkSvid(daemon(), notAfterMs - 1),
    "warn",
    /should have been renewed/,
  ],
  [
    "an expired SVID in grace",
    checks.checkSvid(
      daemon({
        status: { svid: { ...svidOf, graceEnd: new Date(notAfterMs + HOUR_MS).toISOString() } },
      }),
      notAfterMs + HOUR_MS - 1,
    ),
    "warn",
    /peers take it until/,
  ],
  ["an expired SVID", checks.checkSvid(daemon(), notAfterMs), "fail", /expired/],
  [
    "an SVID of tomorrow",
    checks.checkSvid(daemon(), Date.parse(svidOf.notBefore) - 1),
    "fail",
    /clock is behind/,
  ],
  ["no SVID", checks.checkSvid(daemon({ status: { svid: null } }), 0), "unknown", /no certificate/],
  ["all peers", checks.checkPeers(daemon()), "ok", /1 of 1/],
  [
    "a failing peer",
    checks.checkPeers(daemon({ status: { peers: fakeStatus().peers } })),
    "warn",
    /handshake\/timeout/,
  ],
  [
    "no peer connected",
    checks.checkPeers(daemon({ status: { peers: [fakePeer("a", { connected: false })] } })),
    "fail",
    /0 of 1/,
  ],
  [
    "peers that left",
    checks.checkPeers(
      daemon({ status: { peers: [fakePeer("a", { state: "left", connected: false })] } }),
    ),
    "ok",
    /No peer/,
  ],
  ["an issuer alone", checks.checkPeers(daemon({ status: { peers: [] } })), "ok", /No peer/],
  [
    "a member alone",
    checks.checkPeers(daemon({ status: { peers: [] }, node: { roles: [] } })),
    "warn",
    /No peer/,
  ],
];

describe("the doctor", () => {
  for (const [what, check, status, finding] of table) {
    test(`finds ${what}: ${status}`, () => {
      assert.equal(check.status, status, check.finding);
      assert.match(check.finding, finding);
      assert.match(check.code, /^doctor\/[a-z-]+$/);
      // What is wrong has a fix; what is not, has none.
      assert.equal(check.fix !== null, status === "warn" || status === "fail", check.finding);
    });
  }

  test("has every check in the table with a finding that is good and one that is not", () => {
    for (const code of new Set(table.map(([, check]) => check.code))) {
      const statuses = new Set(
        table.filter(([, check]) => check.code === code).map(([, , status]) => status),
      );
      assert.ok(statuses.has("ok"), `${code} is ok somewhere`);
      assert.ok(statuses.has("warn") || statuses.has("fail"), `${code} is not ok somewhere`);
    }
  });
});
