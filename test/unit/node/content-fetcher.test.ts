// Memory for updates and models: what fits, what does not, and that all of it is given back.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import { contentIdOf } from "../../../src/learning/index.ts";
import { ContentFetcher } from "../../../src/node/learning/content-fetcher.ts";
import { ContentStore } from "../../../src/node/learning/content-store.ts";
import { MemoryBudget } from "../../../src/node/learning/memory-budget.ts";

const sha256 = (data: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(data).digest());
const ignore = (): undefined => undefined;
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function made(bytesMax: number) {
  const counts = new Map<string, number>();
  const meter = {
    count: (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1),
    set: ignore,
    observe: ignore,
  };
  const budget = new MemoryBudget(meter, bytesMax);
  const store = new ContentStore(sha256, budget);
  const asked: NodeId[] = [];
  const openStream = (holder: NodeId): Promise<never> => {
    asked.push(holder);
    return Promise.reject(new MeshError("network/not-connected", "not there"));
  };
  const deps = { openStream, sha256, store, budget, logger, meter };
  return { fetcher: new ContentFetcher(deps), budget, store, counts, asked };
}

const content = Uint8Array.from({ length: 1_000 }, (_, i) => i & 0xff);
const name = contentIdOf(sha256, content);
const wanted = (signal: AbortSignal) => ({
  taskId: "t",
  content: name,
  holders: () => ["author", "other"] as NodeId[],
  signal,
});

describe("memory for contents", () => {
  test("is enough for exactly as much, and refused for one byte more", () => {
    const { store, budget, counts } = made(1_000);
    store.put(name, content);
    assert.equal(budget.taken, 1_000);
    const more = contentIdOf(sha256, Uint8Array.of(1));
    assert.throws(() => store.put(more, Uint8Array.of(1)), { code: "learning/memory-budget" });
    assert.equal(counts.get("meshd_learning_memory_refusals_total"), 1);
    store.keepOnly(new Set());
    assert.equal(budget.taken, 0);
    store.put(more, Uint8Array.of(1));
    assert.equal(budget.taken, 1);
  });

  test("is taken once for a content that is there already", () => {
    const { store, budget } = made(1_000);
    store.put(name, content);
    store.put(name, content);
    store.keepOnly(new Set([name.digest]));
    assert.equal(budget.taken, 1_000);
  });

  test("is refused before anybody is asked", async () => {
    const { fetcher, asked } = made(999);
    await assert.rejects(fetcher.fetch(wanted(new AbortController().signal)), {
      code: "learning/memory-budget",
    });
    assert.deepEqual(asked, []);
  });

  test("is given back by a fetch that ends without a content, which asked all holders in their order", async () => {
    const { fetcher, asked, budget } = made(1_000);
    const end = new AbortController();
    const fetched = fetcher.fetch(wanted(end.signal));
    while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(budget.taken, 1_000);
    end.abort();
    await assert.rejects(fetched, { code: "learning/fetch-ended" });
    assert.deepEqual(asked, ["author", "other"]);
    assert.equal(budget.taken, 0);
  });

  test("of a content that is held asks nobody", async () => {
    const { fetcher, store, asked } = made(1_000);
    store.put(name, content);
    assert.equal(await fetcher.fetch(wanted(new AbortController().signal)), content);
    assert.deepEqual(asked, []);
  });

  test("that nobody hands out do not keep others from being fetched", async () => {
    const { fetcher, asked } = made(100_000);
    const end = new AbortController();
    const withheld = Array.from({ length: 20 }, (_, i) => contentIdOf(sha256, Uint8Array.of(i)));
    const fetches = withheld.map((one) =>
      fetcher.fetch({ ...wanted(end.signal), content: one, holders: () => ["liar" as NodeId] }),
    );
    const ended = Promise.allSettled(fetches);
    const honest = fetcher.fetch({ ...wanted(end.signal), holders: () => ["honest" as NodeId] });
    const refused = assert.rejects(honest, { code: "learning/fetch-ended" });
    while (!asked.includes("honest" as NodeId))
      await new Promise((resolve) => setImmediate(resolve));
    end.abort();
    await refused;
    await ended;
  });

  test("are searched for after two attempts, and then ever more rarely", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { fetcher, asked } = made(1_000);
    const end = new AbortController();
    const attempts: number[] = [];
    const search = (): Promise<NodeId[]> => {
      attempts.push(asked.filter((holder) => holder === "author").length);
      return Promise.resolve(["provider"] as NodeId[]);
    };
    const fetched = assert.rejects(fetcher.fetch({ ...wanted(end.signal), search }));
    while (attempts.length < 3) {
      await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(5_000);
    }
    end.abort();
    await fetched;
    assert.deepEqual(attempts, [2, 4, 8]);
    assert.deepEqual(asked.slice(0, 7), [
      ...["author", "other", "author", "other"],
      ...["author", "other", "provider"],
    ]);
  });
});
