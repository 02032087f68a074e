// A NodeControl that answers from fixtures, for tests of the API, its client and meshctl.

import type {
  Beacons,
  Body,
  FlExplained,
  FlRun,
  FlRunRequest,
  Identity,
  LinksAnswer,
  NodeControl,
  Peer,
  Entries,
  HealingStatus,
  Incidents,
  Quarantine,
  RouteAnswer,
  Status,
  Tunnels,
  Zones,
} from "../../../src/control/index.ts";

import { MeshError } from "../../../src/foundation/index.ts";

export const fixedNowMs = Date.parse("2026-03-01T12:00:00.000Z");

/** A peer in good health; `part` replaces fields. */
export function fakePeer(name: string, part: Partial<Peer> = {}): Peer {
  return {
    name,
    nodeId: name.padEnd(64, "0"),
    peerId: `12D3Koo${name}`,
    spiffeId: `spiffe://mesh.example.org/node/${name}`,
    state: "alive",
    connected: true,
    relay: null,
    suite: "Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    rttMs: 12.34,
    lossRatio: 0.001,
    score: 2.5,
    lastBeaconAgeMs: 812,
    epoch: 2,
    sequence: 31,
    addresses: ["/ip4/10.0.0.2/tcp/4001"],
    lastErrorCode: null,
    reputation: 0,
    ...part,
  };
}

/** A running node with two peers and a task. */
export function fakeStatus(): Body<Status> {
  return {
    node: {
      state: "running",
      name: "node-1",
      nodeId: "a1b2c3d4e5f60718".repeat(4),
      peerId: "12D3KooWnode1",
      spiffeId: "spiffe://mesh.example.org/node/node-1",
      trustDomain: "mesh.example.org",
      version: "0.1.0",
      startedAt: "2026-03-01T08:48:00.000Z",
      epoch: 4,
      zone: "default",
      roles: ["issuer"],
      engine: "native",
      handshakePolicy: "pq-required",
      addresses: ["/ip4/10.0.0.1/tcp/4001"],
      metricsAddress: "127.0.0.1:9464",
      pid: 4242,
    },
    svid: {
      notBefore: "2026-03-01T08:00:00.000Z",
      notAfter: "2026-03-02T08:00:00.000Z",
      renewAt: "2026-03-01T20:00:00.000Z",
      graceEnd: "2026-03-02T08:00:00.000Z",
      source: "issuer",
      classical: false,
      serialNumber: "0badc0de",
    },
    peers: [
      fakePeer("node-2"),
      fakePeer("node-3", {
        state: "suspect",
        connected: false,
        suite: null,
        rttMs: null,
        lastBeaconAgeMs: 65_000,
        lastErrorCode: "handshake/timeout",
      }),
    ],
    health: [],
    learning: {
      taskId: "task-1",
      name: "glyphs",
      state: "running",
      round: 7,
      rounds: 20,
      loss: 0.41234,
      accuracy: 0.873,
      aggregator: "nearest-neighbour-mixing",
      byzantine: 1,
      attack: "sign-flip",
      orchestrator: "epidemic",
      anomaly: null,
      participants: [
        { nodeId: "a1", name: "node-1" },
        { nodeId: "a2", name: "node-2" },
        { nodeId: "a3", name: "node-3" },
      ],
      history: [
        {
          round: 7,
          loss: 0.41234,
          accuracy: 0.873,
          held: false,
          rejected: ["node-3"],
          contributors: 2,
          silent: [],
          durationMs: 1234,
        },
      ],
    },
    process: { rssBytes: 76_546_048, eventLoopLagP99Ms: 2.1 },
  };
}

/** What a daemon makes of a task that says nothing but its rounds. */
function fakeRun({ task, dryRun }: FlRunRequest): FlRun {
  if (task["rounds"] === 0) {
    throw new MeshError("learning/bad-task", "Cannot accept the task.", {
      problems: ["rounds: must be at least 1", "model.hiden: unknown"],
    });
  }
  return {
    started: dryRun !== true,
    taskId: "task-1",
    task: {
      name: "digits",
      model: { kind: "mlp", features: 144, classes: 10, hidden: 32 },
      data: { kind: "glyphs", seed: 7 },
      trainer: { kind: "embedded", steps: 60 },
      orchestrator: { kind: "epidemic", roundTimeoutMs: 30_000 },
      compression: { kind: "none" },
      schedule: { kind: "constant" },
      convergence: null,
      aggregator: "arc+nnm+geometric-median",
      byzantine: 1,
      attack: "none",
      rounds: task["rounds"],
    },
    participants: ["node-1", "node-2", "node-3"],
    absent: ["node-4"],
  };
}

const trusted = { suspicion: 0.1, suspect: false, evictedInRound: null };
const nothing = { votes: null, clip: null, inDegree: null, distance: null, cosine: null };
export const fakeExplained: FlExplained = {
  taskId: "task-1",
  round: 7,
  result: "aggregated",
  aggregator: "arc+nnm+geometric-median",
  byzantine: 1,
  loss: 0.41,
  accuracy: 0.87,
  durationMs: 1234,
  participants: [
    ...[1, 2, 3].map((n) => ({
      nodeId: `a${n}`,
      name: `node-${n}`,
      self: n === 1,
      verdict: "counted" as const,
      code: null,
      votes: 1.1,
      clip: 1,
      inDegree: 4,
      distance: 0.5,
      cosine: 0.9,
      ...trusted,
    })),
    {
      ...{ nodeId: "a4", name: "node-4", self: false, verdict: "outlier", code: null },
      ...{ votes: 0.02, clip: 0.125, inDegree: 0, distance: 4, cosine: -0.8 },
      ...{ suspicion: 0.9, suspect: true, evictedInRound: null },
    },
    {
      nodeId: "a5",
      name: "node-5",
      self: false,
      verdict: "refused",
      code: "learning/not-finite",
      ...{ ...nothing, ...trusted },
    },
    {
      ...{ nodeId: "a6", name: "node-6", self: false, verdict: "silent", code: null, ...nothing },
      ...{ suspicion: null, suspect: false, evictedInRound: 5 },
    },
  ],
};

const beacons: Body<Beacons> = {
  beacons: [
    {
      name: "node-2",
      nodeId: "b2",
      epoch: 2,
      sequence: 31,
      ageMs: 812,
      heartbeatIndex: 17,
      addresses: ["/ip4/10.0.0.2/tcp/4001"],
      zone: "default",
      roles: [],
      neighbours: ["node-1"],
    },
  ],
  counters: { accepted: { state: 3, heartbeat: 40 }, rejected: { "mesh/replayed": 2 } },
};

const identity: Body<Identity> = {
  nodeId: "a1",
  peerId: "12D3KooWnode1",
  spiffeId: "spiffe://mesh.example.org/node/node-1",
  trustDomain: "mesh.example.org",
  ed25519PublicKey: "00".repeat(32),
  mldsa65PublicKeyDigest: "11".repeat(32),
  chain: [
    {
      subject: "spiffe://mesh.example.org/node/node-1",
      issuer: "issuer node-1",
      notBefore: "2026-03-01T08:00:00.000Z",
      notAfter: "2026-03-02T08:00:00.000Z",
      serial: "0badc0de",
    },
  ],
  bundle: { sequence: 1, digest: "22".repeat(32), authorities: 1 },
  isIssuer: true,
};

const tunnels: Body<Tunnels> = {
  exposed: [{ port: 22, host: "127.0.0.1", targetPort: 2222, origin: "command" }],
  forwards: [
    {
      ...{ host: "127.0.0.1", port: 8080, peer: "node-b", nodeId: "b".repeat(64), remotePort: 80 },
      ...{ origin: "configuration", problem: null },
    },
  ],
};

const zones: Body<Zones> = {
  setting: "default",
  zone: "default",
  zones: [
    {
      ...{ zone: "berlin", own: false, members: 12, load: 0.5 },
      gateways: [{ name: "c3c3c3c3c3c3", nodeId: "c3" }],
      neighbours: [{ zone: "paris", cost: 96 }],
      summary: { publisher: "c3", sequence: 7, ageMs: 12_000, membership: "33".repeat(32) },
      route: { zones: ["default", "paris", "berlin"], cost: 192, via: ["node-3"] },
    },
    {
      ...{ zone: "default", own: true, members: 2, load: 0 },
      ...{ gateways: [], neighbours: [], summary: null, route: null },
    },
  ],
};

const entries: Body<Entries> = {
  entries: [
    {
      id: "0123456789abcdef0123456789abcdef",
      spiffeId: "spiffe://mesh.example.org/web",
      parent: "node-*",
      selectors: ["unix:uid:1000", "systemd:unit:web.service"],
      profile: "both",
      x509TtlSeconds: 3600,
      jwtTtlSeconds: 300,
      dnsNames: ["web.example.org"],
      federatesWith: [],
      hint: "web",
      createdAt: "2026-03-01T12:00:00.000Z",
      issued: 7,
      lastIssuedAt: "2026-03-01T12:30:00.000Z",
    },
  ],
};

const quarantine: Body<Quarantine> = {
  quarantine: [
    {
      nodeId: "c".repeat(64),
      name: "node-c",
      state: "quarantined",
      at: "2026-03-01T11:00:00.000Z",
      proofDigest: "33".repeat(32),
      proof: {
        epoch: 7,
        sequence: 12,
        addresses: [["/ip4/10.0.0.3/tcp/1"], ["/ip4/10.0.0.4/tcp/1"]],
      },
      roundProof: null,
      release: null,
    },
    {
      ...{ nodeId: "e".repeat(64), name: "node-e", state: "quarantined" },
      ...{ at: "2026-03-01T11:10:00.000Z", proofDigest: "55".repeat(32), proof: null },
      roundProof: { message: "prevote", task: "66".repeat(32), round: 3, view: 1 },
      release: null,
    },
    {
      nodeId: "d".repeat(64),
      name: "dddddddddddd",
      state: "released",
      at: "2026-03-01T11:30:00.000Z",
      proofDigest: "44".repeat(32),
      proof: null,
      roundProof: null,
      release: {
        issuer: "node-1",
        issuedAt: "2026-03-01T11:30:00.000Z",
        epochFloor: 1_772_364_601,
        reason: "the cloned image is gone",
      },
    },
  ],
};

const links: Body<LinksAnswer> = {
  links: [
    {
      ...{ name: "node-2", nodeId: "b2", rttMs: 12.5, jitterMs: 1.25, lossForward: 0.125 },
      ...{ lossBackward: null, etx: 1.142, cost: 113.6, differing: 3, needed: 11 },
      published: { rttMs: 9, lossRatio: 0 },
    },
  ],
};

/** A route over another node while the direct link is better, but not for long enough. */
export function fakeRoute(part: Partial<Body<RouteAnswer>> = {}): Body<RouteAnswer> {
  const [here, near, far] = ["node-1", "node-2", "node-3"].map((name) => ({
    name,
    nodeId: `${name}-id`,
  })) as [RouteAnswer["target"], RouteAnswer["target"], RouteAnswer["target"]];
  const numbers = { rttMs: 4, lossForward: 0, lossBackward: 0.01, cost: 96 };
  const over = {
    cost: 192,
    hops: [
      { from: here, to: near, ...numbers },
      { from: near, to: far, ...numbers },
    ],
  };
  const straight = { cost: 150, hops: [{ from: here, to: far, ...numbers, cost: 150 }] };
  return {
    target: { ...far, spiffeId: "spiffe://mesh.example.org/node/node-3", state: "alive" },
    transport: { kind: "direct", address: "/ip4/10.0.0.3/tcp/4001", relay: null },
    path: over,
    alternatives: [straight],
    hysteresis: { betterForMs: 4_000, holdMs: 10_382 },
    disjoint: [straight, over],
    relays: [{ ...near, cost: 192, connected: true }],
    ...part,
  };
}

const incident: Incidents["incidents"][number] = {
  id: "a1b2c3d4-mabc-0",
  openedAt: "2026-03-01T11:58:00.000Z",
  closedAt: "2026-03-01T11:58:14.000Z",
  outcome: "mended",
  cause: {
    ...{ code: "mesh/peer-unreachable", title: "a live member has no link to here" },
    ...{ subject: "node-c", why: "nothing else was seen that could explain it" },
  },
  symptoms: [
    {
      ...{ code: "mesh/peer-unreachable", subject: "node-c", severity: "info" },
      firstSeenAt: "2026-03-01T11:57:59.000Z",
      clearedAt: "2026-03-01T11:58:04.000Z",
      message: null,
      evidence: [{ observation: "connections", value: 1, threshold: 2, finding: "fell from 2" }],
    },
  ],
  actions: [
    {
      ...{ playbook: "redial", action: "redial-peer", target: "node-c", level: "act" },
      startedAt: "2026-03-01T11:58:00.000Z",
      endedAt: "2026-03-01T11:58:04.000Z",
      outcome: "mended",
      reason: "playbook redial is for mesh/peer-unreachable",
      check: "mesh/peer-unreachable has gone",
    },
  ],
  similar: [{ id: "a1b2c3d4-m000-0", similarity: 0.93, node: null }],
};

const healing: Body<HealingStatus> = {
  ...{ mode: "act", frozen: false, halted: null, running: [], budgetLeft: 11, claims: 0 },
  ...{ claimsMax: 1, openIncidents: 0, missing: [], playbooks: ["rejoin", "redial"] },
  playbookProblem: null,
};

/** A node that remembers its calls; `part` replaces methods. */
export function fakeNode(
  part: Partial<NodeControl> = {},
): NodeControl & { readonly calls: unknown[] } {
  const calls: unknown[] = [];
  const enrolled = {
    nodeId: "a1",
    spiffeId: "spiffe://mesh.example.org/node/node-1",
    trustDomain: "mesh.example.org",
  };
  const { learning, peers } = fakeStatus();
  return {
    calls,
    status: fakeStatus,
    peers: () => ({ peers }),
    beacons: () => beacons,
    zones: () => zones,
    identity: () => identity,
    flStatus: () => ({ learning }),
    flStart: (request) => {
      calls.push(request);
      return { taskId: "task-2" };
    },
    flStop: (request) => {
      calls.push(request);
      return { taskId: "task-1" };
    },
    flResume: (request) => {
      calls.push(request);
      return { taskId: "task-1" };
    },
    trainer: () => ({
      next: () => Promise.resolve({ task: null, order: null }),
      model: () => Uint8Array.of(1, 2, 3),
      update: () => Promise.resolve({ taskId: "task-1", round: 7 }),
      heartbeat: (request) => {
        calls.push(request);
        return { deadlineMs: 1_000 };
      },
    }),
    flRun: (request) => {
      calls.push(request);
      return fakeRun(request);
    },
    flExplain: (request) => ({ ...fakeExplained, round: request.round ?? 7 }),
    flPush: async (file) => {
      let bytes = 0;
      for await (const part of file) bytes += part.length;
      return { digest: "ab".repeat(32), bytes, parameters: 3, tensors: 1 };
    },
    flModel: () => new TextEncoder().encode("a model"),
    init: (request) => {
      calls.push(request);
      return enrolled;
    },
    join: (request) => {
      calls.push(request);
      return enrolled;
    },
    anchor: () => ({ anchor: "x0a1.anchor" }),
    createToken: (request) => {
      calls.push(request);
      return { token: "x0t.secret", expiresAt: "2026-03-01T13:00:00.000Z" };
    },
    healing: () => healing,
    freezeHealing: (request) => {
      calls.push(request);
      return { ...healing, ...request };
    },
    incidents: (request) => {
      calls.push(request);
      return { incidents: [incident] };
    },
    similarIncidents: (request) => {
      calls.push(request);
      const { openedAt, outcome } = incident;
      const cause = { code: "mesh/peer-unreachable", title: "a live member has no link to here" };
      const actions = [{ playbook: "redial", action: "redial-peer", outcome: "mended" } as const];
      const one = { similarity: 0.87, openedAt, outcome, cause, actions };
      return {
        id: request.id,
        similar: [
          { ...one, id: "a1b2c3d4-m000-0", node: null },
          { ...one, id: "c3c3c3c3c3c3c3c3:c3c3c3c3-m001-0", similarity: 0.4, node: "node-c" },
        ],
      };
    },
    exportIncidents: async function* () {
      for (const one of [incident, incident])
        yield await Promise.resolve(new TextEncoder().encode(`${JSON.stringify(one)}\n`));
    },
    incident: (request) => {
      calls.push(request);
      return {
        incident,
        explanation: [
          {
            step: "seen",
            at: "2026-03-01T11:57:59.000Z",
            text: "connected members: 1, fell from 2",
          },
          { step: "cause", at: null, text: "a live member has no link to here: node-c" },
          { step: "action", at: "2026-03-01T11:58:00.000Z", text: "redial-peer node-c" },
          { step: "check", at: "2026-03-01T11:58:04.000Z", text: "mended after 4.0 s" },
        ],
      };
    },
    quarantine: () => quarantine,
    release: (request) => {
      calls.push(request);
      return { quarantine: quarantine.quarantine.slice(1) };
    },
    entries: () => entries,
    createEntry: (request) => {
      calls.push(request);
      return entries;
    },
    deleteEntry: (request) => {
      calls.push(request);
      return entries;
    },
    links: () => links,
    route: (request) => {
      calls.push(request);
      return fakeRoute();
    },
    lookup: (request) => {
      calls.push(request);
      return {
        node: {
          nodeId: "c3",
          name: request.target,
          spiffeId: `spiffe://mesh.example.org/node/${request.target}`,
          peerId: "12D3KooWfar",
          zone: "tokyo",
          addresses: ["/ip4/10.9.0.3/tcp/4001"],
          epoch: 3,
          sequence: 4,
          source: "dht",
        },
      };
    },
    tunnels: () => tunnels,
    expose: (request) => {
      calls.push(request);
      return tunnels;
    },
    forward: (request) => {
      calls.push(request);
      return tunnels;
    },
    closeTunnel: (request) => {
      calls.push(request);
      return { exposed: [], forwards: [] };
    },
    authorities: () => {
      throw new Error("no issuer");
    },
    ownBundle: () => ({ bundle: '{"keys":[]}' }),
    bundleMap: () => ({ bundle: '{"trust_domains":{}}' }),
    federation: () => ({ endpoint: null, federations: [] }),
    federate: (request) => {
      calls.push(request);
      return { endpoint: null, federations: [] };
    },
    refreshFederation: () => ({ endpoint: null, federations: [] }),
    unfederate: () => ({ endpoint: null, federations: [] }),
    checkPolicy: (request) => {
      calls.push(request);
      const rule = { number: 2, line: 14, spiffe: "spiffe://*/node/*" };
      return {
        ...{ allowed: false, why: "right-not-given", rule: null, role: null, matched: [rule] },
        ...{ rules: 3, file: "/etc/meshd/meshd.yml" },
      };
    },
    reloadPolicy: () => ({ rules: 3, restartPending: [] }),
    audit: (request) => {
      calls.push(request);
      return { entries: [] };
    },
    verifyAudit: (request) => {
      calls.push(request);
      return { entries: 0, segments: 0, first: 0, last: 0, head: null, problems: [] };
    },
    log: () => ({ level: "info", configured: "info" }),
    setLogLevel: (request) => {
      calls.push(request);
      return { ...request, configured: "info" };
    },
    config: () => ({
      file: "/etc/meshd/meshd.yml",
      keys: [
        { key: "state_dir", value: "/var/lib/meshd", origin: "default" },
        { key: "mesh.listen", value: ["/ip4/0.0.0.0/tcp/4001"], origin: "default" },
        { key: "mesh.zone", value: "berlin", origin: "file" },
      ],
      restartPending: ["mesh.zone"],
    }),
    doctor: () => ({
      scope: "daemon",
      checks: [{ code: "doctor/node", status: "ok", finding: "The node is running.", fix: null }],
    }),
    logs: () => ({ lines: ['{"level":"info","message":"meshd started"}'], dropped: 0 }),
    metrics: () => ({ text: "meshd_up 1\n" }),
    backup: () => ReadableStream.from([new Uint8Array(3)]),
    ...part,
  };
}
