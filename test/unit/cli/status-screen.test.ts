import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPeers, drawStatus, statusPeersMax } from "../../../src/cli/status-screen.ts";
import { fakePeer, fakeStatus, fixedNowMs } from "../../integration/control/fake-node.ts";

const screen = { colours: false, columns: 120, nowMs: () => fixedNowMs };
const status = { schemaVersion: 1, ...fakeStatus() } as const;

test("a running node with a task fits one screen and reads at a glance", () => {
  assert.equal(
    drawStatus(status, screen),
    `node-1 is running
  identity   spiffe://mesh.example.org/node/node-1
  ids        node a1b2c3d4e5f6…, peer 12D3KooWnode1
  SVID       expires 2026-03-02 08:00:00 UTC (in 20 h), renewal in 8 h
  crypto     native engine, handshake pq-required
  mesh       zone default, epoch 4, roles issuer
  addresses  /ip4/10.0.0.1/tcp/4001
  metrics    http://127.0.0.1:9464/metrics
  process    up 3 h 12 min, pid 4242, 73.0 MiB, event loop lag p99 2.1 ms, version 0.1.0

Peers: 1 suspect, 1 alive
  PEER    STATE    LINK  SUITE                     RTT   LOSS     BEACON  SCORE  REP  LAST ERROR
  node-3  suspect  ○ –   –                           –  0.1 %  1 min 5 s    2.5    0  handshake/timeout
  node-2  alive    ● up  XXhfs 25519+MLKEM768  12.3 ms  0.1 %      0.8 s    2.5    0  –

Training glyphs: running
  round       ████████░░░░░░░░░░░░░░░░ 7/20
  model       loss 0.4123, accuracy 87.3 %
  rule        nearest-neighbour-mixing, at most 1 of 3 lying; adversaries attack by sign-flip
  last round  2 contributed, rejected node-3

Health: nothing to report
`,
  );
});

test("an unenrolled node says what to do", () => {
  const node = {
    ...status.node,
    state: "unenrolled",
    name: null,
    nodeId: null,
    peerId: null,
    spiffeId: null,
  } as const;
  const drawn = drawStatus(
    {
      ...status,
      node,
      svid: null,
      peers: [],
      learning: null,
      health: [{ code: "node/unenrolled", severity: "warning", message: "Not enrolled." }],
    },
    screen,
  );
  assert.match(drawn, /this node is unenrolled/);
  assert.match(drawn, /run meshctl init or meshctl join/);
  assert.match(drawn, /SVID +none/);
  assert.match(drawn, /Peers: none/);
  assert.match(drawn, /warning {3}node\/unenrolled {2}Not enrolled\./);
});

test("an expired SVID and an overdue renewal are called so, at the millisecond", () => {
  const at = (iso: string): string =>
    drawStatus(status, { ...screen, nowMs: () => Date.parse(iso) });
  assert.match(at("2026-03-01T19:59:59.999Z"), /renewal in/);
  assert.match(at("2026-03-01T20:00:00.000Z"), /renewal overdue since/);
  assert.match(at("2026-03-02T07:59:59.999Z"), /expires/);
  assert.match(at("2026-03-02T08:00:00.000Z"), /expired/);
});

test("more peers than fit are counted, those in trouble come first", () => {
  const many = Array.from({ length: statusPeersMax }, (_, index) => fakePeer(`node-${index + 10}`));
  assert.doesNotMatch(drawPeers(many, screen), /more/);
  const drawn = drawPeers([...many, fakePeer("z", { state: "quarantined" })], screen);
  assert.match(drawn, /… and 1 more: meshctl peers/);
  assert.match(drawn.split("\n")[2] ?? "", /^ {2}z {2}/);
});
