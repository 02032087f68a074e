// Claims of the mesh's budget of repair: who may make one, how often, and what is no news.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Claim } from "../../../../src/healing/index.ts";
import type { PeerIdentity } from "../../../../src/identity/index.ts";
import { RepairClaims } from "../../../../src/node/healing/repair-claims.ts";
import type { MonoMs, WallMs } from "../../../../src/ports/index.ts";
import { engine, nodeKeys } from "../../identity/support.ts";

const start = 1_800_000_000_000;
const keys = { a: nodeKeys("a"), b: nodeKeys("b") };

/** Two nodes and what goes from one to the other. */
class Pair {
  nowMs = start;
  allowed = true;
  readonly sent: Uint8Array[] = [];
  readonly heard: Claim[] = [];
  readonly a = this.#node("a");
  readonly b = this.#node("b");

  #node(name: "a" | "b"): RepairClaims {
    return new RepairClaims({
      ...{ engine, signer: keys[name].mldsa65, self: keys[name].nodeId, clockSkewMs: 1_000 },
      clock: { now: () => ({ monoMs: this.nowMs as MonoMs, wallMs: this.nowMs as WallMs }) },
      identityOf: (nodeId) => {
        const known = Object.values(keys).find((one) => one.nodeId === nodeId);
        return (
          known &&
          ({ spiffeId: "spiffe://d/node/x", mldsa65: known.mldsa65.publicKey } as PeerIdentity)
        );
      },
      allows: () => this.allowed,
      publish: (bytes) => {
        this.sent.push(bytes);
        return Promise.resolve();
      },
      onClaim: (claim) => this.heard.push(claim),
    });
  }

  async claim(leftMs: number): Promise<Uint8Array> {
    await this.a.publish(leftMs);
    return this.sent.at(-1) ?? assert.fail("nothing was sent");
  }
}

describe("a claim", () => {
  test("is taken from its signer, once, and not by the signer itself", async () => {
    const pair = new Pair();
    const claim = await pair.claim(30_000);
    assert.equal(pair.b.receive(claim), "accept");
    assert.deepEqual(pair.heard, [{ nodeId: keys.a.nodeId, leftMs: 30_000 }]);
    assert.equal(pair.b.receive(claim), "ignore");
    assert.equal(pair.a.receive(claim), "ignore");
  });

  test("and its end at the same moment are both taken, in their order alone", async () => {
    const pair = new Pair();
    const [end, again] = [await pair.claim(0), await pair.claim(30_000)];
    assert.equal(pair.b.receive(again), "accept");
    assert.equal(pair.b.receive(end), "ignore");
  });

  test("that was changed, is cut, or claims for longer than one may is refused for good", async () => {
    const pair = new Pair();
    const claim = await pair.claim(30_000);
    for (const at of [40, 43, 44, claim.length - 1]) {
      const changed = claim.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(new Pair().b.receive(changed), "reject", `byte ${at}`);
    }
    assert.equal(pair.b.receive(claim.subarray(1)), "reject");
    assert.equal(pair.b.receive(await pair.claim(30_001)), "reject");
    assert.deepEqual(pair.heard, []);
  });

  test("of a stranger, of one without the right, and of another time is no news", async () => {
    const pair = new Pair();
    const claim = await pair.claim(1_000);
    const stranger = claim.slice();
    stranger[0] = (stranger[0] ?? 0) ^ 1;
    assert.equal(pair.b.receive(stranger), "ignore");
    pair.allowed = false;
    assert.equal(pair.b.receive(claim), "ignore");
    pair.allowed = true;
    for (const [afterMs, decision] of [
      [61_001, "ignore"],
      [-61_001, "ignore"],
      [61_000, "accept"],
    ] as const) {
      pair.nowMs = start + afterMs;
      assert.equal(pair.b.receive(claim), decision, `${afterMs} ms later`);
    }
  });

  test("comes as often as an honest node makes one, and no oftener", async () => {
    const pair = new Pair();
    const decisions: string[] = [];
    for (let count = 0; count < 9; count++) decisions.push(pair.b.receive(await pair.claim(count)));
    assert.deepEqual(decisions, [...Array<string>(8).fill("accept"), "ignore"]);
    pair.nowMs += 2_000;
    assert.equal(pair.b.receive(await pair.claim(1)), "accept");
  });
});
