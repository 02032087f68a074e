import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  acceptRenewal,
  type AttestationPeer,
  AttestationServer,
  bundleDigest,
  bundleToJson,
  type Credential,
  encodeAttestationRequest,
  encodeAttestationResponse,
  identityMetrics,
  IssueLimit,
  type IssuingParts,
  JoinClient,
  type JoinToken,
  MemoryNameRegistry,
  MemoryTokenStore,
  type NodeKeys,
  parseAttestationRequest,
  parseAttestationResponse,
  parseJoinToken,
  parsePolicy,
  type PeerIdentity,
  renewalRequest,
  TokenLedger,
  type TrustBundle,
  verifyChain,
} from "../../../src/identity/index.ts";
import type { MonoMs, Now } from "../../../src/ports/index.ts";
import {
  after,
  DAY_MS,
  type Domain,
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
  seededRandom,
} from "./support.ts";

const ADDRESS = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

function at(ms: number): Now {
  return { wallMs: after(ms), monoMs: (1_000_000 + ms) as MonoMs };
}

/** An issuer node with its server, and what a joiner learns of it by the handshake. */
function setUp(
  options: {
    readonly domain?: Domain;
    readonly tokenName?: string;
    readonly issuing?: boolean;
    readonly graceMs?: number;
    readonly limit?: IssueLimit;
  } = {},
) {
  const domain = options.domain ?? makeDomain();
  const issuerKeys = nodeKeys("issuer");
  const chain = issue(domain, "issuer", issuerKeys);
  const ledger = new TokenLedger({
    engine,
    random: seededRandom("tokens"),
    store: new MemoryTokenStore(),
  });
  const content = {
    trustDomain: domain.bundle.trustDomain,
    addresses: [ADDRESS],
    bundleDigest: bundleDigest(engine, domain.bundle),
  };
  const { text } = ledger.create(
    options.tokenName === undefined ? content : { ...content, name: options.tokenName },
    NOW,
  );
  const token = parseJoinToken(text);
  assert.ok(token.ok);
  const meter = memoryMeter();
  const issuing: IssuingParts = { issuer: domain.issuer, ledger, names: new MemoryNameRegistry() };
  let bundle: TrustBundle = domain.bundle;
  const server = new AttestationServer({
    bundle: () => bundle,
    policy: parsePolicy([{ spiffe: "spiffe://mesh.example/node/*", allow: ["mesh.join"] }]),
    meter,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(options.limit && { limit: options.limit }),
    ...(options.issuing === false ? {} : { issuing: () => issuing }),
  });
  const setBundle = (next: TrustBundle) => (bundle = next);
  return {
    domain,
    server,
    token: token.value,
    meter,
    issuing,
    setBundle,
    issuer: { chain, ed25519: issuerKeys.ed25519.publicKey, mldsa65: issuerKeys.mldsa65.publicKey },
  };
}

type World = ReturnType<typeof setUp>;

function joining(keys: NodeKeys): AttestationPeer {
  return {
    kind: "joining",
    nodeId: keys.nodeId,
    ed25519: keys.ed25519.publicKey,
    mldsa65: keys.mldsa65.publicKey,
  };
}

function ownKeys(keys: NodeKeys) {
  return { ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey };
}

/** A whole join; the credential or the code, and the requests that left the joiner. */
function join(
  world: World,
  name: string,
  keys: NodeKeys,
  change: {
    token?: Partial<JoinToken>;
    ms?: number;
    answer?: (bytes: Uint8Array, index: number) => Uint8Array;
    issuer?: Partial<World["issuer"]>;
  } = {},
) {
  const client = new JoinClient(
    { engine },
    {
      anchor: { ...world.token, ...change.token },
      issuer: { ...world.issuer, ...change.issuer },
      keys: ownKeys(keys),
      proof: { kind: "token", token: { ...world.token, ...change.token }, name },
    },
  );
  const now = at(change.ms ?? 0);
  const requests: Uint8Array[] = [];
  let step = client.start(now.wallMs);
  while (step.step === "send") {
    requests.push(step.request);
    const response = world.server.handle(step.request, joining(keys), now);
    step = client.receive(change.answer?.(response, requests.length - 1) ?? response, now.wallMs);
  }
  assert.ok(step.step !== "prove", "a token proves all");
  return { outcome: step.step === "done" ? step.credential : step.code, requests, client };
}

function codeOfServer(world: World, request: Uint8Array, peer: AttestationPeer, ms = 0): string {
  const response = parseAttestationResponse(world.server.handle(request, peer, at(ms)));
  assert.ok(response.ok);
  return response.value.result === "refused" ? response.value.code : "ok";
}

function identityOf(world: World, name: string, keys: NodeKeys): PeerIdentity {
  const result = verifyChain({
    engine,
    chain: issue(world.domain, name, keys),
    ed25519: keys.ed25519.publicKey,
    bundle: world.domain.bundle,
    now: NOW,
  });
  assert.ok(result.ok);
  return result.value;
}

const alpha = nodeKeys("alpha");
const beta = nodeKeys("beta");

describe("joining", () => {
  it("gives a node with a token its SVID and the pinned bundle", () => {
    const world = setUp();
    const { outcome } = join(world, "alpha", alpha);
    assert.ok(typeof outcome !== "string");
    assert.equal(outcome.identity.spiffeId, "spiffe://mesh.example/node/alpha");
    assert.equal(outcome.identity.nodeId, alpha.nodeId);
    assert.deepEqual(outcome.bundle.authorities, world.domain.bundle.authorities);
    assert.equal(world.meter.counts.get("meshd_identity_attestations_total join ok"), 1);
  });

  it("works again for the same keys when the answer was lost, and for no other keys", () => {
    const world = setUp();
    const lost = join(world, "alpha", alpha, {
      answer: (bytes, index) => (index === 0 ? bytes : new Uint8Array(0)),
    });
    assert.equal(lost.outcome, "identity/response-malformed");
    assert.equal(join(world, "beta", beta).outcome, "identity/token-spent");
    assert.ok(typeof join(world, "alpha", alpha).outcome !== "string");
  });

  it("with a spent token gives the same keys no second name", () => {
    const world = setUp();
    join(world, "alpha", alpha);
    assert.equal(join(world, "gamma", alpha).outcome, "identity/name-fixed");
  });

  it("refuses a taken name and leaves the token good for another node", () => {
    const world = setUp();
    assert.equal(world.issuing.names.claim("alpha", beta.nodeId), "held");
    assert.equal(join(world, "alpha", alpha).outcome, "identity/name-taken");
    assert.ok(typeof join(world, "gamma", nodeKeys("gamma")).outcome !== "string");
  });

  it("refuses a bound token for another name", () => {
    const world = setUp({ tokenName: "alpha" });
    assert.equal(join(world, "beta", beta).outcome, "identity/token-name-mismatch");
    assert.ok(typeof join(world, "alpha", alpha).outcome !== "string");
  });

  it("does not begin with an expired token", () => {
    const { outcome, requests } = join(setUp(), "alpha", alpha, { ms: 3_600_000 });
    assert.equal(outcome, "identity/token-expired");
    assert.equal(requests.length, 0);
  });

  it("is refused by the issuer at expiry, whatever the token's text says", () => {
    const { outcome } = join(setUp(), "alpha", alpha, {
      ms: 3_600_000,
      token: { expiresAtMs: after(DAY_MS) },
    });
    assert.equal(outcome, "identity/token-expired");
  });

  it("never reveals the secret when the bundle has another digest", () => {
    const { outcome, requests } = join(setUp(), "alpha", alpha, {
      token: { bundleDigest: new Uint8Array(32) },
    });
    assert.equal(outcome, "identity/bundle-digest-mismatch");
    assert.equal(requests.length, 1);
  });

  it("never reveals the secret to an impostor with a bundle of its own", () => {
    const world = setUp({ domain: makeDomain({ seed: "impostor" }) });
    const honest = bundleDigest(engine, makeDomain().bundle);
    const { outcome, requests } = join(world, "alpha", alpha, { token: { bundleDigest: honest } });
    assert.equal(outcome, "identity/bundle-digest-mismatch");
    assert.equal(requests.length, 1);
  });

  it("never reveals the secret to an impostor with the honest bundle", () => {
    const honest = setUp();
    const world = setUp({ domain: makeDomain({ seed: "impostor" }) });
    const token = { bundleDigest: bundleDigest(engine, honest.domain.bundle) };
    const bundle = encodeAttestationResponse({
      result: "bundle",
      bundle: bundleToJson(honest.domain.bundle),
    });
    const { outcome, requests } = join(world, "alpha", alpha, { token, answer: () => bundle });
    assert.equal(outcome, "identity/untrusted");
    assert.equal(requests.length, 1);
  });

  it("never reveals the secret to a peer that shows the issuer's chain and holds other keys", () => {
    const world = setUp();
    assert.equal(
      join(world, "alpha", alpha, { issuer: { ed25519: beta.ed25519.publicKey } }).outcome,
      "identity/node-id-mismatch",
    );
    const { outcome, requests } = join(world, "alpha", alpha, {
      issuer: { mldsa65: beta.mldsa65.publicKey },
    });
    assert.equal(outcome, "identity/node-id-mismatch");
    assert.equal(requests.length, 1);
  });

  it("refuses a token of another trust domain", () => {
    assert.equal(
      join(setUp(), "alpha", alpha, { token: { trustDomain: "other.example" } }).outcome,
      "identity/bundle-malformed",
    );
  });

  it("takes no certificate for another name or other keys", () => {
    const world = setUp();
    const instead = (name: string, keys: NodeKeys) =>
      join(setUp({ domain: world.domain }), "alpha", alpha, {
        answer: (bytes, index) =>
          index === 0
            ? bytes
            : encodeAttestationResponse({
                result: "svid",
                chain: issue(world.domain, name, keys),
                bundle: bundleToJson(world.domain.bundle),
              }),
        token: { bundleDigest: bundleDigest(engine, world.domain.bundle) },
      }).outcome;
    assert.ok(typeof instead("alpha", alpha) !== "string");
    assert.equal(instead("gamma", alpha), "identity/svid-not-ours");
    assert.equal(instead("alpha", beta), "identity/node-id-mismatch");
  });

  it("refuses answers out of turn and after the end", () => {
    const world = setUp();
    const svid = encodeAttestationResponse({
      result: "svid",
      chain: issue(world.domain, "alpha", alpha),
      bundle: bundleToJson(world.domain.bundle),
    });
    assert.equal(
      join(world, "alpha", alpha, { answer: () => svid }).outcome,
      "identity/response-malformed",
    );
    const { client } = join(world, "alpha", alpha);
    assert.deepEqual(client.receive(svid, NOW), {
      step: "failed",
      code: "identity/unexpected-message",
    });
    assert.deepEqual(client.start(NOW), { step: "failed", code: "identity/unexpected-message" });
  });
});

describe("the attestation server", () => {
  const bundleRequest = encodeAttestationRequest({ op: "bundle" });
  const joinRequest = (world: World, name = "alpha") =>
    encodeAttestationRequest({ op: "join", secret: world.token.secret, name });

  it("gives the bundle to anyone", () => {
    const world = setUp({ issuing: false });
    for (const peer of [
      joining(alpha),
      { kind: "interop" },
      { kind: "unanchored" },
      { kind: "svid", identity: identityOf(world, "alpha", alpha) },
    ] as const) {
      assert.equal(codeOfServer(world, bundleRequest, peer), "ok");
    }
  });

  it("lets only joining peers join and only holders of an SVID renew", () => {
    const world = setUp();
    const svid: AttestationPeer = { kind: "svid", identity: identityOf(world, "alpha", alpha) };
    assert.equal(codeOfServer(world, joinRequest(world), svid), "identity/peer-not-entitled");
    assert.equal(
      codeOfServer(world, joinRequest(world), { kind: "interop" }),
      "identity/peer-not-entitled",
    );
    assert.equal(
      codeOfServer(world, joinRequest(world), { kind: "unanchored" }),
      "identity/peer-not-entitled",
    );
    assert.equal(
      codeOfServer(world, renewalRequest(), joining(alpha)),
      "identity/peer-not-entitled",
    );
    assert.equal(
      codeOfServer(world, renewalRequest(), { kind: "interop" }),
      "identity/peer-not-entitled",
    );
    assert.equal(codeOfServer(world, renewalRequest(), svid), "ok");
  });

  it("says so when it is no issuer, or its issuer cannot", () => {
    const none = setUp({ issuing: false });
    assert.equal(codeOfServer(none, joinRequest(none), joining(alpha)), "identity/not-issuer");
    const domain = makeDomain({ rootLifetimeMs: 10 * DAY_MS });
    const world = setUp({ domain });
    const identity = { ...identityOf(world, "alpha", alpha), notAfterMs: after(DAY_MS * 100) };
    assert.equal(
      codeOfServer(world, renewalRequest(), { kind: "svid", identity }, 11 * DAY_MS),
      "identity/not-issuer",
    );
  });

  it("signs for all together so often and no more, and spends no token for what it refuses", () => {
    const world = setUp({ limit: new IssueLimit({ burst: 2, perSecond: 1 }) });
    for (const name of ["b", "c"]) {
      const identity = identityOf(world, name, nodeKeys(name));
      assert.equal(codeOfServer(world, renewalRequest(), { kind: "svid", identity }), "ok");
    }
    const identity = identityOf(world, "d", nodeKeys("d"));
    const peer: AttestationPeer = { kind: "svid", identity };
    assert.equal(codeOfServer(world, renewalRequest(), peer, 999), "identity/issuer-busy");
    assert.equal(
      codeOfServer(world, joinRequest(world), joining(alpha), 999),
      "identity/issuer-busy",
    );
    const refusals = world.meter.counts.get(
      "meshd_identity_attestations_total join identity/issuer-busy",
    );
    assert.equal(refusals, 1);
    assert.equal(codeOfServer(world, joinRequest(world), joining(alpha), 1_000), "ok");
    assert.equal(codeOfServer(world, renewalRequest(), peer, 1_999), "identity/issuer-busy");
    assert.equal(codeOfServer(world, renewalRequest(), peer, 2_000), "ok");
  });

  it("renews under the same name, at most every ten seconds, not after expiry", () => {
    const world = setUp();
    const identity = identityOf(world, "alpha", alpha);
    const peer: AttestationPeer = { kind: "svid", identity };
    assert.equal(codeOfServer(world, renewalRequest(), peer, 0), "ok");
    assert.equal(
      codeOfServer(world, renewalRequest(), peer, 9_999),
      "identity/renewed-too-recently",
    );
    assert.equal(codeOfServer(world, renewalRequest(), peer, 10_000), "ok");
    assert.equal(
      codeOfServer(world, renewalRequest(), peer, DAY_MS + 1),
      "identity/peer-not-entitled",
    );
  });

  it("renews for the grace past the end, so that who outlived all issuers needs no new token", () => {
    const world = setUp({ graceMs: DAY_MS });
    const identity = identityOf(world, "alpha", alpha);
    const peer: AttestationPeer = { kind: "svid", identity };
    assert.equal(codeOfServer(world, renewalRequest(), peer, 2 * DAY_MS), "ok");
    const late = codeOfServer(world, renewalRequest(), peer, 2 * DAY_MS + 1);
    assert.equal(late, "identity/peer-not-entitled");
  });

  it("renews no name that another node holds, nothing against the policy, nothing foreign", () => {
    const world = setUp();
    const identity = identityOf(world, "alpha", alpha);
    world.issuing.names.claim("alpha", beta.nodeId);
    assert.equal(
      codeOfServer(world, renewalRequest(), { kind: "svid", identity }),
      "identity/name-taken",
    );
    const unknown = { ...identity, spiffeId: "spiffe://mesh.example/other/alpha" };
    assert.equal(
      codeOfServer(world, renewalRequest(), { kind: "svid", identity: unknown }),
      "identity/denied",
    );
    const foreign = { ...identity, trustDomain: "other.example" };
    assert.equal(
      codeOfServer(world, renewalRequest(), { kind: "svid", identity: foreign }),
      "identity/peer-not-entitled",
    );
  });

  it("answers what it cannot read with a code, and counts it", () => {
    const world = setUp();
    assert.equal(
      codeOfServer(world, new Uint8Array(0), joining(alpha)),
      "identity/request-malformed",
    );
    assert.equal(
      codeOfServer(world, joinRequest(world, "a b"), joining(alpha)),
      "identity/not-a-node-id",
    );
    assert.equal(
      world.meter.counts.get(
        "meshd_identity_attestations_total unreadable identity/request-malformed",
      ),
      1,
    );
  });

  it("moves declared metrics with declared labels only", () => {
    const world = setUp();
    join(world, "alpha", alpha);
    codeOfServer(world, renewalRequest(), joining(alpha));
    for (const key of world.meter.counts.keys()) {
      const [name = "", first = "", result = ""] = key.split(" ");
      const labels = identityMetrics.find((declared) => declared.name === name)?.labels;
      assert.ok(labels, name);
      assert.ok((labels["operation"] ?? labels["type"])?.includes(first), first);
      assert.ok(labels["result"]?.includes(result), result);
    }
  });
});

describe("renewing", () => {
  function credential(world: World): Credential {
    return { identity: identityOf(world, "alpha", alpha), bundle: world.domain.bundle };
  }

  function renew(world: World, current: Credential, ms: number): Credential | string {
    const response = world.server.handle(
      renewalRequest(),
      { kind: "svid", identity: current.identity },
      at(ms),
    );
    const result = acceptRenewal({ engine, current, response, now: after(ms) });
    return result.ok ? result.value : result.code;
  }

  it("gives a later SVID with the same name and keys", () => {
    const world = setUp();
    const renewed = renew(world, credential(world), DAY_MS / 2);
    assert.ok(typeof renewed !== "string");
    assert.equal(renewed.identity.notAfterMs, NOW + 1.5 * DAY_MS);
    assert.equal(renewed.identity.nodeId, alpha.nodeId);
  });

  it("takes no bundle from whoever renews, and no SVID while that one knows another root", () => {
    const world = setUp();
    const current = credential(world);
    const second = makeDomain({ seed: "second root" });
    const newer: TrustBundle = {
      ...world.domain.bundle,
      sequence: 2,
      authorities: [world.domain.root, second.root],
    };
    world.setBundle(newer);
    assert.equal(renew(world, current, 0), "identity/bundle-behind");
    // It comes signed, from whoever; a newer sequence alone keeps nothing.
    const renewed = renew(world, { ...current, bundle: newer }, 20_000);
    assert.ok(typeof renewed !== "string");
    assert.equal(renewed.bundle, newer);
    world.setBundle({ ...newer, sequence: 3 });
    const again = renew(world, { ...current, bundle: newer }, 40_000);
    assert.ok(typeof again !== "string");
    assert.equal(again.bundle, newer);
  });

  it("passes the issuer's refusal on", () => {
    const world = setUp();
    world.issuing.names.claim("alpha", beta.nodeId);
    assert.equal(renew(world, credential(world), 0), "identity/name-taken");
  });
});

describe("attestation messages", () => {
  const text = (value: unknown) =>
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
  const secret = Buffer.alloc(32, 7).toString("base64url");

  it("refuse unknown members, wrong types, other operations and long requests", () => {
    assert.ok(parseAttestationRequest(text({ op: "join", secret, name: "a" })).ok);
    for (const bad of [
      {},
      { op: "admin" },
      { op: "bundle", extra: 1 },
      { op: "join", secret, name: 7 },
      { op: "join", secret },
      { op: "join", secret: secret.slice(1), name: "a" },
      { op: "join", secret: `${secret}=`, name: "a" },
      { op: "join", secret, name: "" },
      { op: "join", secret, name: "n".repeat(64) },
      "[]",
      "null",
      "{",
      "",
    ]) {
      assert.ok(!parseAttestationRequest(text(bad)).ok, JSON.stringify(bad));
    }
    const padded = (length: number) => text('{"op":"renew"}'.padEnd(length));
    assert.ok(parseAttestationRequest(padded(24 * 1024)).ok);
    assert.ok(!parseAttestationRequest(padded(24 * 1024 + 1)).ok);
    assert.ok(!parseAttestationRequest(Uint8Array.of(0xff, 0xfe)).ok);
  });

  it("bound responses: 128 KiB, 4 certificates, known codes", () => {
    const response = (value: unknown) => parseAttestationResponse(text(value)).ok;
    const der = Buffer.alloc(10).toString("base64");
    assert.ok(response({ result: "svid", chain: [der, der, der, der], bundle: "" }));
    assert.ok(!response({ result: "svid", chain: [der, der, der, der, der], bundle: "" }));
    assert.ok(!response({ result: "svid", chain: [], bundle: "" }));
    assert.ok(response({ result: "refused", code: "identity/denied" }));
    assert.ok(!response({ result: "refused", code: "identity/other" }));
    const padded = (length: number) =>
      parseAttestationResponse(text('{"result":"bundle","bundle":""}'.padEnd(length))).ok;
    assert.ok(padded(131_072));
    assert.ok(!padded(131_073));
  });

  it("fit the bound with the largest bundle there is", () => {
    const authorities = ["r1", "r2", "r3", "r4"].map((seed) => makeDomain({ seed }).root);
    const domain = makeDomain();
    const chain = issue(domain, "alpha", alpha);
    const bytes = encodeAttestationResponse({
      result: "svid",
      chain,
      bundle: bundleToJson({ ...domain.bundle, authorities }),
    });
    assert.ok(parseAttestationResponse(bytes).ok, `${bytes.length} bytes`);
  });
});
