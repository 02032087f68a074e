import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Anonymous } from "../../../src/cli/bugreport/anonymous.ts";

const PEER = "12D3KooWQnAdf5ftb19Tj8T6ehSXLp7KGk1Ws3pzBd1HHGsYSz79";
const NODE = "c2f7bc966f559b992f57e0f1a9f2b13818d213980dca703bbcac3f23d1cced8b";

describe("a report's texts", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["an id of a node", `peer ${NODE} left`, "peer NODE-1 left"],
    ["a peer id", `to ${PEER}.`, "to PEER-1."],
    ["an address", "from 203.0.113.7:4001", "from IP-1:4001"],
    ["an IPv6 address", "from [2001:db8::7]:4001", "from [IP-1]:4001"],
    ["a multiaddr", `/ip4/203.0.113.7/tcp/4001/p2p/${PEER}`, "/ip4/IP-1/tcp/4001/p2p/PEER-1"],
    ["a serial number", "serial 0badc0de0badc0de01", "serial HEX-1"],
    ["a token", "got x0t1.AAECAwQFBgcICQ here", "got REMOVED here"],
    ["a password in JSON", '{"password":"hunter2"}', '{"password":"REMOVED"}'],
    ["a password in YAML", "db_password: hunter2", "db_password: REMOVED"],
    [
      "a password in a URL",
      "https://me:hunter2@otlp.example/x",
      "https://me:REMOVED@otlp.example/x",
    ],
    ["a bearer", "authorization: Bearer abc.def-123", "authorization: REMOVED REMOVED"],
    [
      "base64 of 32 bytes",
      "seed q83vEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0Vng= end",
      "seed REMOVED end",
    ],
    ["a home", "cannot read /home/alice/meshd.yml", "cannot read /home/USER-1/meshd.yml"],
    ["a private key", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "REMOVED"],
  ];
  for (const [what, text, wanted] of cases)
    test(`lose ${what}`, () => {
      const anonymous = new Anonymous();
      anonymous.learnFrom(text);
      assert.equal(anonymous.text(text), wanted);
    });

  for (const text of [
    "2026-11-21T00:49:50.706Z",
    "/ip4/127.0.0.1/tcp/4001",
    "0.0.0.0 and ::1 and ::",
    'meshd_mesh_beacons_rejected_total{code="mesh/replayed"} 3',
    "/var/lib/meshd/keys of version 0.1.0, commit 1b3aba8ebe46",
    "12 tokens were used",
  ])
    test(`keep ${text}`, () => {
      const anonymous = new Anonymous();
      anonymous.learnFrom(text);
      assert.equal(anonymous.text(text), text);
    });

  test("have one pseudonym for one value and another for another", () => {
    const anonymous = new Anonymous();
    anonymous.learn("NAME", "pump-7");
    anonymous.learn("NAME", "pump-71");
    assert.equal(
      anonymous.text("pump-7, pump-71, pump-7; 203.0.113.7 203.0.113.8 203.0.113.7; pump-712"),
      "NAME-1, NAME-2, NAME-1; IP-1 IP-2 IP-1; pump-712",
    );
  });

  test("know names by SPIFFE ids and DNS addresses, wherever else they stand", () => {
    const anonymous = new Anonymous();
    anonymous.learnFrom("spiffe://factory.example/node/pump-7 at /dns4/gate.factory.example/tcp/1");
    const text = anonymous.text("pump-7 of factory.example at gate.factory.example");
    assert.doesNotMatch(text, /pump|factory|gate/);
  });

  test("keep the keys of JSON and lose names inside of its strings", () => {
    const anonymous = new Anonymous();
    anonymous.learn("NAME", "state");
    assert.deepEqual(anonymous.json({ state: ["state of state", 1, null] }), {
      state: ["NAME-1 of NAME-1", 1, null],
    });
  });
});
