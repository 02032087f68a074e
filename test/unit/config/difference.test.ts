import assert from "node:assert/strict";
import { test } from "node:test";
import { configDifference, parseConfig } from "../../../src/config/index.ts";

const base = parseConfig("", "x");

test("the same configuration differs in nothing", () => {
  assert.deepEqual(configDifference(base, parseConfig("mesh: {zone: default}", "x")), {
    reload: [],
    restart: [],
  });
});

test("policy, bootstrap and log level are reloaded; the rest needs a restart", () => {
  const next = parseConfig(
    [
      "mesh: {bootstrap: [/ip4/10.0.0.1/tcp/4001], zone: b, connections_target: 17}",
      "policy: []",
      "learning: {csv: {file: /a.csv, label: y}}",
      "telemetry: {log: {level: debug, format: pretty}, metrics: {listen: 127.0.0.1:1}}",
    ].join("\n"),
    "x",
  );
  assert.deepEqual(configDifference(base, next), {
    reload: ["mesh.bootstrap", "policy", "telemetry.log.level"],
    restart: [
      "mesh.zone",
      "mesh.connections_target",
      "learning.csv",
      "telemetry.metrics.listen",
      "telemetry.log.format",
    ],
  });
});

test("every key of the file is compared", () => {
  const next = parseConfig(
    `
state_dir: /x
control: {socket: /x}
mesh: {listen: [/ip4/1.2.3.4/tcp/1], announce: [/ip4/1.2.3.4/tcp/1], bootstrap: [/ip4/1.2.3.4/tcp/1],
  mdns: false, zone: x, handshake_policy: interop, heartbeat_interval: 2s, connections_target: 2}
crypto: {engine: noble}
identity: {svid_lifetime: 1h, clock_skew: 1s}
policy: []
learning: {enabled: false, adversary: true, csv: {file: /x, label: x}}
telemetry: {metrics: {listen: off}, log: {level: warn, format: pretty},
  tracing: {endpoint: http://x/, sample_ratio: 0, beacon_sample_ratio: 0, headers_file: /x}}
`,
    "x",
  );
  const { reload, restart } = configDifference(base, next);
  assert.equal(reload.length + restart.length, 24);
});
