// Every attack on the handshake that the protocol promises to refuse, one by one, beside its honest twin.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compositeSign } from "../../../src/crypto/index.ts";
import {
  concatBytes,
  isMeshError,
  refuse,
  type Result,
  utf8Bytes,
} from "../../../src/foundation/index.ts";
import {
  type Authenticated,
  authenticatePeer,
  encodeBody,
  encodePayload,
  type HandshakeReason,
  INTEROP_PROTOCOL_ID,
  type LocalCredential,
  MESH_PROTOCOL_ID,
  MESSAGE_FIXED_BYTES,
  type PayloadBody,
  type ReceivedPayload,
  signedMessage,
} from "../../../src/handshake/index.ts";
import {
  alice,
  bob,
  credential,
  engine,
  fakeCertificate,
  fakeVerifier,
  joining,
  party,
  type Party,
  type PartyOptions,
} from "./fixture.ts";

const CONTEXT = utf8Bytes("x0tta6bl4/noise-xxhfs-auth/1");
type Verdict = Result<Authenticated, HandshakeReason>;
type Change = (bytes: Uint8Array) => Uint8Array;
interface Changes {
  readonly a?: Change;
  readonly b?: Change;
  readonly c?: Change;
  readonly payloadB?: Change;
  readonly payloadC?: Change;
}
const same: Change = (bytes) => bytes;

/** The verdict of a step that may throw a coded refusal. */
function verdictOf(step: () => Verdict): Verdict {
  try {
    return step();
  } catch (error) {
    assert.ok(isMeshError(error), String(error));
    return refuse(error.code as HandshakeReason);
  }
}

/** Runs a handshake with changes on the way; the verdict of the initiator on B, and of the responder on C. */
function run(
  i: Party,
  r: Party,
  changes: Changes = {},
): { readonly onB: Verdict; readonly onC: Verdict | undefined } {
  const { a = same, b = same, c = same, payloadB = same, payloadC = same } = changes;
  let messageB = new Uint8Array(0);
  const onB = verdictOf(() => {
    r.machine.readA(a(i.machine.writeA()));
    messageB = new Uint8Array(b(r.machine.writeB((x) => payloadB(r.profile.seal(x)))));
    return i.profile.open(i.machine.readB(messageB));
  });
  if (!onB.ok) return { onB, onC: undefined };
  const onC = verdictOf(() => {
    const messageC = i.machine.writeC((x) => payloadC(i.profile.seal(x)));
    return r.profile.open(r.machine.readC(c(messageC)));
  });
  return { onB, onC };
}

function pair(initiator: PartyOptions = {}, responder: PartyOptions = {}): [Party, Party] {
  return [party("initiator", initiator), party("responder", responder)];
}

function refused(verdict: Verdict | undefined, code: HandshakeReason): void {
  assert.ok(verdict !== undefined && !verdict.ok, "accepted what must be refused");
  assert.equal(verdict.code, code);
}

function accepted(verdict: Verdict | undefined): Authenticated {
  assert.ok(verdict?.ok, `refused: ${verdict?.ok === false ? verdict.code : "not reached"}`);
  return verdict.value;
}

function flip(offset: number): Change {
  return (bytes) => {
    const changed = bytes.slice();
    changed[offset] = (changed[offset] ?? 0) ^ 1;
    return changed;
  };
}

/** A received payload of a signer who may say anything: for attacks that honest code cannot express. */
function forged(
  signer: {
    readonly keys: LocalCredential;
    readonly role?: "initiator" | "responder";
    readonly context?: Uint8Array;
  },
  body: Partial<PayloadBody> = {},
): ReceivedPayload {
  const { keys, role = "responder", context = CONTEXT } = signer;
  const binding = {
    handshakeHash: new Uint8Array(32).fill(1),
    staticPublicKey: new Uint8Array(32).fill(2),
  };
  const encoded = encodeBody({
    ed25519: keys.ed25519.publicKey,
    svidChain: keys.svidChain,
    streamMuxers: [],
    securityProtocols: [MESH_PROTOCOL_ID],
    mldsa65: undefined,
    ...body,
  });
  const message = signedMessage(role, binding, encoded);
  const signature = compositeSign(keys, engine, message, context);
  return { ...binding, payload: encodePayload({ body: encoded, signature }) };
}

/** The initiator's verdict on a received payload. */
function judge(received: ReceivedPayload, options: PartyOptions = {}): Verdict {
  const { verifier = fakeVerifier(), ...rest } = options;
  return authenticatePeer(
    { engine, verifier },
    { role: "initiator", streamMuxers: [], securityProtocols: [MESH_PROTOCOL_ID], ...rest },
    received,
  );
}

describe("an honest handshake", () => {
  test("gives both sides the other's identity, the muxer, and ciphers that carry data both ways", () => {
    const [i, r] = pair();
    const { onB, onC } = run(i, r);
    const peerOfAlice = accepted(onB);
    const peerOfBob = accepted(onC);
    assert.ok(peerOfAlice.peer.kind === "svid" && peerOfBob.peer.kind === "svid");
    assert.deepEqual(peerOfAlice.peer.identity.ed25519, bob.ed25519.publicKey);
    assert.deepEqual(peerOfBob.peer.identity.mldsa65, alice.mldsa65.publicKey);
    assert.equal(peerOfAlice.streamMuxer, "/yamux/1.0.0");
    assert.equal(peerOfBob.streamMuxer, "/yamux/1.0.0");
    const [ki, kr] = [i.machine.split(), r.machine.split()];
    assert.deepEqual(ki.handshakeHash, kr.handshakeHash);
    for (let n = 0; n < 3; n++) {
      const data = Uint8Array.of(n, 1, 2);
      assert.deepEqual(Uint8Array.from(kr.receive.open(ki.send.seal(data))), data);
      assert.deepEqual(Uint8Array.from(ki.receive.open(kr.send.seal(data))), data);
    }
  });

  test("is accepted when forged by hand with the right keys, so that the refusals below mean something", () => {
    accepted(judge(forged({ keys: bob })));
  });
});

describe("signatures", () => {
  const MLDSA_BYTES = 3309;
  const signatureAt = (payload: Uint8Array): number => payload.length - 3373;

  const halves: readonly [string, Change][] = [
    [
      "the ML-DSA half zeroed",
      (p) => p.slice().fill(0, signatureAt(p), signatureAt(p) + MLDSA_BYTES),
    ],
    ["the Ed25519 half zeroed", (p) => p.slice().fill(0, signatureAt(p) + MLDSA_BYTES)],
    ["the ML-DSA half changed in one bit", (p) => flip(signatureAt(p))(p)],
    ["the Ed25519 half changed in one bit", (p) => flip(signatureAt(p) + MLDSA_BYTES)(p)],
    [
      "the halves swapped",
      (p) => {
        const at = signatureAt(p);
        return concatBytes(
          p.subarray(0, at),
          p.subarray(at + MLDSA_BYTES),
          p.subarray(at, at + MLDSA_BYTES),
        );
      },
    ],
  ];
  for (const [name, change] of halves) {
    test(`with ${name} are refused in B and in C`, () => {
      refused(run(...pair(), { payloadB: change }).onB, "handshake/bad-signature");
      refused(run(...pair(), { payloadC: change }).onC, "handshake/bad-signature");
    });
  }

  test("with either half missing are refused before any key is used", () => {
    const received = forged({ keys: bob });
    for (const [from, to] of [
      [MLDSA_BYTES, 3373],
      [0, MLDSA_BYTES],
    ] as const) {
      const at = signatureAt(received.payload);
      const body = received.payload.subarray(0, at - 3); // the signature's tag and length take three bytes
      const signature = received.payload.subarray(at + from, at + to);
      const half = concatBytes(
        body,
        Uint8Array.of(0x12, (signature.length & 0x7f) | 0x80, signature.length >> 7),
        signature,
      );
      refused(judge({ ...received, payload: half }), "handshake/bad-payload");
      refused(judge({ ...received, payload: body }), "handshake/bad-payload");
    }
  });

  test("of one algorithm's owner alone are refused, whichever one was broken", () => {
    const mallory = credential("mallory");
    refused(
      judge(forged({ keys: { ...bob, mldsa65: mallory.mldsa65 } })),
      "handshake/bad-signature",
    );
    const brokenMlDsa = {
      ...bob,
      ed25519: { ...mallory.ed25519, publicKey: bob.ed25519.publicKey },
    };
    const signWithMallory = {
      ...brokenMlDsa,
      ed25519: { ...brokenMlDsa.ed25519, sign: (m: Uint8Array) => mallory.ed25519.sign(m) },
    };
    refused(judge(forged({ keys: signWithMallory })), "handshake/bad-signature");
  });

  test("made in another session are refused: B's payload does not replay", () => {
    const recorded: Uint8Array[] = [];
    const keep: Change = (payload) => {
      recorded.push(payload);
      return payload;
    };
    accepted(run(...pair({ seed: "one" }, { seed: "one" }), { payloadB: keep }).onB);
    const [first] = recorded;
    assert.ok(first);
    refused(
      run(...pair({ seed: "two" }, { seed: "two" }), { payloadB: () => first }).onB,
      "handshake/bad-signature",
    );
  });

  test("made for the other role are refused: nothing reflects", () => {
    refused(judge(forged({ keys: bob, role: "initiator" })), "handshake/bad-signature");
    let payloadB = new Uint8Array(0);
    const reflected = run(...pair(), {
      payloadB: (payload) => (payloadB = new Uint8Array(payload)),
      payloadC: () => payloadB,
    });
    refused(reflected.onC, "handshake/bad-signature");
  });

  test("under another context, another transcript or another Noise key are refused", () => {
    refused(
      judge(forged({ keys: bob, context: utf8Bytes("x0tta6bl4/beacon/1") })),
      "handshake/bad-signature",
    );
    const received = forged({ keys: bob });
    refused(
      judge({ ...received, handshakeHash: new Uint8Array(32).fill(9) }),
      "handshake/bad-signature",
    );
    refused(
      judge({ ...received, staticPublicKey: new Uint8Array(32).fill(9) }),
      "handshake/bad-signature",
    );
  });

  test("cover the muxer list: a changed one is refused", () => {
    const text = "/yamux/1.0.0";
    const swap: Change = (payload) => {
      const at = Buffer.from(payload).indexOf(text);
      assert.ok(at > 0);
      const changed = payload.slice();
      changed.set(utf8Bytes("/mplex/6.7.0"), at);
      return changed;
    };
    const both = { streamMuxers: [text, "/mplex/6.7.0"] };
    refused(run(...pair(both, both), { payloadB: swap }).onB, "handshake/bad-signature");
    refused(run(...pair(both, both), { payloadC: swap }).onC, "handshake/bad-signature");
  });
});

describe("keys and chains", () => {
  test("a foreign ML-DSA key beside the right Ed25519 key is refused, certificate and all", () => {
    const mallory = credential("mallory");
    const stolen = { ed25519: bob.ed25519, mldsa65: mallory.mldsa65 };
    // Mallory's genuine certificate names Mallory's NodeId; Bob's Ed25519 key does not hash to it.
    refused(
      judge(forged({ keys: { ...stolen, svidChain: mallory.svidChain } })),
      "handshake/bad-chain",
    );
    // A chain that fits both keys cannot lead to the bundle.
    const own = fakeCertificate(bob.ed25519.publicKey, mallory.mldsa65.publicKey, "foreign");
    refused(judge(forged({ keys: { ...stolen, svidChain: [own] } })), "handshake/bad-chain");
  });

  test("a verifier that forgets the NodeId extension does not help: the hash is taken again", () => {
    const mallory = credential("mallory");
    const honest = fakeVerifier();
    const careless = {
      ...honest,
      verifyChain: () => honest.verifyChain(mallory.svidChain, mallory.ed25519.publicKey),
    };
    const keys = { ...mallory, ed25519: bob.ed25519 };
    refused(judge(forged({ keys }), { verifier: careless }), "handshake/bad-node-id");
    const halfCareless = {
      ...honest,
      verifyChain: () => {
        const verified = careless.verifyChain();
        assert.ok(verified.ok);
        return { ok: true, value: { ...verified.value, ed25519: bob.ed25519.publicKey } } as const;
      },
    };
    refused(judge(forged({ keys }), { verifier: halfCareless }), "handshake/bad-node-id");
    const otherKey = {
      ...honest,
      verifyChain: () => {
        const verified = honest.verifyChain(bob.svidChain, bob.ed25519.publicKey);
        assert.ok(verified.ok);
        return {
          ok: true,
          value: { ...verified.value, ed25519: alice.ed25519.publicKey },
        } as const;
      },
    };
    refused(judge(forged({ keys: bob }), { verifier: otherKey }), "handshake/bad-node-id");
  });

  test("an expired or a foreign chain is refused on either side", () => {
    for (const mark of ["expired", "foreign"] as const) {
      const bad = { credential: credential("bad", mark) };
      refused(run(...pair({}, bad)).onB, "handshake/bad-chain");
      refused(run(...pair(bad, {})).onC, "handshake/bad-chain");
    }
  });

  test("a PeerId other than the dialled one is refused before its chain is looked at", () => {
    const noChain = fakeVerifier();
    let chains = 0;
    const counting = {
      ...noChain,
      verifyChain: (...args: Parameters<typeof noChain.verifyChain>) => {
        chains++;
        return noChain.verifyChain(...args);
      },
    };
    const expectBob = (key: Uint8Array): boolean => Buffer.from(key).equals(bob.ed25519.publicKey);
    refused(
      run(
        ...pair(
          { isExpectedPeer: expectBob, verifier: counting },
          { credential: credential("carol") },
        ),
      ).onB,
      "handshake/wrong-peer",
    );
    assert.equal(chains, 0);
    accepted(run(...pair({ isExpectedPeer: expectBob, verifier: counting })).onB);
    assert.equal(chains, 1);
  });

  test("policy is asked last and may say no", () => {
    const deny = { verifier: fakeVerifier(() => false) };
    refused(run(...pair(deny)).onB, "handshake/not-allowed");
    refused(run(...pair({}, deny)).onC, "handshake/not-allowed");
    refused(run(...pair(deny), { payloadB: flipLast }).onB, "handshake/bad-signature");
  });
});

const flipLast: Change = (bytes) => flip(bytes.length - 1)(bytes);

describe("joining", () => {
  const newcomer = { credential: joining("newcomer") };

  test("a dialler without a chain is taken only by a listener that accepts one more", () => {
    refused(run(...pair(newcomer)).onC, "handshake/joining-refused");
    refused(
      run(...pair(newcomer, { acceptJoining: () => false })).onC,
      "handshake/joining-refused",
    );
    const { peer } = accepted(run(...pair(newcomer, { acceptJoining: () => true })).onC);
    assert.equal(peer.kind, "joining");
  });

  test("a listener without a chain is never taken", () => {
    for (const acceptUnanchored of [false, true]) {
      const dialler = { acceptJoining: () => true, acceptUnanchored };
      refused(run(...pair(dialler, newcomer)).onB, "handshake/joining-refused");
    }
  });

  test("a joining peer's own key is what verifies its signature", () => {
    const accept = { acceptJoining: () => true };
    refused(run(...pair(newcomer, accept), { payloadC: flipLast }).onC, "handshake/bad-signature");
  });

  test("a dialler with a token takes an issuer whose root it does not know, with its keys verified", () => {
    const issuer = { credential: credential("issuer", "foreign") };
    refused(run(...pair({ ...newcomer }, issuer)).onB, "handshake/bad-chain");
    const join = { ...newcomer, acceptUnanchored: true };
    const { peer } = accepted(run(...pair(join, issuer)).onB);
    assert.ok(peer.kind === "unanchored");
    assert.deepEqual(peer.chain, issuer.credential.svidChain);
    assert.deepEqual(peer.mldsa65, issuer.credential.mldsa65.publicKey);
    refused(run(...pair(join, issuer), { payloadB: flipLast }).onB, "handshake/bad-signature");
    const mallory = credential("mallory");
    const lying = { credential: { ...mallory, svidChain: issuer.credential.svidChain } };
    refused(run(...pair(join, lying)).onB, "handshake/bad-chain");
  });

  test("a listener takes no unanchored dialler, whatever it was told", () => {
    const foreign = { credential: credential("issuer", "foreign") };
    refused(run(...pair(foreign, { acceptUnanchored: true })).onC, "handshake/bad-chain");
  });
});

describe("downgrade", () => {
  const weaker = "/noise";

  test("a stripped proposal is refused: the dialler preferred another protocol that the listener also has", () => {
    const stronger = "/x0tta6bl4/noise-xxhfs-mldsa65/2.0.0";
    const both = { securityProtocols: [stronger, MESH_PROTOCOL_ID] };
    refused(run(...pair(both, both)).onB, "handshake/downgrade");
    const listener = { securityProtocols: [MESH_PROTOCOL_ID, stronger] };
    refused(run(...pair({ ...both }, listener)).onB, "handshake/downgrade");
  });

  test("a forged na is refused: the listener says that it has what was denied in its name", () => {
    const stronger = "/x0tta6bl4/noise-xxhfs-mldsa65/2.0.0";
    const dialler = { securityProtocols: [stronger, MESH_PROTOCOL_ID] };
    accepted(run(...pair(dialler, {})).onB); // the listener really lacks it
    refused(run(...pair(dialler, dialler)).onB, "handshake/downgrade");
  });

  test("a missing list and a list without the running protocol are refused on either side", () => {
    for (const securityProtocols of [[], [weaker]]) {
      refused(run(...pair({}, { securityProtocols })).onB, "handshake/downgrade");
      const [honest, listener] = pair();
      const liar = party("initiator", { securityProtocols }).profile;
      const seal = liar.seal.bind(liar);
      const dialler = { ...honest, profile: { ...honest.profile, seal } };
      refused(run(dialler, listener).onC, "handshake/downgrade");
    }
  });

  test("weaker protocols behind ours in the list change nothing", () => {
    const both = { securityProtocols: [MESH_PROTOCOL_ID, INTEROP_PROTOCOL_ID] };
    const { onB, onC } = run(...pair(both, both));
    accepted(onB);
    accepted(onC);
  });
});

describe("muxers", () => {
  test("both ends choose the first of the dialler's list that the listener has", () => {
    const dialler = { streamMuxers: ["/a", "/b", "/c"] };
    const listener = { streamMuxers: ["/c", "/b"] };
    const { onB, onC } = run(...pair(dialler, listener));
    assert.equal(accepted(onB).streamMuxer, "/b");
    assert.equal(accepted(onC).streamMuxer, "/b");
  });

  test("an empty list on either end leaves the choice to multistream-select", () => {
    for (const options of [
      [{ streamMuxers: [] }, {}],
      [{}, { streamMuxers: [] }],
    ] as const) {
      const { onB, onC } = run(...pair(...options));
      assert.equal(accepted(onB).streamMuxer, undefined);
      assert.equal(accepted(onC).streamMuxer, undefined);
    }
  });

  test("two lists without a common entry end the handshake", () => {
    refused(
      run(...pair({ streamMuxers: ["/a"] }, { streamMuxers: ["/b"] })).onB,
      "handshake/no-common-muxer",
    );
  });
});

describe("the transcript", () => {
  test("a changed prologue, here another trust domain, fails at the first tag of B", () => {
    refused(run(...pair({ trustDomain: "other.example" })).onB, "handshake/bad-tag");
  });

  test("one changed byte in any field of A, B or C ends the handshake", () => {
    const b = MESSAGE_FIXED_BYTES.b;
    const cases: readonly [string, "a" | "b" | "c", number][] = [
      ["A.e", "a", 5],
      ["A.e1", "a", 1200],
      ["B.e", "b", 5],
      ["B.ekem1 ciphertext", "b", 500],
      ["B.ekem1 tag", "b", 32 + 1088],
      ["B.s", "b", b - 48],
      ["B.s tag", "b", b - 1],
      ["B.payload", "b", b + 10],
      ["C.s", "c", 3],
      ["C.s tag", "c", 47],
      ["C.payload", "c", 60],
    ];
    for (const [name, message, offset] of cases) {
      const { onB, onC } = run(...pair(), { [message]: flip(offset) });
      const verdict = message === "c" ? onC : onB;
      assert.ok(verdict !== undefined && !verdict.ok, name);
      assert.equal(verdict.code, "handshake/bad-tag", name);
    }
    for (const message of ["b", "c"] as const) {
      const { onB, onC } = run(...pair(), { [message]: flipLast });
      refused(message === "c" ? onC : onB, "handshake/bad-tag");
    }
  });
});
