// Authorities on the disk of their issuer: every step is whole or not done wherever it is cut off, and a year passes unattended.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { KeyFiles } from "../../../../src/adapters/key-files.ts";
import type {
  StateStore,
  StoredCredential,
  StoredIssuer,
} from "../../../../src/adapters/sqlite/state-store.ts";
import {
  acceptSignedBundle,
  type AuditRecord,
  bundleOfState,
  MemoryNameRegistry,
  type NodeId,
  rootIdsOf,
  sameContent,
  type TrustBundle,
} from "../../../../src/identity/index.ts";
import type { MonoMs, Random, WallMs } from "../../../../src/ports/index.ts";
import { AuthorityKeeper } from "../../../../src/node/trust/authority-keeper.ts";
import { createTrustDomain, storedTrustState } from "../../../../src/node/trust/first-state.ts";
import { HeldBundle } from "../../../../src/node/trust/held-bundle.ts";
import { DAY_MS, engine, NOW, seededRandom, TRUST_DOMAIN } from "../../identity/support.ts";

const self = "ab".repeat(32) as NodeId;
const options = {
  lifetimeMs: 365 * DAY_MS,
  prepareMs: 7 * DAY_MS,
  clockSkewMs: 60_000,
  reserveMs: 30 * DAY_MS,
};
const directories: string[] = [];
after(() => directories.forEach((directory) => rmSync(directory, { recursive: true })));

/** What a database keeps, each call a transaction. */
class MemoryStore {
  credential: StoredCredential | undefined;
  #issuer: StoredIssuer | undefined;
  #state: string | undefined;
  #signed: Uint8Array | undefined;

  copy(): MemoryStore {
    const copy = new MemoryStore();
    copy.credential = this.credential;
    copy.#issuer = this.#issuer;
    copy.#state = this.#state;
    copy.#signed = this.#signed;
    return copy;
  }

  forget(): void {
    this.#state = undefined;
    this.#signed = undefined;
  }

  #keepBundle({ json, signed }: { readonly json: string; readonly signed: Uint8Array }): void {
    if (this.credential === undefined) return;
    this.credential = { ...this.credential, bundle: json };
    this.#signed = signed;
  }

  store(cut: () => void) {
    return {
      names: new MemoryNameRegistry(),
      issuer: () => this.#issuer,
      saveIssuer: (issuer: StoredIssuer) => void (this.#issuer = issuer),
      saveCredential: (credential: StoredCredential) => void (this.credential = credential),
      trustState: () => this.#state,
      signedBundle: () => this.#signed,
      saveBundle: (json: string, signed: Uint8Array) => {
        this.#keepBundle({ json, signed });
      },
      saveTrust: ({ state, bundle, newRoot }: Parameters<StateStore["saveTrust"]>[0]) => {
        cut();
        this.#state = state;
        if (bundle !== undefined) this.#keepBundle(bundle);
        if (newRoot !== undefined) this.#issuer = { root: newRoot, intermediate: undefined };
      },
    };
  }
}

/** An issuer's disk, and a process that can be cut off before any of its writes. */
class Host {
  readonly #directory = mkdtempSync(join(tmpdir(), "keeper-"));
  readonly #random: Random;
  readonly #disk: MemoryStore;
  readonly events: AuditRecord[] = [];
  nowMs = NOW;
  /** Writes that are left until the process is cut off. */
  left = Infinity;

  constructor(disk?: MemoryStore, seed = "keeper") {
    directories.push(this.#directory);
    this.#random = seededRandom(seed);
    this.#disk = disk ?? new MemoryStore();
    if (disk === undefined)
      createTrustDomain(this.#deps(), { trustDomain: TRUST_DOMAIN, name: "root" });
  }

  /** A host with a copy of this one's disk. */
  copy(seed = "keeper"): Host {
    const copy = new Host(this.#disk.copy(), seed);
    cpSync(this.#directory, copy.#directory, { recursive: true });
    return copy;
  }

  /** A start of the process. */
  start(): { readonly keeper: AuthorityKeeper; readonly held: HeldBundle } {
    this.left = Infinity;
    const deps = this.#deps();
    const credential = this.#disk.credential ?? assert.fail("not enrolled");
    const held = new HeldBundle({ engine, store: deps.store }, credential);
    const state = storedTrustState(deps, held);
    return { keeper: new AuthorityKeeper({ ...deps, held }, options, state), held };
  }

  forgetAccount(): void {
    this.#disk.forget();
  }

  names(): string[] {
    return this.#keyFiles().names();
  }

  #keyFiles(): KeyFiles {
    return new KeyFiles(join(this.#directory, "keys"), this.#random);
  }

  #deps() {
    const cut = (): void => {
      if (this.left-- <= 0) throw new Error("cut off");
    };
    const keyFiles = this.#keyFiles();
    const save = keyFiles.save.bind(keyFiles);
    keyFiles.save = (...args) => {
      cut();
      save(...args);
    };
    const store = this.#disk.store(cut);
    return {
      ...{ engine, random: this.#random, store, keyFiles, self, svidLifetimeMs: DAY_MS },
      clock: { now: () => ({ wallMs: this.nowMs, monoMs: 0 as MonoMs }) },
      logger: { info: () => undefined, warn: () => undefined },
      audit: {
        record: (entry: AuditRecord) => {
          cut();
          this.events.push(entry);
        },
        note: () => undefined,
      },
    };
  }
}

/** Whatever was cut off: the bundle says what the state says, its signature is good, and every key is there. */
function checkWhole(host: Host): string {
  const { keeper, held } = host.start();
  const { authorities, revokedNodes } = keeper;
  const state = { authorities, revoked: revokedNodes, issuers: [] };
  const { sequence } = held.bundle;
  const wanted = bundleOfState(state, { trustDomain: TRUST_DOMAIN, sequence, self });
  assert.ok(sameContent(held.bundle, wanted));
  const before = { ...held.bundle, sequence: sequence - 1 };
  assert.ok(acceptSignedBundle(engine, before, held.signed ?? new Uint8Array()).ok);
  keeper.root();
  keeper.workloads();
  assert.equal(host.names().length, 3 * authorities.length, host.names().join());
  return authorities.map((one) => one.state).join(" ");
}

describe("a step of an authority", () => {
  const steps: readonly (readonly [(keeper: AuthorityKeeper) => void, string, string])[] = [
    [(keeper) => keeper.prepare(), "active", "active prepared"],
    [(keeper) => keeper.activate(true), "active prepared", "old active"],
    [(keeper) => keeper.taint(keeper.authorities[0]?.id ?? ""), "old active", "tainted active"],
    [(keeper) => keeper.revoke(keeper.authorities[0]?.id ?? ""), "tainted active", "active"],
  ];

  it("is whole or not done, before whichever of its writes the process is cut off", () => {
    const host = new Host();
    let cuts = 0;
    for (const [step, before, done] of steps) {
      for (let writes = 0; ; writes++) {
        const { keeper } = host.start();
        host.left = writes;
        try {
          step(keeper);
        } catch (error) {
          assert.match(String(error), /cut off/);
          cuts += 1;
          assert.equal(checkWhole(host), before, `cut off before write ${writes}`);
          continue;
        }
        assert.equal(checkWhole(host), done);
        break;
      }
    }
    assert.equal(
      cuts,
      3 + 2 + 2 + 2 + 2,
      "three keys, and twice four: the log, and the transaction",
    );
  });
});

describe("an issuer of a version that kept no account of authorities", () => {
  it("has one, which is active, and publishes it signed", () => {
    const host = new Host();
    const { id } = host.start().keeper.active;
    host.forgetAccount();
    assert.equal(checkWhole(host), "active");
    const { keeper, held } = host.start();
    assert.equal(keeper.active.id, id);
    assert.equal(held.bundle.sequence, 2);
    assert.ok(keeper.active.nodesUntilMs >= NOW + 7 * DAY_MS, "it may have signed for so long");
  });
});

describe("authorities that nobody attends", () => {
  it("replace one another year by year, and a node that looks once a day follows", () => {
    const host = new Host();
    const { keeper, held } = host.start();
    let node: TrustBundle = { ...held.bundle, sequence: 0 };
    const days = [1, 2].flatMap((year) => Array.from({ length: 14 }, (_, i) => year * 365 - 8 + i));
    for (const day of days) {
      host.nowMs = (NOW + day * DAY_MS) as WallMs;
      keeper.upkeep();
      keeper.signed("node", (host.nowMs + DAY_MS) as WallMs);
      if (held.bundle.sequence === node.sequence) continue;
      const taken = acceptSignedBundle(engine, node, held.signed ?? new Uint8Array());
      assert.ok(taken.ok, `day ${day}`);
      node = taken.value;
    }
    const told = host.events.map(({ event }) => event.replace("authority.", "")).slice(1);
    const year = ["prepare", "activate", "expire"];
    assert.deepEqual(told, [...year, ...year]);
    assert.equal(node.sequence, 5, "activating changes no bundle");
    assert.equal(host.names().length, 3, "keys of authorities that are gone are deleted");
  });

  it("say when a step fails, and do it later", () => {
    const host = new Host();
    const { keeper } = host.start();
    host.nowMs = (NOW + 362 * DAY_MS) as WallMs;
    host.left = 0;
    keeper.upkeep();
    assert.equal(keeper.isEnding, true);
    host.left = Infinity;
    keeper.upkeep();
    assert.equal(keeper.isEnding, false);
  });
});

describe("an issuer whose disk is older than its bundle", () => {
  const wholeOf = (bundle: TrustBundle): number[] => [
    bundle.authorities.length,
    bundle.workloadAuthorities?.length ?? 0,
    bundle.jwtAuthorities?.length ?? 0,
  ];

  it("goes on with what it has and leaves published what it does not know", () => {
    const host = new Host();
    const { keeper } = host.start();
    keeper.prepare();
    keeper.activate(true);
    const backup = host.copy();
    keeper.prepare();
    keeper.activate(true);
    keeper.taint(keeper.authorities[0]?.id ?? "");
    keeper.revokeNode("cd".repeat(32) as NodeId, "lost");
    const newest = host.start().held;

    const restored = backup.start();
    assert.equal(restored.held.offer(newest.signed ?? new Uint8Array()), true);
    const states = restored.keeper.authorities.map(({ state }) => state);
    assert.deepEqual(states, ["old", "tainted", "active"], "made since, marked since, as before");
    assert.equal(restored.keeper.revokedNodes.length, 1);
    assert.deepEqual(wholeOf(restored.held.bundle), [3, 3, 3]);
    const { sequence } = restored.held.bundle;
    restored.keeper.revoke(restored.keeper.authorities[1]?.id ?? "");
    assert.equal(restored.held.bundle.sequence, sequence + 1);
    assert.deepEqual(wholeOf(restored.held.bundle), [2, 2, 2]);
    const taken = acceptSignedBundle(
      engine,
      newest.bundle,
      restored.held.signed ?? new Uint8Array(),
    );
    assert.ok(taken.ok, "every node follows it");
    // In time the one without keys goes by itself.
    backup.nowMs = (NOW + 40 * DAY_MS) as WallMs;
    restored.keeper.upkeep();
    assert.deepEqual(wholeOf(restored.held.bundle), [1, 1, 1]);
    assert.equal(backup.start().keeper.authorities.length, 1);
  });

  it("signs with the one that was prepared when the active one is gone", () => {
    const host = new Host();
    const { keeper } = host.start();
    keeper.prepare();
    const backup = host.copy();
    keeper.activate(true);
    keeper.revoke(keeper.authorities[0]?.id ?? "");
    const restored = backup.start();
    restored.held.offer(host.start().held.signed ?? new Uint8Array());
    assert.deepEqual(
      restored.keeper.authorities.map(({ id, state }) => [id, state]),
      [[keeper.active.id, "active"]],
    );
    restored.keeper.root();
    restored.keeper.workloads();
  });
});

describe("two hosts with one root, of which one is a copy that was never to run", () => {
  it("activate at once, and are one again with the next step of either; no node takes what it cannot verify", () => {
    const host = new Host();
    const twin = host.copy("twin");
    const [one, other] = [host.start(), twin.start()];
    for (const { keeper } of [one, other]) {
      keeper.prepare();
      keeper.activate(true);
    }
    assert.notEqual(one.keeper.active.id, other.keeper.active.id);
    const { sequence } = one.held.bundle;
    assert.equal(other.held.bundle.sequence, sequence);
    const signedBy = ({ held }: typeof one): Uint8Array => held.signed ?? assert.fail("unsigned");
    // Nodes have the one that they met first, and neither moves them nor the hosts.
    assert.equal(one.held.offer(signedBy(other)), false);
    assert.equal(other.held.offer(signedBy(one)), false);
    const node = one.held.bundle;
    const strange = rootIdsOf(other.held.bundle).filter((id) => !rootIdsOf(node).includes(id));
    assert.equal(
      strange.length,
      2,
      "roots that the node does not know: it takes nothing of theirs",
    );

    one.keeper.prepare();
    assert.equal(other.held.offer(signedBy(one)), true);
    assert.ok(acceptSignedBundle(engine, node, signedBy(one)).ok);
    assert.deepEqual(rootIdsOf(other.held.bundle), rootIdsOf(one.held.bundle));
    assert.equal(checkWhole(host), "old active prepared");
    // What signs at the other one is what both have known before; that of its own is gone.
    assert.equal(other.keeper.active.id, one.keeper.authorities[0]?.id);
    other.keeper.root();
    other.keeper.workloads();
  });
});

describe("a node that is shut out", () => {
  it("is named in the bundle until its last SVID has ended", () => {
    const host = new Host();
    const { keeper, held } = host.start();
    const node = "cd".repeat(32) as NodeId;
    keeper.signed("node", (NOW + DAY_MS) as WallMs);
    keeper.revokeNode(node, "lost");
    assert.deepEqual(held.bundle.notes?.revoked, [node]);
    const [until] = keeper.revokedNodes;
    host.nowMs = ((until?.untilMs ?? 0) + options.clockSkewMs) as WallMs;
    keeper.upkeep();
    assert.equal(held.bundle.notes.revoked.length, 1);
    host.nowMs = (host.nowMs + 1) as WallMs;
    keeper.upkeep();
    assert.equal(held.bundle.notes, undefined);
  });
});
