// The log of issuances: lines of one turn are committed together, each is told of when it is on the disk, and none when it could not be.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import {
  type WorkloadStatements,
  WorkloadStore,
} from "../../../src/adapters/sqlite/workload-store.ts";
import { isMeshError, MeshError } from "../../../src/foundation/index.ts";
import type { Issuance, NodeId } from "../../../src/identity/index.ts";
import { scratch } from "../../integration/node/harness.ts";
import { NOW } from "../identity/support.ts";

const issuance = (digest: string): Issuance => ({
  ...{ atMs: NOW, kind: "jwt", entry: "e", spiffeId: "spiffe://mesh.example/web", digest },
  ...{ node: "ab".repeat(32) as NodeId, notAfterMs: NOW },
});

describe("the log of issuances", () => {
  it("keeps what came at once in one commit, in its order, over a restart", async (t) => {
    const directory = scratch(t);
    const store = new StateStore(directory);
    await Promise.all(["a", "b", "c"].map((one) => store.workloads.record(issuance(one))));
    await store.workloads.record(issuance("d"));
    store.close();
    const again = new StateStore(directory);
    t.after(() => again.close());
    assert.deepEqual(again.workloads.issuancesOf("e"), { count: 4, lastAtMs: NOW });
  });

  it("tells nobody of a batch that was not committed, and goes on with the next", async () => {
    let commits = 0;
    let isFull = true;
    const statements: WorkloadStatements = {
      ...{ run: () => 1, all: () => [] },
      atomically(work) {
        commits += 1;
        if (isFull) throw new MeshError("state/write-failed", "full");
        work();
      },
    };
    const log = new WorkloadStore(statements);
    const batch = ["a", "b"].map((one) => log.record(issuance(one)));
    for (const one of batch)
      await assert.rejects(one, (error) => isMeshError(error, "state/write-failed"));
    assert.equal(commits, 1);
    isFull = false;
    await log.record(issuance("c"));
    assert.equal(commits, 2);
  });
});
