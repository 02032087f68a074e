import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nativeEs256 } from "../../../../src/adapters/crypto/es256.ts";
import { isMeshError, MeshError, utf8Bytes } from "../../../../src/foundation/index.ts";
import {
  entriesDigest,
  foreignDigest,
  IssueLimit,
  type SvidRequest,
  type ToldBundle,
  validateJwtSvid,
  verifyChain,
} from "../../../../src/identity/index.ts";
import { ISSUE_BURST, ISSUE_RATE_PER_S } from "../../../../src/identity/workload/desk.ts";
import { FOREIGN_CHARS_MAX } from "../../../../src/identity/workload/messages.ts";
import { engine, memoryMeter, nodeKeys, NOW } from "../support.ts";
import {
  ask,
  at,
  draft,
  makeBook,
  makeWorkloadDomain,
  memoryEntries,
  nodeCalled,
  unknownDigest,
  x509Request,
} from "./support.ts";

const refused = (code: string) => ({ result: "refused", code });

describe("the issuer's desk for workloads", () => {
  it("tells a node its own entries and a newer bundle, and nothing twice", async () => {
    const { desk, book, bundle } = makeWorkloadDomain();
    const mine = book.create(draft, NOW);
    book.create({ ...draft, parent: "beta" }, NOW);
    const sync = { op: "sync", bundleSequence: 0, entriesDigest: unknownDigest } as const;
    const first = await ask(desk, sync);
    assert.ok(first.result === "sync");
    assert.deepEqual(first.entries, [mine]);
    assert.ok(first.bundle !== undefined);
    const again = await ask(desk, {
      ...sync,
      bundleSequence: bundle.sequence,
      entriesDigest: entriesDigest(engine, [mine]),
    });
    assert.deepEqual(again, { result: "sync" });
  });

  it("tells a node the bundles that its own entries name, as far as they are known and fit, and nothing twice", async () => {
    const { desk, book, foreign } = makeWorkloadDomain();
    book.create({ ...draft, federatesWith: ["b.example", "a.example", "unknown.example"] }, NOW);
    book.create({ ...draft, parent: "beta", federatesWith: ["c.example"] }, NOW);
    const [a, b] = ["a.example", "b.example"].map((trustDomain) => ({
      ...{ trustDomain, document: `{"keys":[],"of":"${trustDomain}"}` },
    })) as [ToldBundle, ToldBundle];
    for (const { trustDomain, document } of [a, b, { trustDomain: "c.example", document: "{}" }])
      foreign.set(trustDomain, document);
    const told = (bundlesDigest: string) => ask(desk, { op: "federated", bundlesDigest });
    assert.deepEqual(await told(unknownDigest), { result: "federated", bundles: [a, b] });
    assert.deepEqual(await told(foreignDigest(engine, [a, b])), { result: "federated" });
    foreign.set("a.example", " ".repeat(FOREIGN_CHARS_MAX - b.document.length + 1));
    const [alone, ...none] =
      ((await told(unknownDigest)) as { bundles?: ToldBundle[] }).bundles ?? [];
    assert.deepEqual([alone?.trustDomain, none.length], ["a.example", 0]);
  });

  it("signs both kinds of X.509-SVIDs and JWT-SVIDs, and writes each down", async () => {
    const { desk, book, bundle, log } = makeWorkloadDomain();
    const entry = book.create(draft, NOW);
    for (const algorithm of ["es256", "ml-dsa-65"] as const) {
      const answer = await ask(desk, x509Request(entry, algorithm));
      assert.equal(answer.result, "x509");
    }
    const jwt = await ask(desk, { op: "jwt", entry: entry.id, audience: ["db"] });
    assert.ok(jwt.result === "jwt");
    const valid = validateJwtSvid({
      es256: nativeEs256,
      token: jwt.token,
      audience: "db",
      bundleOf: () => bundle,
      nowMs: NOW,
    });
    assert.ok(valid.ok);
    assert.deepEqual(
      log.map(({ kind }) => kind),
      ["x509", "x509", "jwt"],
    );
    assert.ok(
      log.every(
        ({ node, digest }) => node === nodeKeys("alpha").nodeId && /^[0-9a-f]{64}$/.test(digest),
      ),
    );
  });

  it("signs nothing for a node that is not the entry's parent, nor another profile, nor a deleted entry", async () => {
    const { desk, book, log } = makeWorkloadDomain();
    const entry = book.create({ ...draft, profile: "es256" }, NOW);
    const beta = nodeCalled("beta");
    assert.deepEqual(
      await ask(desk, x509Request(entry, "es256", beta.nodeId), beta),
      refused("identity/entry-unknown"),
    );
    assert.deepEqual(
      await ask(desk, { op: "jwt", entry: entry.id, audience: ["db"] }, beta),
      refused("identity/entry-unknown"),
    );
    assert.deepEqual(
      await ask(desk, x509Request(entry, "ml-dsa-65")),
      refused("identity/entry-unknown"),
    );
    book.delete(entry.id, NOW);
    assert.deepEqual(
      await ask(desk, x509Request(entry, "es256")),
      refused("identity/entry-unknown"),
    );
    assert.deepEqual(log, []);
  });

  it("signs no key without proof that this node has it", async () => {
    const { desk, book } = makeWorkloadDomain();
    const entry = book.create(draft, NOW);
    for (const algorithm of ["es256", "ml-dsa-65"] as const) {
      const good = x509Request(entry, algorithm);
      assert.ok(good.op === "x509");
      const changed = good.proof.slice();
      changed[9] = (changed[9] ?? 0) ^ 1;
      const ofOther = x509Request(entry, algorithm, nodeKeys("beta").nodeId);
      for (const request of [
        { ...good, proof: changed },
        ofOther,
        { ...good, proof: Uint8Array.of(1) },
      ])
        assert.deepEqual(await ask(desk, request), refused("identity/proof-invalid"));
    }
    const good = x509Request(entry, "es256");
    assert.ok(good.op === "x509");
    const offCurve = good.publicKey.slice();
    offCurve[64] = (offCurve[64] ?? 0) ^ 1;
    assert.deepEqual(
      await ask(desk, { ...good, publicKey: offCurve }),
      refused("identity/proof-invalid"),
    );
  });

  it("refuses a node without the right to join, one whose SVID is over, and what it cannot read", async () => {
    const { desk, book } = makeWorkloadDomain();
    const entry = book.create(draft, NOW);
    const sync = { op: "sync", bundleSequence: 0, entriesDigest: unknownDigest } as const;
    const alpha = nodeCalled("alpha");
    const workload = { ...alpha, spiffeId: "spiffe://mesh.example/web" };
    assert.deepEqual(await ask(desk, sync, workload), refused("identity/denied"));
    assert.equal((await ask(desk, sync, nodeCalled("alpha", NOW))).result, "sync");
    assert.deepEqual(
      await ask(desk, sync, nodeCalled("alpha", NOW - 1)),
      refused("identity/peer-not-entitled"),
    );
    for (const bytes of [
      "",
      "{}",
      '{"op":"sync"}',
      "x".repeat(70_000),
      JSON.stringify({ op: "jwt", entry: entry.id, audience: [] }),
    ])
      assert.deepEqual(await ask(desk, utf8Bytes(bytes)), refused("identity/request-malformed"));
  });

  it("signs for a node so often and no more, and again with time", async () => {
    const { desk, book } = makeWorkloadDomain();
    const entry = book.create(draft, NOW);
    const request: SvidRequest = { op: "jwt", entry: entry.id, audience: ["db"] };
    for (let count = 0; count < ISSUE_BURST; count++)
      assert.equal((await ask(desk, request)).result, "jwt");
    assert.deepEqual(await ask(desk, request), refused("identity/rate-limited"));
    assert.deepEqual(
      await ask(desk, request, nodeCalled("alpha"), at(1_000 / ISSUE_RATE_PER_S - 1)),
      refused("identity/rate-limited"),
    );
    assert.equal(
      (await ask(desk, request, nodeCalled("alpha"), at(1_000 / ISSUE_RATE_PER_S + 1))).result,
      "jwt",
    );
  });
  it("signs for all together so often and no more: who is refused may ask another issuer", async () => {
    const limit = new IssueLimit({ burst: 3, perSecond: 2 });
    const { desk, book, meter } = makeWorkloadDomain("root", undefined, limit);
    const entry = book.create({ ...draft, parent: "*" }, NOW);
    const request: SvidRequest = { op: "jwt", entry: entry.id, audience: ["db"] };
    const from = async (name: string, ms = 0): Promise<string> => {
      const answer = await ask(desk, request, nodeCalled(name), at(ms));
      return answer.result === "refused" ? answer.code : "ok";
    };
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((name) => from(name))), [
      "ok",
      "ok",
      "ok",
    ]);
    assert.equal(await from("d"), "identity/issuer-busy");
    assert.equal(await from("d", 499), "identity/issuer-busy");
    assert.equal(await from("d", 500), "ok");
    const refusals = meter.counts.get(
      "meshd_identity_workload_issues_total jwt identity/issuer-busy",
    );
    assert.equal(refusals, 2);
    const sync = { op: "sync", bundleSequence: 0, entriesDigest: unknownDigest } as const;
    assert.equal((await ask(desk, sync, nodeCalled("e"), at(500))).result, "sync", "signs nothing");
  });

  it("hands nothing out that could not be written down", async () => {
    const full = new MeshError("state/write-failed", "full");
    const { desk, book } = makeWorkloadDomain("root", () => Promise.reject(full));
    const entry = book.create(draft, NOW);
    assert.deepEqual(await ask(desk, x509Request(entry, "es256")), refused("identity/not-issuer"));
  });
});

describe("a workload's certificate", () => {
  it("never makes a node: its id is none under /node", async () => {
    const { desk, book, bundle } = makeWorkloadDomain();
    const entry = book.create(draft, NOW);
    const answer = await ask(desk, x509Request(entry, "ml-dsa-65"));
    assert.ok(answer.result === "x509");
    const { ed25519 } = nodeKeys("workload");
    const verified = verifyChain({
      engine,
      chain: answer.chain,
      ed25519: ed25519.publicKey,
      bundle,
      now: NOW,
    });
    assert.deepEqual(verified.ok ? "a node" : verified.code, "identity/not-a-node-id");
  });
});

describe("the book of entries", () => {
  const codeOf = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      return isMeshError(error) ? error.code : String(error);
    }
    return "done";
  };

  it("holds what was made over a restart, in order, without what was deleted", () => {
    const store = memoryEntries();
    const book = makeBook(store);
    const a = book.create(draft, NOW);
    const b = book.create({ ...draft, parent: "b*" }, NOW);
    const c = book.create({ ...draft, parent: "c" }, NOW);
    book.delete(b.id, NOW);
    assert.deepEqual(makeBook(store).list(), [a, c]);
    assert.equal(
      codeOf(() => makeBook(store).entry(b.id)),
      "identity/entry-unknown",
    );
  });

  it("refuses a record that it did not sign so", () => {
    const store = memoryEntries();
    const { id } = makeBook(store).create(draft, NOW);
    const record = store.kept.get(id)!.slice();
    record[20] = (record[20] ?? 0) ^ 1;
    store.kept.set(id, record);
    assert.equal(
      codeOf(() => makeBook(store)),
      "identity/entry-record-invalid",
    );
  });

  it("holds so many entries and no more; the oldest deletion makes room", () => {
    const ENTRIES_MAX = 8;
    const store = memoryEntries();
    const book = makeBook(store, memoryMeter(), ENTRIES_MAX);
    const make = (uid: number) => book.create({ ...draft, selectors: [`unix:uid:${uid}`] }, NOW).id;
    const ids = Array.from({ length: ENTRIES_MAX }, (_, index) => make(index));
    assert.equal(
      codeOf(() => make(50_000)),
      "identity/entries-full",
    );
    for (const id of ids.slice(0, 2)) book.delete(id, NOW);
    make(50_000);
    assert.equal(store.kept.size, ENTRIES_MAX);
    assert.ok(!store.kept.has(ids[0] ?? "") && store.kept.has(ids[1] ?? ""));
  });

  it("refuses the same entry twice, an unknown one, and is as before when the disk is full", () => {
    const store = memoryEntries();
    const book = makeBook(store);
    book.create(draft, NOW);
    assert.equal(
      codeOf(() => book.create({ ...draft, hint: "x" }, NOW)),
      "identity/entry-exists",
    );
    assert.equal(
      codeOf(() => book.delete("00", NOW)),
      "identity/entry-unknown",
    );
    const full = makeBook({
      ...memoryEntries(),
      save: (): never => {
        throw new MeshError("state/write-failed", "full");
      },
    });
    assert.equal(
      codeOf(() => full.create(draft, NOW)),
      "state/write-failed",
    );
    assert.deepEqual(full.list(), []);
  });
});
