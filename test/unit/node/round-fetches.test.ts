// What is on its way of a task: one fetch for each wish, and at the end of a round only those go on that may still count.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../../src/identity/index.ts";
import { RoundFetches } from "../../../src/node/learning/round-fetches.ts";

interface Begun {
  readonly known: () => readonly NodeId[];
  readonly signal: AbortSignal;
}

function fetches() {
  const all = new RoundFetches("self");
  const begun = new Map<string, Begun>();
  const want = (name: string, ...holders: string[]): void => {
    const fetch = (known: Begun["known"], signal: AbortSignal): Promise<void> => {
      begun.set(name, { known, signal });
      return new Promise(() => undefined);
    };
    void all.want(name, holders, fetch);
  };
  return { all, begun, want };
}

test("A wish that is said again brings new holders to the fetch that runs, and never this node.", () => {
  const { begun, want } = fetches();
  want("a", "author", "self");
  const first = begun.get("a");
  want("a", "author", "other");
  assert.equal(begun.get("a"), first);
  assert.deepEqual(first?.known(), ["author", "other"]);
});

test("What may still count goes on over the end of a round; the rest ends, and may be wanted anew.", () => {
  const { all, begun, want } = fetches();
  for (const name of ["late", "gone"]) want(name, "author");
  const ended = begun.get("gone");
  all.keepOnly(new Set(["late"]));
  assert.equal(begun.get("late")?.signal.aborted, false);
  assert.equal(ended?.signal.aborted, true);
  want("gone", "author");
  assert.notEqual(begun.get("gone"), ended);
  all.end();
  for (const { signal } of begun.values()) assert.equal(signal.aborted, true);
});
