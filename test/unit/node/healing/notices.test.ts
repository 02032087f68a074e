// Notices between two nodes with real keys: what one tells the other hears once, and nothing that is not from whom it names.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NoticeBody } from "../../../../src/healing/index.ts";
import type { NodeId, PeerIdentity } from "../../../../src/identity/index.ts";
import { Notices } from "../../../../src/node/healing/notices.ts";
import type { MonoMs, WallMs } from "../../../../src/ports/index.ts";
import { incident, wall } from "../../healing/incidents.ts";
import { engine, memoryMeter, nodeKeys } from "../../identity/support.ts";

const a = nodeKeys("a");
const stranger = nodeKeys("stranger");

const cured = incident("0a0a0a0a-1", "mesh/isolated", {
  actions: [
    {
      ...{ playbook: "rejoin", action: "rejoin", level: "act", outcome: "mended" },
      ...{ startedMs: wall(1), reason: "free text" },
    },
  ],
});

/** A node and what comes out of it; `knows`: whose identity it has or gets. */
class Node {
  allowed = true;
  nowMs = 0;
  readonly sent: Uint8Array[] = [];
  readonly heard: [NodeId, NoticeBody][] = [];
  readonly fetched: NodeId[] = [];
  readonly known = new Map<NodeId, Uint8Array>();
  /** Identities that others give when they are asked. */
  readonly given = new Map<NodeId, Uint8Array>();
  readonly notices: Notices;

  constructor(keys = nodeKeys("b"), epoch = 1) {
    this.notices = new Notices({
      ...{ engine, signer: keys.mldsa65, self: keys.nodeId, epoch },
      clock: { now: () => ({ monoMs: this.nowMs as MonoMs, wallMs: 0 as WallMs }) },
      meter: memoryMeter(),
      random: { fraction: () => 0, bytes: (length) => new Uint8Array(length) },
      identities: {
        lookup: (nodeId) => this.#identity(nodeId),
        fetch: async (nodeId) => {
          this.fetched.push(nodeId);
          await Promise.resolve();
          const key = this.given.get(nodeId);
          if (key !== undefined) this.known.set(nodeId, key);
          return key !== undefined;
        },
      },
      allows: () => this.allowed,
      publish: (bytes) => {
        this.sent.push(bytes);
        return Promise.resolve();
      },
      onNotice: (nodeId, body) => this.heard.push([nodeId, body]),
    });
  }

  #identity(nodeId: NodeId): PeerIdentity | undefined {
    const mldsa65 = this.known.get(nodeId);
    return mldsa65 && ({ nodeId, spiffeId: "spiffe://d/node/x", mldsa65 } as PeerIdentity);
  }

  knowing(nodeId: NodeId, key: Uint8Array): this {
    this.known.set(nodeId, key);
    return this;
  }

  receive(bytes: Uint8Array): Promise<string> {
    return this.notices.receive(a.nodeId, bytes);
  }

  async claim(leftMs: number): Promise<Uint8Array> {
    await this.notices.claim(leftMs);
    return this.sent.at(-1) ?? assert.fail("nothing was sent");
  }
}

const b = (): Node => new Node().knowing(a.nodeId, a.mldsa65.publicKey);

async function lesson(): Promise<Uint8Array> {
  const teller = new Node(a);
  teller.notices.closed(cured);
  await teller.notices.tell();
  return teller.sent[0] ?? assert.fail("nothing was told");
}

describe("a notice", () => {
  test("is heard once, and not by its author", async () => {
    const [author, other] = [new Node(a).knowing(a.nodeId, a.mldsa65.publicKey), b()];
    const claim = await author.claim(30_000);
    assert.equal(await other.receive(claim), "accept");
    assert.deepEqual(other.heard, [[a.nodeId, { kind: "claim", leftMs: 30_000 }]]);
    assert.equal(await other.receive(claim), "ignore");
    assert.equal(await author.receive(claim), "ignore");
    assert.equal(await other.receive(await lesson()), "ignore", "its number was used");
    assert.equal(other.heard.length, 1);
  });

  test("tells what was learned", async () => {
    const other = b();
    assert.equal(await other.receive(await lesson()), "accept");
    const [[nodeId, body] = assert.fail()] = other.heard;
    assert.equal(nodeId, a.nodeId);
    assert.ok(body.kind === "lesson" && body.incident.actions[0]?.playbook === "rejoin");
  });

  test("and its end at the same moment are both heard, in their order alone", async () => {
    const [author, other] = [new Node(a), b()];
    const [end, again] = [await author.claim(0), await author.claim(30_000)];
    assert.equal(await other.receive(again), "accept");
    assert.equal(await other.receive(end), "ignore");
  });

  test("of a later start of its author counts, and one of an earlier does not", async () => {
    const other = b();
    const [old, late] = [await new Node(a, 1).claim(30_000), await new Node(a, 2).claim(0)];
    assert.equal(await other.receive(late), "accept");
    assert.equal(await other.receive(old), "ignore");
  });

  test("in another's name, changed on its way, cut, or of a claim for longer than one may, is rejected", async () => {
    const claim = await new Node(a).claim(30_000);
    for (const at of [33, 41, 45, claim.length - 1]) {
      const changed = claim.with(at, (claim[at] ?? 0) ^ 1);
      const other = new Node();
      for (const id of [a.nodeId, `${a.nodeId.slice(0, -1)}${flipped(a.nodeId)}` as NodeId])
        other.knowing(id, a.mldsa65.publicKey);
      assert.equal(await other.receive(changed), "reject", `byte ${at}`);
      assert.deepEqual(other.heard, []);
    }
    const another = new Node().knowing(a.nodeId, stranger.mldsa65.publicKey);
    assert.equal(await another.receive(claim), "reject");
    assert.equal(await b().receive(claim.subarray(0, -1)), "reject");
    assert.equal(await b().receive(await new Node(a).claim(30_001)), "reject");
    assert.equal(await b().receive(new Uint8Array(5_000).fill(1)), "reject");
  });

  test("of somebody whose identity nobody gives, or who has no right, is not heard", async () => {
    const claim = await new Node(a).claim(30_000);
    const [alone, strict] = [new Node(), b()];
    assert.equal(await alone.receive(claim), "ignore");
    assert.deepEqual(alone.fetched, [a.nodeId]);
    strict.allowed = false;
    assert.equal(await strict.receive(claim), "ignore");
    assert.deepEqual([...alone.heard, ...strict.heard], []);
  });

  test("that comes by two ways while its author's identity is asked for is heard once", async () => {
    const other = new Node();
    other.given.set(a.nodeId, a.mldsa65.publicKey);
    const claim = await new Node(a).claim(30_000);
    const verdicts = await Promise.all([other.receive(claim), other.receive(claim)]);
    assert.deepEqual(verdicts.sort(), ["accept", "ignore"]);
    assert.equal(other.heard.length, 1);
  });
});

/** Another last digit. */
function flipped(nodeId: string): string {
  return (parseInt(nodeId.slice(-1), 16) ^ 1).toString(16);
}
