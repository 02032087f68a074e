// Whatever operators and nodes do in whatever order: every live SVID is vouched for by the bundle of every node that has a live SVID
// itself, and no node's bundle goes back. Nodes that are away take a new bundle only when they renew.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  activate,
  activeOf,
  type AuthorityKeys,
  type AuthoritySet,
  dueStep,
  expire,
  firstAuthority,
  prepare,
  revoke,
  type RotationOptions,
  signed,
  taint,
} from "../../../src/identity/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20261121);
console.log(`fast-check seed ${seed}`);

const HOUR_MS = 3_600_000;
const SVID_MS = 24 * HOUR_MS;
const NODES = 4;
const options: RotationOptions = {
  lifetimeMs: 240 * HOUR_MS,
  prepareMs: 0,
  clockSkewMs: 60_000,
  reserveMs: 0,
};

interface Node {
  bundle: { readonly sequence: number; readonly ids: readonly string[] };
  svid: { readonly authority: string; readonly untilMs: number };
}

type Action =
  | { readonly kind: "prepare" | "activate" | "taint" | "revoke" | "unattended" }
  | { readonly kind: "renew" | "sync"; readonly node: number }
  | { readonly kind: "wait"; readonly hours: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(...(["prepare", "activate", "taint", "revoke", "unattended"] as const)),
  }),
  fc.record({
    kind: fc.constantFrom(...(["renew", "renew", "sync"] as const)),
    node: fc.nat(NODES - 1),
  }),
  fc.record({ kind: fc.constant("wait" as const), hours: fc.integer({ min: 1, max: 20 }) }),
);

/** A trust domain as the machine sees it, with nodes that hold what they were given last. */
class Domain {
  nowMs = 1_800_000_000_000 as WallMs;
  #made = 0;
  #set: AuthoritySet = firstAuthority(this.#keys(), this.nowMs);
  #sequence = 1;
  readonly #nodes: Node[] = Array.from({ length: NODES }, () => ({
    bundle: this.#bundle(),
    svid: this.#issue(),
  }));

  do(what: Action): void {
    switch (what.kind) {
      case "prepare":
        return this.#take(prepare(this.#set, this.#keys(), this.nowMs, options));
      case "activate":
        return this.#take(activate(this.#set, this.nowMs));
      case "taint":
        return this.#take(taint(this.#set, this.#oldest(), this.nowMs));
      case "revoke":
        // As the control API does: not while anybody has a certificate of it.
        return this.#isInUse(this.#oldest())
          ? undefined
          : this.#take(revoke(this.#set, this.#oldest()));
      case "unattended":
        return this.#unattended();
      case "sync":
        return this.#sync(this.#node(what.node));
      case "renew":
        return this.#renew(this.#node(what.node));
      case "wait":
        this.nowMs = (this.nowMs + what.hours * HOUR_MS) as WallMs;
    }
  }

  check(): void {
    const live = this.#nodes.filter(({ svid }) => this.nowMs <= svid.untilMs);
    for (const { svid } of live)
      for (const { bundle } of live)
        assert.ok(
          bundle.ids.includes(svid.authority),
          `${svid.authority} is live and unknown to a node with bundle ${bundle.sequence}`,
        );
  }

  #sync(node: Node): void {
    const newest = this.#bundle();
    assert.ok(newest.sequence >= node.bundle.sequence, "a bundle went back");
    node.bundle = newest;
  }

  /** A node whose SVID has ended joins anew. Whoever renews takes the newest bundle first. */
  #renew(node: Node): void {
    this.#sync(node);
    node.svid = this.#issue();
  }

  #unattended(): void {
    switch (dueStep(this.#set, this.nowMs, options)) {
      case "prepare":
        return this.do({ kind: "prepare" });
      case "activate":
        return this.do({ kind: "activate" });
      case "expire": {
        this.#set = expire(this.#set, this.nowMs, options) ?? this.#set;
        this.#sequence += 1;
        return;
      }
      case undefined:
    }
  }

  #take(step: ReturnType<typeof prepare>): void {
    if (!step.ok) return;
    this.#set = step.value;
    this.#sequence += 1;
  }

  #issue(): Node["svid"] {
    const untilMs = (this.nowMs + SVID_MS) as WallMs;
    this.#set = signed(this.#set, "node", untilMs, this.nowMs) ?? this.#set;
    return { authority: activeOf(this.#set).id, untilMs };
  }

  #bundle(): Node["bundle"] {
    return { sequence: this.#sequence, ids: this.#set.map(({ id }) => id) };
  }

  #oldest(): string {
    return this.#set.find(({ state }) => state === "old" || state === "tainted")?.id ?? "none";
  }

  #isInUse(id: string): boolean {
    return this.#nodes.some(({ svid }) => svid.authority === id && this.nowMs <= svid.untilMs);
  }

  #node(index: number): Node {
    return this.#nodes[index] ?? assert.fail("no such node");
  }

  #keys(): AuthorityKeys {
    const id = `${(this.#made += 1)}`.padStart(40, "0");
    const bytes = new Uint8Array();
    const notAfterMs = 4_000_000_000_000 as WallMs;
    return {
      ...{ id, root: bytes, notAfterMs, workloadRoot: bytes, workloadRootId: id },
      jwt: { keyId: id, publicKey: bytes },
    };
  }
}

test("[F1] every live SVID validates against every node's bundle, in any order of steps", () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const domain = new Domain();
      for (const what of actions) {
        domain.do(what);
        domain.check();
      }
    }),
    { seed, numRuns: 2_000 },
  );
});
