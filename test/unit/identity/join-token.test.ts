import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  checkJoinToken,
  encodeJoinToken,
  type JoinToken,
  MemoryTokenStore,
  parseJoinToken,
  TokenLedger,
  type TokenStore,
} from "../../../src/identity/index.ts";
import { after, engine, nodeKeys, NOW, seededRandom, seedOf, TRUST_DOMAIN } from "./support.ts";

const PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const ADDRESS = `/ip4/192.0.2.1/tcp/4001/p2p/${PEER}`;
const TOKEN: JoinToken = {
  trustDomain: TRUST_DOMAIN,
  addresses: [ADDRESS, `/dns4/issuer.mesh.example/tcp/4001/p2p/${PEER}`],
  bundleDigest: seedOf("digest"),
  secret: seedOf("secret"),
  expiresAtMs: after(60_000),
};

function malformed(error: unknown): boolean {
  return isMeshError(error, "identity/token-malformed");
}

function parsed(text: string): JoinToken | string {
  const result = parseJoinToken(text);
  return result.ok ? result.value : result.code;
}

describe("a join token", () => {
  it("is read as it was written, also with blanks around it", () => {
    const text = encodeJoinToken(TOKEN);
    assert.match(text, /^x0t1\.[A-Za-z0-9_-]+$/);
    const read = parsed(`\n ${text} `);
    assert.ok(typeof read !== "string");
    assert.deepEqual(
      { ...read, secret: [...read.secret], bundleDigest: [...read.bundleDigest] },
      {
        ...TOKEN,
        secret: [...TOKEN.secret],
        bundleDigest: [...TOKEN.bundleDigest],
      },
    );
  });

  it("is refused when it was cut short, extended, or has another prefix or version", () => {
    const text = encodeJoinToken(TOKEN);
    for (let length = 0; length < text.length; length++)
      assert.equal(parsed(text.slice(0, length)), "identity/token-malformed");
    for (const other of [
      `${text}A`,
      `${text}AAAA`,
      `${text}=`,
      text.replace("x0t1.", "x0t2."),
      text.replace("x0t1.", "X0T1."),
      text.replace("x0t1.AQ", "x0t1.Ag"),
      text.replace(".", ".+"),
      text.replace(".", ". "),
      text.replace(".", ".\n"),
    ]) {
      assert.equal(parsed(other), "identity/token-malformed", other);
    }
  });

  it("has one to four addresses that end in a peer id", () => {
    const make = (addresses: string[]) => encodeJoinToken({ ...TOKEN, addresses });
    assert.doesNotThrow(() => make([ADDRESS]));
    assert.doesNotThrow(() => make([ADDRESS, ADDRESS, ADDRESS, ADDRESS]));
    assert.throws(() => make([ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS]), malformed);
    assert.throws(() => make([]), malformed);
    for (const bad of [
      "/ip4/192.0.2.1/tcp/4001",
      `192.0.2.1/p2p/${PEER}`,
      `/ip4/a b/p2p/${PEER}`,
      `${ADDRESS}/x`,
      "",
    ]) {
      assert.throws(() => make([bad]), malformed, bad);
    }
  });

  it("has at most 1024 characters", () => {
    const long = (length: number) => `/dns4/${"a".repeat(length)}/p2p/${PEER}`;
    const trustDomain = "t".repeat(64);
    const at = (length: number) =>
      encodeJoinToken({ ...TOKEN, trustDomain, addresses: [long(180), long(180), long(length)] });
    let last = 1;
    while (last < 190 && at(last).length <= 1020) last++;
    assert.ok(parseJoinToken(at(last)).ok);
    assert.throws(() => at(last + 4), malformed);
  });

  it("is refused with fields of a wrong form", () => {
    for (const change of [
      { trustDomain: "" },
      { trustDomain: "A" },
      { secret: new Uint8Array(31) },
      { bundleDigest: new Uint8Array(33) },
      { expiresAtMs: -1 },
      { expiresAtMs: 0.5 },
    ]) {
      assert.throws(() => encodeJoinToken({ ...TOKEN, ...change } as JoinToken), malformed);
    }
  });

  it("is good until it expires, and for its own trust domain", () => {
    const codeAt = (ms: number, trustDomain?: string) => {
      const result = checkJoinToken(TOKEN, after(ms), trustDomain);
      return result.ok ? "ok" : result.code;
    };
    assert.equal(codeAt(59_999), "ok");
    assert.equal(codeAt(60_000), "identity/token-expired");
    assert.equal(codeAt(0, TRUST_DOMAIN), "ok");
    assert.equal(codeAt(0, "other.example"), "identity/token-trust-domain");
  });
});

describe("the ledger", () => {
  const alpha = nodeKeys("alpha").nodeId;
  const beta = nodeKeys("beta").nodeId;

  function setUp(store: TokenStore = new MemoryTokenStore(), name?: string) {
    const ledger = new TokenLedger({ engine, random: seededRandom("ledger"), store });
    const content = {
      trustDomain: TRUST_DOMAIN,
      addresses: [ADDRESS],
      bundleDigest: seedOf("digest"),
    };
    const { text } = ledger.create(
      name === undefined ? content : { ...content, name },
      NOW,
      60_000,
    );
    const token = parseJoinToken(text);
    assert.ok(token.ok);
    const { secret } = token.value;
    const redeem = (nodeId = alpha, ms = 0, nodeName = "alpha") => {
      const result = ledger.redeem({ secret, nodeId, name: nodeName, nowMs: after(ms) });
      return result.ok ? "ok" : result.code;
    };
    return { ledger, store, redeem, secret, content };
  }

  it("lets one node in with a token, and that node again, but no other", () => {
    const { redeem } = setUp();
    assert.equal(redeem(alpha), "ok");
    assert.equal(redeem(beta), "identity/token-spent");
    assert.equal(redeem(alpha, 1), "ok", "a joiner whose answer was lost");
    assert.equal(redeem(beta), "identity/token-spent");
  });

  it("refuses from the moment of expiry on, a retry as well", () => {
    const { redeem } = setUp();
    assert.equal(redeem(alpha, 59_999), "ok");
    assert.equal(redeem(alpha, 60_000), "identity/token-expired");
    assert.equal(setUp().redeem(alpha, 60_000), "identity/token-expired");
  });

  it("refuses a secret that it never gave out", () => {
    const { ledger } = setUp();
    const result = ledger.redeem({
      secret: seedOf("guess"),
      nodeId: alpha,
      name: "alpha",
      nowMs: NOW,
    });
    assert.equal(result.ok ? "ok" : result.code, "identity/token-unknown");
  });

  it("refuses another name than the one it is bound to, without spending the token", () => {
    const { redeem } = setUp(undefined, "alpha");
    assert.equal(redeem(alpha, 0, "beta"), "identity/token-name-mismatch");
    assert.equal(redeem(beta, 0, "alpha"), "ok");
  });

  it("keeps the hash of the secret and not the secret", () => {
    const records: unknown[] = [];
    const store = new MemoryTokenStore();
    const insert = store.insert.bind(store);
    store.insert = (record) => {
      records.push(record);
      return insert(record);
    };
    const { secret } = setUp(store);
    const text = JSON.stringify(records);
    assert.ok(!text.includes(Buffer.from(secret).toString("hex")));
    assert.ok(text.includes(Buffer.from(engine.sha256(secret)).toString("hex")));
  });

  it("lets the store decide a race: who loses it is told that the token is spent", () => {
    const store = new MemoryTokenStore();
    const { redeem } = setUp(store);
    const mark = store.markUsed.bind(store);
    store.markUsed = (hash, nodeId, atMs) => {
      mark(hash, beta, atMs);
      return mark(hash, nodeId, atMs);
    };
    assert.equal(redeem(alpha), "identity/token-spent");
  });

  it("refuses to make more tokens than the store holds, and makes room of expired ones", () => {
    const { ledger, content } = setUp(new MemoryTokenStore(2));
    ledger.create(content, NOW, 60_000);
    assert.throws(
      () => ledger.create(content, NOW, 60_000),
      (error) => isMeshError(error, "identity/token-store-full"),
    );
    assert.doesNotThrow(() => ledger.create(content, after(60_001), 60_000));
  });

  it("makes no token with a bad name or life", () => {
    const { ledger, content } = setUp();
    assert.throws(
      () => ledger.create({ ...content, name: "a/b" }, NOW),
      (error) => isMeshError(error, "identity/not-a-node-id"),
    );
    assert.throws(() => ledger.create(content, NOW, 0), malformed);
    assert.throws(() => ledger.create(content, NOW, 30 * 86_400_000 + 1), malformed);
    assert.doesNotThrow(() => ledger.create(content, NOW, 30 * 86_400_000));
  });
});
