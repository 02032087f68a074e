// Joining by evidence, between the client's machine and the server: the challenge, the name that follows, and evidence used again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refuse, type Result } from "../../../src/foundation/index.ts";
import {
  type Attested,
  type AttestationPeer,
  AttestationServer,
  bundleDigest,
  Challenges,
  challengeMessage,
  encodeAttestationRequest,
  encodeJoinAnchor,
  type Evidence,
  type EvidenceVerifier,
  isJoinAnchor,
  type JoinAnchor,
  JoinClient,
  MemoryNameRegistry,
  MemoryTokenStore,
  type NodeKeys,
  parseAttestationResponse,
  parseJoinAnchor,
  parsePolicy,
  renewalRequest,
  TokenLedger,
  verifyChain,
} from "../../../src/identity/index.ts";
import {
  CHALLENGE_LIFETIME_MS,
  CHALLENGES_MAX,
} from "../../../src/identity/attestation/challenges.ts";
import { EVIDENCE_UNDER_WAY_MAX } from "../../../src/identity/attestation/server.ts";
import type { MonoMs, Now } from "../../../src/ports/index.ts";
import {
  after,
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
  seededRandom,
} from "./support.ts";

const ADDRESS = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const EVIDENCE: Evidence = { type: "aws_iid", document: Uint8Array.of(1) };
const SELECTORS = ["aws_iid:region:eu-central-1", "aws_iid:instance:id:i-1"];
const [issuerKeys, alpha, beta] = [nodeKeys("issuer"), nodeKeys("alpha"), nodeKeys("beta")];

const at = (ms: number): Now => ({ wallMs: after(ms), monoMs: (1_000_000 + ms) as MonoMs });
const joining = (keys: NodeKeys): AttestationPeer => ({
  ...{ kind: "joining", nodeId: keys.nodeId },
  ...{ ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey },
});

function world(
  judged: (challenge: Uint8Array) => Promise<Result<Attested, "identity/evidence-refused">> = () =>
    Promise.resolve({ ok: true, value: { name: "aws-i-1", selectors: SELECTORS } }),
  options: {
    readonly types?: EvidenceVerifier["types"];
    readonly policy?: string;
    readonly elsewhere?: string;
  } = {},
) {
  const domain = makeDomain();
  const random = seededRandom("evidence");
  const meter = memoryMeter();
  const store = new MemoryTokenStore();
  const names = new MemoryNameRegistry();
  const spiffe = options.policy ?? "spiffe://mesh.example/node/*";
  const server = new AttestationServer({
    bundle: () => domain.bundle,
    policy: parsePolicy([{ spiffe, allow: ["mesh.join"] }]),
    meter,
    issuing: () => ({
      issuer: domain.issuer,
      ledger: new TokenLedger({ engine, random, store }),
      names,
    }),
    attestation: {
      self: issuerKeys.nodeId,
      claim: (name) => Promise.resolve(options.elsewhere !== name),
      challenges: new Challenges(random),
      attestors: {
        types: options.types ?? ["aws_iid"],
        verify: (_evidence, challenge) => judged(challenge),
      },
    },
  });
  const anchor: JoinAnchor = {
    trustDomain: domain.bundle.trustDomain,
    addresses: [ADDRESS],
    bundleDigest: bundleDigest(engine, domain.bundle),
  };
  return { domain, server, meter, anchor };
}
type World = ReturnType<typeof world>;

/** A whole join; the name or the code. */
async function join(
  { server, domain, anchor }: World,
  keys: NodeKeys,
  ms = 0,
): Promise<{ readonly outcome: string; readonly challenge: Uint8Array | undefined }> {
  const issuer = {
    chain: issue(domain, "issuer", issuerKeys),
    ed25519: issuerKeys.ed25519.publicKey,
    mldsa65: issuerKeys.mldsa65.publicKey,
  };
  const own = { ed25519: keys.ed25519.publicKey, mldsa65: keys.mldsa65.publicKey };
  const client = new JoinClient(
    { engine },
    { anchor, issuer, keys: own, proof: { kind: "evidence" } },
  );
  let challenge: Uint8Array | undefined;
  let step = client.start(after(ms));
  while (step.step === "send" || step.step === "prove") {
    if (step.step === "prove") {
      challenge = step.challenge;
      step = client.prove(EVIDENCE);
      continue;
    }
    const response = await server.answer(step.request, joining(keys), () => at(ms));
    step = client.receive(response, after(ms));
  }
  if (step.step === "failed") return { outcome: step.code, challenge };
  assert.deepEqual(step.credential.identity.selectors, SELECTORS);
  return { outcome: step.credential.identity.name, challenge };
}

async function ask(
  { server }: World,
  request: Parameters<typeof encodeAttestationRequest>[0],
  peer: AttestationPeer = joining(alpha),
  ms = 0,
): Promise<string> {
  const bytes = await server.answer(encodeAttestationRequest(request), peer, () => at(ms));
  const response = parseAttestationResponse(bytes);
  assert.ok(response.ok);
  return response.value.result === "refused" ? response.value.code : response.value.result;
}

describe("joining by evidence", () => {
  it("gives the name and selectors that follow from it, for a challenge that is this issuer's and this node's", async () => {
    const seen: Uint8Array[] = [];
    const mesh = world((challenge) => {
      seen.push(challenge);
      return Promise.resolve({ ok: true, value: { name: "aws-i-1", selectors: SELECTORS } });
    });
    const { outcome, challenge } = await join(mesh, alpha);
    assert.equal(outcome, "aws-i-1");
    assert.deepEqual(seen, [challenge], "both sides mean the same");
    const nonce = new Uint8Array(32);
    const [issuer, node] = [issuerKeys.nodeId, alpha.nodeId];
    const messages = [
      challengeMessage({ nonce, issuer, node }),
      challengeMessage({ nonce, issuer, node: beta.nodeId }),
      challengeMessage({ nonce, issuer: node, node: issuer }),
    ].map((bytes) => Buffer.from(bytes).toString("hex"));
    assert.equal(new Set(messages).size, 3);
    assert.equal(mesh.meter.counts.get("meshd_identity_node_attestations_total aws_iid ok"), 1);
  });

  it("lets the same node come again, and no other with the same evidence", async () => {
    const mesh = world();
    assert.equal((await join(mesh, alpha)).outcome, "aws-i-1");
    assert.equal((await join(mesh, alpha, 1_000)).outcome, "aws-i-1");
    assert.equal((await join(mesh, beta, 2_000)).outcome, "identity/evidence-used");
    const late = world(undefined, { elsewhere: "aws-i-1" });
    assert.equal((await join(late, alpha)).outcome, "identity/evidence-used", "at another issuer");
  });

  it("keeps the selectors over a renewal", async () => {
    const mesh = world();
    await join(mesh, alpha);
    const selectors = { selectors: SELECTORS };
    const chain = mesh.domain.issuer.issueNodeSvid({
      ...{ name: "aws-i-1", ed25519: alpha.ed25519.publicKey, mldsa65: alpha.mldsa65.publicKey },
      ...{ nowMs: NOW, ...selectors },
    });
    const verify = (certificates: readonly Uint8Array[]) => {
      const { bundle } = mesh.domain;
      const input = {
        engine,
        chain: certificates,
        ed25519: alpha.ed25519.publicKey,
        bundle,
        now: NOW,
      };
      const verified = verifyChain(input);
      assert.ok(verified.ok);
      return verified.value;
    };
    const peer: AttestationPeer = { kind: "svid", identity: verify(chain) };
    const response = parseAttestationResponse(mesh.server.handle(renewalRequest(), peer, at(0)));
    assert.ok(response.ok && response.value.result === "svid");
    assert.deepEqual(verify(response.value.chain).selectors, SELECTORS);
  });

  it("wants a challenge: of this node, used once, within a minute", async () => {
    const mesh = world();
    const attest = { op: "attest", evidence: EVIDENCE } as const;
    assert.equal(await ask(mesh, attest), "identity/challenge-unknown");
    assert.equal(await ask(mesh, { op: "challenge" }), "challenge");
    assert.equal(await ask(mesh, attest, joining(beta)), "identity/challenge-unknown");
    assert.equal(await ask(mesh, attest, joining(alpha), CHALLENGE_LIFETIME_MS), "svid");
    assert.equal(await ask(mesh, attest), "identity/challenge-unknown", "used");
    assert.equal(await ask(mesh, { op: "challenge" }), "challenge");
    const late = await ask(mesh, attest, joining(alpha), CHALLENGE_LIFETIME_MS + 1);
    assert.equal(late, "identity/challenge-unknown");
  });

  it("is for joining peers, at issuers with that attestor, for names that the policy lets in", async () => {
    const attest = { op: "attest", evidence: EVIDENCE } as const;
    const mesh = world();
    assert.equal(await ask(mesh, attest, { kind: "interop" }), "identity/peer-not-entitled");
    assert.equal(
      await ask(mesh, { op: "challenge" }, { kind: "interop" }),
      "identity/peer-not-entitled",
    );
    assert.equal(
      await ask(world(undefined, { types: ["x509pop"] }), attest),
      "identity/attestor-unknown",
    );
    const closed = world(undefined, { policy: "spiffe://mesh.example/node/x" });
    assert.equal((await join(closed, alpha)).outcome, "identity/denied");
    const refused = world(() => Promise.resolve(refuse("identity/evidence-refused", "why")));
    assert.equal((await join(refused, alpha)).outcome, "identity/evidence-refused");
    const unnamed = world(() =>
      Promise.resolve({ ok: true, value: { name: "a/b", selectors: [] } }),
    );
    assert.equal((await join(unnamed, alpha)).outcome, "identity/not-a-node-id");
  });

  it("is refused while too much is judged, and possible again afterwards", async () => {
    const release: (() => void)[] = [];
    const mesh = world(
      () =>
        new Promise((resolve) => {
          release.push(() => resolve(refuse("identity/evidence-refused")));
        }),
    );
    const attest = { op: "attest", evidence: EVIDENCE } as const;
    const nodes = Array.from({ length: EVIDENCE_UNDER_WAY_MAX + 1 }, (_, index) => {
      const nodeId = index.toString(16).padStart(64, "0") as NodeKeys["nodeId"];
      return { ...joining(alpha), nodeId } as AttestationPeer;
    });
    for (const node of nodes) await ask(mesh, { op: "challenge" }, node);
    const [last, ...first] = [...nodes].reverse() as [AttestationPeer, ...AttestationPeer[]];
    const judged = first.map((node) => ask(mesh, attest, node));
    assert.equal(await ask(mesh, attest, last), "identity/attestor-unavailable");
    for (const done of release) done();
    assert.deepEqual(new Set(await Promise.all(judged)), new Set(["identity/evidence-refused"]));
    const again = ask(mesh, attest, last);
    release.at(-1)?.();
    assert.equal(await again, "identity/evidence-refused", "its challenge was not used up");
  });

  it("remembers so many challenges and forgets the oldest", () => {
    const challenges = new Challenges(seededRandom("many"));
    const node = (index: number) => index.toString(16).padStart(64, "0") as NodeKeys["nodeId"];
    for (let index = 0; index <= CHALLENGES_MAX; index++) challenges.make(node(index), 0 as MonoMs);
    assert.ok(!challenges.take(node(0), 0 as MonoMs).ok);
    assert.ok(challenges.take(node(1), 0 as MonoMs).ok);
  });
});

describe("a join anchor", () => {
  const { anchor } = world();
  const text = encodeJoinAnchor(anchor);

  it("has one text, which is no token", () => {
    assert.ok(isJoinAnchor(text) && !isJoinAnchor("x0t1.AAAA"));
    assert.deepEqual(parseJoinAnchor(` ${text}\n`), { ok: true, value: anchor });
  });

  it("that is damaged, cut short, or too long is refused", () => {
    for (let length = 0; length < text.length; length++)
      assert.ok(!parseJoinAnchor(text.slice(0, length)).ok);
    assert.ok(!parseJoinAnchor(`${text}A`).ok);
    assert.ok(!parseJoinAnchor(text.replace("x0a1.", "x0t1.")).ok);
    assert.ok(!parseJoinAnchor(text.padEnd(2_000, "A")).ok);
    assert.throws(() => encodeJoinAnchor({ ...anchor, addresses: [] }));
  });
});
