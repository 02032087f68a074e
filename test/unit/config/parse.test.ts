import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ConfigError, configKeys, configLimits, parseConfig } from "../../../src/config/index.ts";

/** The problems of a text that must be refused, as `path -> line`. */
function problemsOf(
  text: string,
): Map<string, { line: number | null; value: string; hint: string }> {
  try {
    parseConfig(text, "test.yml");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, "config/invalid");
    assert.equal(error.problems.length, (error.details["problems"] as string[]).length);
    return new Map(error.problems.map((problem) => [problem.path, problem]));
  }
  return assert.fail(`accepted: ${text}`);
}

/** `mesh.zone`, `x` -> the YAML that sets it. */
function yamlOf(path: string, value: string): string {
  return `${path
    .split(".")
    .map((part, depth) => `${"  ".repeat(depth)}${part}:`)
    .join("\n")} ${value}\n`;
}

test("an empty file, a file of comments and empty sections give the defaults", () => {
  const defaults = parseConfig("", "x");
  assert.equal(defaults.mesh.heartbeatIntervalMs, 1_000);
  assert.equal(defaults.identity.svidLifetimeMs, 86_400_000);
  assert.deepEqual(parseConfig("# nothing\n", "x"), defaults);
  assert.deepEqual(parseConfig("mesh:\n  # zone: a\ntelemetry:\n  log:\n", "x"), defaults);
});

test("the packaged file holds every key and nothing but defaults", () => {
  const text = readFileSync(new URL("../../../packaging/meshd.yml", import.meta.url), "utf8");
  assert.deepEqual(parseConfig(text, "meshd.yml"), parseConfig("", "x"));
  for (const path of Object.keys(configKeys)) {
    const name = path.split(".").at(-1)?.replace("[]", "") ?? "";
    assert.match(text, new RegExp(`(^|[ #-])${name}:`, "m"), path);
  }
});

test("the configuration is frozen to its leaves", () => {
  const config = parseConfig("policy: [{spiffe: unauthenticated, allow: [mesh.join]}]", "x");
  assert.throws(() => ((config.mesh as { zone: string }).zone = "b"), TypeError);
  assert.throws(() => (config.policy[0]?.allow as string[]).push("fl.train"), TypeError);
});

test("all problems are reported at once, with line, value, rule and hint", () => {
  const found = problemsOf(
    [
      "mesh:",
      "  listne: [a]",
      "  zone: 5",
      "  listen: [q, /ip4/1.2.3.4/tcp/1]",
      "policy:",
      "  - {spiffe: x, allow: [fly]}",
      "colour: red",
      "telemetry: 7",
      "learning: {csv: {}}",
    ].join("\n"),
  );
  assert.deepEqual([...found.keys()].sort(), [
    "colour",
    "learning.csv.file",
    "learning.csv.label",
    "mesh.listen[0]",
    "mesh.listne",
    "mesh.zone",
    "policy[0].allow[0]",
    "policy[0].spiffe",
    "telemetry",
  ]);
  assert.equal(found.get("mesh.zone")?.line, 3);
  assert.equal(found.get("mesh.zone")?.value, "5");
  assert.equal(found.get("mesh.listne")?.hint, "did you mean listen");
  assert.equal(found.get("learning.csv.file")?.value, "missing");
});

test("a password in a URL is refused and not shown", () => {
  const found = problemsOf("telemetry: {tracing: {endpoint: http://me:hunter2@host/v1/traces}}");
  const problem = found.get("telemetry.tracing.endpoint");
  assert.equal(problem?.value, '"http://…@host/v1/traces"');
  assert.match(problem.hint, /headers_file/);
});

// Each rule on both sides of its edge.
const edges: readonly [path: string, good: readonly string[], bad: readonly string[]][] = [
  ["state_dir", ["/", "/a b"], ["relative", "5", '""', '"/a\\0b"']],
  ["control.socket", [`/${"s".repeat(106)}`], [`/${"s".repeat(107)}`, "run.sock"]],
  [
    "workload_api.socket",
    ["off", `/${"s".repeat(106)}`],
    [`/${"s".repeat(107)}`, "on", "api.sock"],
  ],
  ["mesh.listen", ["[/ip4/0.0.0.0/tcp/0]", "[/ip6/::1/tcp/1]"], ["[]", "/ip4/0.0.0.0/tcp/1", "{}"]],
  ["mesh.announce", ["[]", "[/dns4/a.example/tcp/1]"], ["[/ip4/1.2.3.4/udp/1]", "[5]"]],
  ["mesh.bootstrap", ["[]"], [`[${"/ip4/1.2.3.4/tcp/1,".repeat(65)}]`, "null"]],
  ["mesh.mdns", ["true", "false"], ["yes", "1"]],
  ["mesh.zone", ["a", "a".repeat(32), "9-"], ["a".repeat(33), "-a", "A", '""']],
  ["mesh.handshake_policy", ["pq-required", "interop"], ["none"]],
  ["mesh.heartbeat_interval", ["100ms", "60s", "1m"], ["99ms", "61s", "1", "1 s", "-1s"]],
  ["mesh.relay", ["auto", "server", "client", "off"], ["yes", "relay"]],
  ["mesh.relay_reservations", ["1", "1024"], ["0", "1025"]],
  ["mesh.relay_time", ["1m", "24h"], ["59s", "25h"]],
  ["mesh.relay_mebibytes", ["1", "65536"], ["0", "65537"]],
  ["learning.memory_mebibytes", ["1", "65536"], ["0", "65537"]],
  ["healing.mode", ["act", "advise"], ["off", "true"]],
  ["healing.playbooks", ["/a.yml"], ["a.yml", "''"]],
  ["healing.actions_at_once", ["1", "16"], ["0", "17", "1.5"]],
  ["healing.actions_per_window", ["1", "1000"], ["0", "1001"]],
  ["healing.mesh_share", ["0.001", "0.5"], ["0", "0.51", "10%"]],
  ["healing.halt_share", ["0.001", "0.5"], ["0", "0.51"]],
  ["healing.flap_window", ["1s", "24h"], ["999ms", "25h"]],
  ["mesh.relay_bulk", ["true"], ['"true"', "1"]],
  ["mesh.upnp", ["true"], ['"true"', "1"]],
  ["mesh.connections_target", ["1", "1024"], ["0", "1025", "1.5", '"8"', ".nan"]],
  ["crypto.engine", ["auto", "wasm", "native", "noble"], ["stub", "WASM"]],
  [
    "tunnel.expose",
    ["[]", "[{port: 1}, {port: 65535, to: '[::1]:1'}]"],
    [
      ...["[{port: 0}]", "[{port: 65536}]", "[{port: 22}, {port: 22, to: a:1}]"],
      ...["[{port: 22, to: a:0}]", "[{port: 22, to: a:65536}]", "[{port: 22, to: a}]", "[{}]"],
      `[${Array.from({ length: 65 }, (_, i) => `{port: ${i + 1}}`).join()}]`,
    ],
  ],
  [
    "tunnel.forward",
    [
      ...[
        "[]",
        "[{listen: 127.0.0.1:0, peer: a, port: 1}, {listen: 127.0.0.1:0, peer: a, port: 2}]",
      ],
      "[{listen: '[::]:65535', peer: spiffe://a.b/node/c, port: 65535}]",
    ],
    [
      ...["[{listen: 127.0.0.1:1, peer: '', port: 1}]", "[{listen: 127.0.0.1, peer: a, port: 1}]"],
      ...["[{listen: a:1, peer: b, port: 0}]", "[{listen: a:1, peer: b}]"],
      "[{listen: a:1, peer: b, port: 1}, {listen: b:1, peer: b, port: 2}]",
    ],
  ],
  ["identity.svid_lifetime", ["60s", "90d"], ["59s", "91d"]],
  ["identity.clock_skew", ["0s", "10m"], ["11m"]],
  ["identity.authority_lifetime", ["1h", "3650d", "off"], ["59m", "3651d", "never"]],
  ["identity.authority_prepare", ["0s", "365d"], ["366d", "off"]],
  ["identity.source", ["issuer", "workload-api"], ["spire", "true"]],
  ["identity.socket", [`/${"s".repeat(106)}`], [`/${"s".repeat(107)}`, "unix:///a"]],
  ["identity.issuer_grace", ["0s", "30d"], ["31d", "1"]],
  [
    "join",
    [
      ...["{}", "{attestor: aws_iid, anchor: x0a1.AAAA}", "{metadata: 'http://[::1]:80'}"],
      "{attestor: x509pop, certificate: /a.crt, key: /a.key}",
      "{attestor: k8s_psat, token: /t}",
    ],
    [
      ...["{anchor: x0a1.AAAA}", "{attestor: aws_iid, anchor: x0t1.AAAA}", "{attestor: gcp}"],
      ...["{attestor: x509pop}", "{attestor: x509pop, certificate: /a.crt}", "{token: t}"],
      ...["{certificate: a.crt}", "{key: a.key}", "{metadata: 'http://a/b'}"],
      "{metadata: 'https://a'}",
      `{attestor: aws_iid, anchor: x0a1.${"A".repeat(1020)}}`,
    ],
  ],
  ["attestors.x509pop", ["{ca: /a.pem}"], ["{}", "{ca: a.pem}", "[]"]],
  [
    "attestors.k8s_psat",
    [
      "{cluster: prod, service_accounts: ['a:b']}",
      "{cluster: 1-a, service_accounts: ['a:b'], api_server: 'https://a:6443', audience: x, ca: /c, token: /t}",
    ],
    [
      ...["{}", "{cluster: prod}", "{cluster: prod, service_accounts: []}"],
      ...["{cluster: prod, service_accounts: [a]}", "{cluster: A, service_accounts: ['a:b']}"],
      `{cluster: ${"a".repeat(17)}, service_accounts: ['a:b']}`,
      "{cluster: a, service_accounts: ['a:b', 'a:b']}",
      "{cluster: a, service_accounts: ['a:b'], api_server: 'http://a'}",
      "{cluster: a, service_accounts: ['a:b'], audience: ''}",
      "{cluster: a, service_accounts: ['a:b'], ca: c}",
    ],
  ],
  [
    "attestors.aws_iid",
    [
      "{certificates: /a.pem, accounts: ['123456789012']}",
      "{certificates: /a.pem, accounts: ['123456789012'], regions: [eu-central-1]}",
    ],
    [
      ...["{}", "{certificates: /a.pem}", "{certificates: /a.pem, accounts: []}"],
      ...["{certificates: /a.pem, accounts: [123456789012]}", "{accounts: ['123456789012']}"],
      "{certificates: /a.pem, accounts: ['12345678901']}",
      "{certificates: /a.pem, accounts: ['123456789012'], regions: ['EU']}",
    ],
  ],
  ["federation.listen", ["off"], ["x", "1.2.3.4", "a:65536"]],
  ["federation.profile", ["https_web", "https_spiffe"], ["web", "https"]],
  ["federation.certificate", ["/a.pem"], ["a.pem", "''"]],
  ["federation.key", ["/a.pem"], ["a.pem", "''"]],
  ["audit.keep_mebibytes", ["8", "65536"], ["7", "65537"]],
  [
    "roles",
    [
      "[]",
      "[{name: trainer, allow: []}]",
      "[{name: a-1, allow: [fl.train]}, {name: b, allow: []}]",
    ],
    [
      ...["{}", "[{name: A, allow: []}]", "[{name: '', allow: []}]", "[{name: a}]"],
      ...["[{name: a, allow: [fly]}]", "[{name: a, allow: []}, {name: a, allow: []}]"],
    ],
  ],
  [
    "policy",
    [
      "[]",
      "[{spiffe: spiffe://a.b/node/*, allow: []}]",
      "[{spiffe: spiffe://*/**, allow: [control.read]}]",
      "[{spiffe: local, allow: [control.read]}]",
    ],
    [
      "{}",
      "[{spiffe: spiffe://a.b/*/x, allow: []}]",
      "[{spiffe: spiffe://*.b/node/a, allow: []}]",
      '[{spiffe: "*", allow: []}]',
      "[{spiffe: spiffe://a/../b, allow: []}]",
      "[{spiffe: spiffe://a/node/x}]",
      "[{spiffe: spiffe://a/node/x, roles: [nobody-defined]}]",
      "[{spiffe: spiffe://a/node/x, allow: [fl.train, fl.train]}]",
    ],
  ],
  ["learning.enabled", ["false"], ["off"]],
  ["learning.adversary", ["true"], ["on"]],
  [
    "learning.csv",
    ["{file: /a.csv, label: y}"],
    ["{file: a.csv, label: y}", "{file: /a.csv, label: ''}"],
  ],
  [
    "telemetry.metrics.listen",
    ["off", "127.0.0.1:0", "'[::1]:65535'", "localhost:9464"],
    ["9464", ":1", "127.0.0.1:65536", "::1:80", '"off "'],
  ],
  ["telemetry.log.level", ["debug", "error"], ["trace"]],
  ["telemetry.log.format", ["json", "pretty"], ["text"]],
  [
    "telemetry.tracing.endpoint",
    ["off", "http://127.0.0.1:4318/v1/traces", "https://[::1]/x?y", `http://a/${"x".repeat(2039)}`],
    [
      "on",
      "127.0.0.1:4318",
      "grpc://a:4317",
      "http://",
      "http://u:p@a/",
      "http://u@a/",
      '"http://a/#b"',
      '"http://a b/"',
      `http://a/${"x".repeat(2040)}`,
    ],
  ],
  ["telemetry.tracing.sample_ratio", ["0", "1", "0.5"], ["-0.01", "1.01", ".nan", '"1"']],
  ["telemetry.tracing.beacon_sample_ratio", ["0", "1"], ["-1", "2", "all"]],
  ["telemetry.tracing.headers_file", ["/etc/x"], ["x", "''"]],
];

for (const [path, good, bad] of edges) {
  test(`${path} takes what its rule says and nothing beyond`, () => {
    for (const value of good) assert.ok(parseConfig(yamlOf(path, value), "x"), value);
    for (const value of bad) {
      const found = [...problemsOf(yamlOf(path, value)).keys()];
      assert.ok(
        found.every((at) => at === path || at.startsWith(`${path}[`) || at.startsWith(`${path}.`)),
        `${value}: ${found.join()}`,
      );
    }
  });
}

test("the edges cover every key that stands by itself", () => {
  const covered = edges.map(([path]) => path);
  for (const path of Object.keys(configKeys)) {
    assert.ok(
      covered.some((at) => path === at || path.startsWith(`${at}[`) || path.startsWith(`${at}.`)),
      path,
    );
  }
});

test("a text one byte too long is refused, the longest allowed is read", () => {
  const comment = (bytes: number): string => `#${"x".repeat(bytes - 1)}`;
  assert.ok(parseConfig(comment(configLimits.fileBytesMax), "x"));
  assert.match(
    problemsOf(comment(configLimits.fileBytesMax + 1)).get("")?.value ?? "",
    /262145 bytes/,
  );
});

test("YAML bombs, repeated keys, odd tags and broken syntax are problems of the file", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(9)}]\nc: [${"*b,".repeat(9)}]`;
  for (const text of [
    bomb,
    "mesh: {}\nmesh: {}",
    "state_dir: !secret /a",
    "a: [",
    "a:\n\t- b",
    "[".repeat(20_000),
  ]) {
    assert.ok(problemsOf(text).has(""), text.slice(0, 20));
  }
});

test("a list, a scalar and __proto__ are no configuration", () => {
  for (const text of ["[]", "5", "text"]) assert.ok(problemsOf(text).has(""), text);
  assert.ok(problemsOf("__proto__: {state_dir: /x}").has("__proto__"));
});
