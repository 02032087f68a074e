// The life of authorities, step by step: what is refused, and what happens when nobody attends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  activate,
  activeOf,
  type AuthorityKeys,
  type AuthoritySet,
  dueStep,
  expire,
  firstAuthority,
  isEnding,
  prepare,
  revoke,
  type RotationOptions,
  signed,
  taint,
} from "../../../src/identity/index.ts";
import { after, DAY_MS, NOW } from "./support.ts";

const HOUR_MS = 3_600_000;
const options: RotationOptions = {
  lifetimeMs: 365 * DAY_MS,
  prepareMs: 7 * DAY_MS,
  clockSkewMs: 60_000,
  reserveMs: 30 * DAY_MS,
};

export function keysOf(name: string): AuthorityKeys {
  const bytes = new TextEncoder().encode(name);
  return {
    ...{ id: name.padEnd(40, "0"), root: bytes, notAfterMs: after(3650 * DAY_MS) },
    ...{ workloadRoot: bytes, workloadRootId: `w${name}`, jwt: { keyId: name, publicKey: bytes } },
  };
}

function done(step: ReturnType<typeof prepare>): AuthoritySet {
  return step.ok ? step.value : assert.fail(step.code);
}

const first = firstAuthority(keysOf("a1"), NOW);
const prepared = done(prepare(first, keysOf("b2"), NOW, options));
const activated = done(activate(prepared, after(7 * DAY_MS)));
const states = (set: AuthoritySet): string =>
  set.map(({ id, state }) => `${id.slice(0, 2)} ${state}`).join(", ");

describe("an authority", () => {
  it("is prepared, active, old and tainted, in this order", () => {
    assert.equal(states(prepared), "a1 active, b2 prepared");
    assert.equal(states(activated), "a1 old, b2 active");
    const tainted = done(taint(activated, "a1", after(8 * DAY_MS)));
    assert.equal(states(tainted), "a1 tainted, b2 active");
    assert.equal(states(done(revoke(tainted, "a1"))), "b2 active");
  });

  it("is refused each step out of turn, and nothing changes", () => {
    const code = (step: ReturnType<typeof prepare>): string => (step.ok ? "done" : step.code);
    assert.equal(
      code(prepare(prepared, keysOf("c3"), NOW, options)),
      "identity/authority-prepared",
    );
    assert.equal(code(activate(first, NOW)), "identity/authority-not-prepared");
    assert.equal(code(taint(first, "a1", NOW)), "identity/authority-active");
    assert.equal(code(revoke(activated, "b2")), "identity/authority-active");
    assert.equal(code(revoke(activated, "c3")), "identity/authority-unknown");
    assert.equal(code(revoke(activated, "")), "identity/authority-unknown", "two begin so");
  });

  it("signs when it was published for long enough, to the millisecond, or by force", () => {
    const ready = 7 * DAY_MS;
    assert.equal(activate(prepared, after(ready - 1)).ok, false);
    assert.equal(activate(prepared, after(ready)).ok, true);
    assert.equal(activate(prepared, NOW, true).ok, true);
  });

  it("waits for the end of every node's SVID that is older than its publication", () => {
    const until = after(30 * DAY_MS);
    const set = signed(first, "node", until, NOW) ?? first;
    const { nodesUntilMs } = activeOf(set);
    assert.ok(nodesUntilMs >= until);
    const waiting = done(prepare(set, keysOf("b2"), NOW, options));
    assert.equal(activate(waiting, (nodesUntilMs + 59_999) as typeof NOW).ok, false);
    assert.equal(activate(waiting, (nodesUntilMs + 60_000) as typeof NOW).ok, true);
    // What it signs after that is known to have been given with the new one.
    const later = signed(waiting, "node", after(90 * DAY_MS), after(60 * DAY_MS)) ?? waiting;
    assert.equal(activate(later, (nodesUntilMs + 60_000) as typeof NOW).ok, true);
  });

  it("stays until the last thing that it signed has ended, and no longer", () => {
    const set = signed(first, "workload", after(3 * DAY_MS), NOW) ?? first;
    const { signedUntilMs } = activeOf(set);
    const old = done(activate(done(prepare(set, keysOf("b2"), NOW, options)), NOW, true));
    const ends = (signedUntilMs + options.clockSkewMs) as typeof NOW;
    assert.equal(expire(old, ends, options), undefined);
    assert.equal(states(expire(old, (ends + 1) as typeof NOW, options) ?? []), "b2 active");
  });

  it("is one of four at most", () => {
    let set = first;
    for (const name of ["b2", "c3", "d4"])
      set = done(activate(done(prepare(set, keysOf(name), NOW, options)), NOW, true));
    const fifth = prepare(set, keysOf("e5"), NOW, options);
    assert.equal(fifth.ok ? "done" : fifth.code, "identity/authorities-full");
  });
});

describe("a bound of what was signed", () => {
  it("is moved a few times in a life and not for each SVID", () => {
    let set: AuthoritySet = first;
    let writes = 0;
    for (let minute = 0; minute < 48 * 60; minute++) {
      const now = after(minute * 60_000);
      const moved = signed(set, "node", (now + DAY_MS) as typeof NOW, now);
      if (moved === undefined) continue;
      writes += 1;
      set = moved;
    }
    assert.ok(writes > 0 && writes <= 10, `${writes} writes in two days`);
    assert.ok(activeOf(set).nodesUntilMs >= after(2 * DAY_MS + DAY_MS - 60_000));
  });
});

describe("rotation that nobody attends", () => {
  it("prepares ahead, activates at the end of the lifetime and forgets the old one", () => {
    const steps: string[] = [];
    let set = first;
    for (let hour = 0; hour < 2 * 366 * 24; hour++) {
      const now = after(hour * HOUR_MS);
      set = signed(set, "node", (now + DAY_MS) as typeof NOW, now) ?? set;
      const step = dueStep(set, now, options);
      if (step === undefined) continue;
      steps.push(`${step} ${Math.floor(hour / 24)}`);
      if (step === "prepare") set = done(prepare(set, keysOf(`h${hour}`), now, options));
      if (step === "activate") set = done(activate(set, now));
      if (step === "expire") set = expire(set, now, options) ?? set;
    }
    assert.deepEqual(steps, [
      "prepare 358",
      "activate 365",
      "expire 366",
      "prepare 723",
      "activate 730",
      "expire 731",
    ]);
  });

  it("is told of when it does not happen", () => {
    const at = (days: number) => isEnding(first, after(days * DAY_MS), options);
    assert.equal(at(361), false);
    assert.equal(at(361.5), true);
    assert.equal(isEnding(prepared, after(364 * DAY_MS), options), false);
    const attended = { ...options, lifetimeMs: undefined };
    assert.equal(dueStep(first, after(3640 * DAY_MS), attended), undefined);
    assert.equal(isEnding(first, after(3600 * DAY_MS), attended), false);
    assert.equal(isEnding(first, after(3620 * DAY_MS), attended), true, "the root itself ends");
  });
});
