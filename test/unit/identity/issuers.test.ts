// What issuers do for one another: entries that become equal, tokens that are used once, and who may ask for what.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  CERTIFY_CONTEXT,
  certifyMessage,
  encodeIssuerMessage,
  type EntryBook,
  IssuerDesk,
  type IssuerRequest,
  type IssuerResponse,
  MemoryNameRegistry,
  MemoryTokenStore,
  type NodeId,
  parseIssuerResponse,
  TokenLedger,
} from "../../../src/identity/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { engine, NOW, nodeKeys, seededRandom, after as later } from "./support.ts";
import { makeBook, memoryEntries } from "./workload/support.ts";

const draft = (path: string) => ({
  ...{ spiffeId: `spiffe://mesh.example/${path}`, parent: "*", selectors: ["unix:uid:1"] },
});
const isIssuer = (name: string) => (nodeId: NodeId) => nodeId === nodeKeys(name).nodeId;
const pull = (to: EntryBook, from: EntryBook, author = "a"): void =>
  to.merge(from.recordsAbove(to.have()), isIssuer(author));
const contentOf = (book: EntryBook): string => JSON.stringify(book.list());
const twoBooks = () => {
  const stores = [memoryEntries(), memoryEntries()] as const;
  const [a, b] = [
    makeBook(stores[0], undefined, undefined, "a"),
    makeBook(stores[1], undefined, undefined, "b"),
  ];
  return { a, b, stores };
};

describe("two books of entries", () => {
  it("are equal after they have exchanged their records, whatever was stated in which", () => {
    const { a, b, stores } = twoBooks();
    const made = a.create(draft("one"), NOW);
    b.create(draft("two"), later(1));
    pull(b, a);
    pull(a, b, "b");
    assert.equal(contentOf(a), contentOf(b));
    assert.equal(a.list().length, 2);
    b.delete(made.id, later(2));
    pull(a, b, "b");
    assert.equal(contentOf(a), contentOf(b));
    assert.equal(a.list().length, 1);
    assert.deepEqual(b.recordsAbove(a.have()).records, [], "nothing is sent twice");
    const again = makeBook(stores[1], undefined, undefined, "b");
    assert.equal(contentOf(again), contentOf(b), "a restart knows the other's");
  });

  it("agree on what both have changed while they were apart", () => {
    const { a, b } = twoBooks();
    const { id } = a.create(draft("one"), NOW);
    pull(b, a);
    a.delete(id, later(1));
    b.delete(id, later(2));
    pull(b, a);
    pull(a, b, "b");
    assert.equal(contentOf(a), contentOf(b));
    assert.deepEqual(a.have(), b.have());
  });

  it("take nothing of an author that is no issuer, nor what its author did not sign", () => {
    const { a, b } = twoBooks();
    a.create(draft("one"), NOW);
    const sent = a.recordsAbove([]);
    b.merge(sent, () => false);
    assert.equal(b.list().length, 0);
    const [record = new Uint8Array()] = sent.records;
    const changed = record.slice();
    changed[20] = (changed[20] ?? 0) ^ 1;
    b.merge({ ...sent, records: [changed] }, isIssuer("a"));
    assert.equal(b.list().length, 0);
    const { ed25519, mldsa65 } = nodeKeys("c");
    const foreign = { ed25519: ed25519.publicKey, mldsa65: mldsa65.publicKey };
    const { b: other } = twoBooks();
    other.merge({ authors: [foreign], records: [record] }, isIssuer("c"));
    assert.equal(other.list().length, 0, "signed by a, and only c's keys are known");
    b.merge(sent, isIssuer("a"));
    assert.equal(b.list().length, 1);
  });

  it("are exchanged in parts that fit an answer", () => {
    const { a, b } = twoBooks();
    const long = `unix:path:/${"x".repeat(4_000)}`;
    for (let i = 0; i < 100; i++)
      a.create({ ...draft(`e${i}`), selectors: [long, `unix:uid:${i}`] }, later(i));
    let parts = 0;
    for (let more = true; more; parts++) {
      const part = a.recordsAbove(b.have());
      assert.ok(encodeIssuerMessage({ result: "records", ...part }).length <= 1024 * 1024);
      b.merge(part, isIssuer("a"));
      ({ more } = part);
    }
    assert.ok(parts > 1, "more than one");
    assert.equal(contentOf(a), contentOf(b));
  });

  it("begin above what a lost disk may have used", () => {
    const { a, b } = twoBooks();
    a.create(draft("one"), NOW);
    a.create(draft("two"), NOW);
    pull(b, a);
    const restored = makeBook(memoryEntries(), undefined, undefined, "a", "restored");
    restored.create(draft("three"), later(5_000));
    pull(b, restored);
    assert.equal(b.list().length, 3);
  });
});

describe("an issuer, asked by another one", () => {
  const ledger = new TokenLedger({
    ...{ engine, random: seededRandom("tokens"), store: new MemoryTokenStore() },
  });
  const names = new MemoryNameRegistry();
  const certified: NodeId[] = [];
  const a = nodeKeys("a");
  const desk = new IssuerDesk({
    ...{ engine, ledger, names, book: twoBooks().a, isIssuer: isIssuer("a") },
    certify: (nodeId) => {
      certified.push(nodeId);
      return { certificate: new Uint8Array(1), root: new Uint8Array(1), readyAtMs: NOW };
    },
  });
  const now = { wallMs: NOW, monoMs: 0 as MonoMs };
  const ask = (request: IssuerRequest, from = a.nodeId): IssuerResponse => {
    const parsed = parseIssuerResponse(desk.handle(encodeIssuerMessage(request), from, now));
    return parsed.ok ? parsed.value : assert.fail(parsed.code);
  };
  const codeOf = (response: IssuerResponse): string =>
    response.result === "refused" ? response.code : response.result;

  it("answers issuers alone", () => {
    const request: IssuerRequest = { op: "records", have: [] };
    assert.equal(codeOf(ask(request)), "records");
    assert.equal(codeOf(ask(request, nodeKeys("b").nodeId)), "identity/peer-not-entitled");
  });

  it("signs an intermediate for a key that the asking node has", () => {
    const key = engine.mlDsa65.signer(seededRandom("key").bytes(32));
    const of = (nodeId: NodeId): IssuerRequest => ({
      ...{ op: "certify", publicKey: key.publicKey, workloads: [] },
      proof: key.sign(certifyMessage(nodeId), CERTIFY_CONTEXT),
    });
    assert.equal(codeOf(ask(of(nodeKeys("b").nodeId))), "identity/proof-invalid");
    assert.deepEqual(certified, []);
    assert.equal(codeOf(ask(of(a.nodeId))), "certified");
    assert.deepEqual(certified, [a.nodeId]);
  });

  it("has a token used by one node, whichever issuer it was shown to", () => {
    const secret = new Uint8Array(32).fill(7);
    const secretHash = ledger.hash(secret);
    ledger.adopt({
      secretHash,
      nodeId: a.nodeId,
      name: "x",
      nowMs: NOW,
      expiresAtMs: later(1_000),
    });
    const use = (nodeId: NodeId): string =>
      codeOf(ask({ op: "redeem", secretHash, nodeId, name: "x" }));
    assert.equal(use(a.nodeId), "redeemed", "the same node may ask again");
    assert.equal(use(nodeKeys("b").nodeId), "identity/token-spent");
    const unknown = {
      op: "redeem",
      secretHash: "0".repeat(64),
      nodeId: a.nodeId,
      name: "x",
    } as const;
    assert.equal(codeOf(ask(unknown)), "identity/token-unknown");
  });

  it("gives a name to one node", () => {
    const claim = (nodeId: NodeId): string => codeOf(ask({ op: "claim", name: "n", nodeId }));
    assert.equal(claim(a.nodeId), "claimed");
    assert.equal(claim(nodeKeys("b").nodeId), "identity/name-taken");
    assert.equal(claim(a.nodeId), "claimed");
  });

  it("throws for nothing that it is sent", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          const parsed = parseIssuerResponse(desk.handle(bytes, a.nodeId, now));
          assert.ok(parsed.ok && parsed.value.result === "refused");
          assert.equal(parseIssuerResponse(bytes).ok, false);
        },
      ),
      { seed: 20261121, numRuns: 300 },
    );
  });
});
