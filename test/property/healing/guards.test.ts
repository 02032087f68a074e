// Invariant 8: whatever sensors say, however actions end, whatever others claim: the budget is never exceeded, every action
// has a cause, nothing goes A-B-A, and nothing is done that the halt, the freeze or a missing proof forbid. What the machine
// does is judged here from its orders alone, by rules of this test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ActionEnd,
  actionKinds,
  type ActionOrder,
  type HealingEffect,
  HealingMachine,
  type HealingOptions,
  type Incident,
  KnowledgeBase,
  MemoryArchive,
  type ObservationName,
  observationNames,
  observationScales,
  parsePlaybooks,
  type Playbook,
  type Reading,
  type SymptomCode,
  symptomCodes,
} from "../../../src/healing/index.ts";
import type { MonoMs, Now, WallMs } from "../../../src/ports/index.ts";

const options: Partial<HealingOptions> = {
  ...{ actionsAtOnce: 2, actionsPerWindow: 9, budgetWindowMs: 60_000, flapWindowMs: 40_000 },
  ...{ giveUpMs: 120_000, calmMs: 3_000, meshShareMax: 0.25 },
};
const WINDOW_MS = 60_000;
const FLAP_MS = 40_000;
const HALT = 0.3;

/** Kinds whose undo sets back what they set: tried first. */
const settings = new Set<string>(["shed-load"]);

/** Every kind, for every symptom that there is, in a hurry. */
const playbooks: readonly Playbook[] = parsePlaybooks(
  JSON.stringify({
    playbooks: ["shed-load", ...actionKinds.filter((kind) => !settings.has(kind))].map(
      (action, at) => ({
        name: action,
        for: [...symptomCodes.filter((_, index) => index % 3 === at % 3), ...alwaysFor(action)],
        radius: at % 3 === 0 ? "node" : at % 3 === 1 ? "peer" : disruptive(action),
        cooldown: "2s",
        steps: [
          { action, time_limit: "5s", check_within: "3s", ...targetOf(action, "a") },
          { action, time_limit: "2s", check_within: "1s", ...targetOf(action, "b") },
        ],
      }),
    ),
  }),
  "test",
  new Set(actionKinds),
);
const radiusOf = new Map(playbooks.map(({ name, radius }) => [name, radius]));

/** What must meet often for a guard to be needed. */
function alwaysFor(action: string): SymptomCode[] {
  if (action === "quarantine-peer" || action === "redial-peer") return ["mesh/peer-unreachable"];
  return settings.has(action) ? ["audit/write-failed"] : [];
}

function disruptive(action: string): string {
  const quiet = ["rejoin", "redial-peer", "fetch-bundle", "renew-svid", "resync-beacons"];
  return [...quiet, "compact-store", "free-memory"].includes(action) ? "none" : "node";
}

function targetOf(action: string, name: string): { target?: string } {
  return action === "restart-part" ? { target: name } : {};
}

const peers = ["aa", "bb"].map((id) => id.repeat(32));
const value = fc.option(fc.double({ min: 0, max: 1.5, noNaN: true }), { freq: 6, nil: undefined });
const readings = fc.record({
  values: fc.dictionary(fc.constantFrom(...observationNames), value, { maxKeys: 10 }),
  conditions: fc.array(
    fc.oneof(
      fc.constantFrom<SymptomCode>(...symptomCodes),
      fc.constant<SymptomCode>("audit/write-failed"),
    ),
    { maxLength: 2 },
  ),
  unhealthy: fc.option(fc.double({ min: 0, max: 0.4, noNaN: true }), { freq: 12, nil: undefined }),
  proven: fc.boolean(),
  connected: fc.boolean(),
});
const steps = fc.record({
  reading: readings,
  seconds: fc.integer({ min: 1, max: 6 }),
  end: fc.constantFrom<"good" | "bad" | "never">("good", "bad", "never"),
  claim: fc.option(fc.constantFrom("00".repeat(32), "ff".repeat(32)), { freq: 6, nil: undefined }),
  frozen: fc.option(fc.boolean(), { freq: 8, nil: undefined }),
});

/** Orders as a spectator keeps them. */
class Spectator {
  readonly #begun: { readonly kind: string; readonly atMs: number }[] = [];
  readonly #settings: { readonly facet: string; readonly value: string; readonly atMs: number }[] =
    [];
  #frozen = false;
  #claimedMs: number | undefined;
  reading: Reading = { values: {}, conditions: [], peers: [] };

  set frozen(frozen: boolean) {
    this.#frozen = frozen;
  }

  see(effect: HealingEffect, nowMs: number): void {
    if (effect.kind === "claim") {
      if (effect.leftMs === 0) this.#claimedMs = undefined;
      else this.#claimedMs ??= nowMs;
    }
    if (effect.kind === "undo") this.#set(facetOf(effect.order), "undone", nowMs);
    if (effect.kind === "action") judge(effect.incident);
    if (effect.kind === "act") this.#act(effect, nowMs);
  }

  #act({ order, why }: Extract<HealingEffect, { kind: "act" }>, nowMs: number): void {
    assert.ok(!this.#frozen, "acts while frozen");
    assert.ok(why.length > 0);
    this.#begun.push({ kind: order.kind, atMs: nowMs });
    const recent = this.#begun.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    assert.ok(recent.length <= 9, `${recent.length} actions within the window`);
    if (radiusOf.get(order.kind) !== "none") {
      const { unhealthyRatio } = this.reading.values;
      assert.ok(unhealthyRatio !== undefined && unhealthyRatio <= HALT, "disturbs an ill mesh");
      assert.ok(this.#claimedMs !== undefined && nowMs - this.#claimedMs >= 2_000, "unclaimed");
    }
    if (order.kind === "quarantine-peer")
      assert.ok(
        this.reading.peers.some(({ nodeId, proven }) => nodeId === order.target && proven),
        "quarantine without a proof",
      );
    this.#set(facetOf(order), order.kind, nowMs);
  }

  /** No value is come back to within the window. */
  #set(facet: string, next: string, atMs: number): void {
    const past = this.#settings.filter((one) => one.facet === facet && atMs - one.atMs < FLAP_MS);
    const values = past.map((one) => one.value);
    const first = values.indexOf(next);
    const isFlap = first >= 0 && values.slice(first).some((other) => other !== next);
    assert.ok(!isFlap, `A-B-A of ${facet}: ${[...values, next].join(" ")}`);
    this.#settings.push({ facet, value: next, atMs });
  }

  atOnce(running: number): void {
    assert.ok(running <= 2, `${running} actions at once`);
  }
}

function judge({ cause, actions }: Incident): void {
  assert.ok(cause.why.length > 0 && symptomCodes.includes(cause.code));
  assert.ok(actions.every(({ reason }) => reason.length > 0));
}

function facetOf({ kind, target }: ActionOrder): string {
  if (kind === "redial-peer" || kind === "quarantine-peer") return `link ${target ?? ""}`;
  return `${kind} ${target ?? ""}`;
}

test("over random readings, endings, claims and freezes no guard is passed", () => {
  let acts = 0;
  fc.assert(
    fc.property(fc.array(steps, { minLength: 5, maxLength: 40 }), (script) => {
      const knowledge = new KnowledgeBase(new MemoryArchive(), 0 as WallMs);
      const machine = new HealingMachine({ self: "77".repeat(32), knowledge, playbooks }, options);
      const spectator = new Spectator();
      let seconds = 0;
      const now = (): Now => ({
        monoMs: (seconds * 1_000) as MonoMs,
        wallMs: (1.7e12 + seconds * 1_000) as WallMs,
      });
      const take = (effects: readonly HealingEffect[], end: "good" | "bad" | "never"): void => {
        for (const effect of effects) {
          spectator.see(effect, seconds * 1_000);
          if (effect.kind !== "act") continue;
          acts++;
          spectator.atOnce(machine.view(now()).running.length);
          if (end === "never") continue;
          const result: ActionEnd =
            end === "good" ? { ok: true } : { ok: false, code: "x/y", message: "no" };
          take(
            machine.handle({ kind: "action-ended", id: effect.order.id, end: result }, now()),
            end,
          );
        }
      };
      for (const { reading, seconds: length, end, claim, frozen } of script) {
        if (frozen !== undefined) {
          take(machine.handle({ kind: "frozen", frozen }, now()), end);
          spectator.frozen = frozen;
        }
        if (claim !== undefined)
          take(
            machine.handle({ kind: "claimed", claim: { nodeId: claim, leftMs: 9_000 } }, now()),
            end,
          );
        for (let left = length; left > 0; left--) {
          seconds++;
          spectator.reading = readingOf(reading);
          take(machine.handle({ kind: "observed", reading: spectator.reading }, now()), end);
        }
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(acts > 200, `only ${acts} actions were seen`);
});

function readingOf(made: typeof readings extends fc.Arbitrary<infer T> ? T : never): Reading {
  const values: Partial<Record<ObservationName, number>> = { members: 7 };
  for (const [name, one] of Object.entries(made.values))
    if (one !== undefined)
      values[name as ObservationName] = one * observationScales[name as ObservationName].full;
  delete values.unhealthyRatio;
  if (made.unhealthy !== undefined) values.unhealthyRatio = made.unhealthy;
  return {
    values,
    conditions: made.conditions.map((code) => ({ code, message: code })),
    peers: peers.map((nodeId) => ({
      ...{ nodeId, state: "alive", connected: made.connected, wanted: true, proven: made.proven },
    })),
  };
}

test("in a mesh where all fall ill at once no more nodes disturb themselves than the budget has tokens", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 900 })),
      (nodes, delays) => {
        const most = Math.max(1, Math.floor(0.1 * nodes));
        const shed = playbooks.filter(({ name }) => name === "shed-load");
        const ill = shed.map((one) => ({ ...one, for: ["node/stalled" as const] }));
        const machines = Array.from(
          { length: nodes },
          (_, at) =>
            new HealingMachine(
              {
                self: at.toString(16).padStart(64, "0"),
                knowledge: new KnowledgeBase(new MemoryArchive(), 0 as WallMs),
                playbooks: ill,
              },
              { flapWindowMs: 1_000, claimMs: 30_000 },
            ),
        );
        const acting = new Set<number>();
        const post: { atMs: number; sent: number; from: number; to: number; leftMs: number }[] = [];
        const delay = (): number => {
          const next = delays.next();
          return next.done === true ? 0 : next.value;
        };
        const onsets = machines.map(() => 60 * delay());
        const heard = new Map<string, number>();
        let sent = 1;
        const observed = (isIll: boolean): { kind: "observed"; reading: Reading } => ({
          kind: "observed",
          reading: {
            ...{ values: { members: nodes - 1, unhealthyRatio: 0 }, peers: [] },
            conditions: isIll ? [{ code: "node/stalled", message: "stalled" }] : [],
          },
        });
        let done = 0;
        const take = (at: number, effects: readonly HealingEffect[], ms: number): void => {
          for (const effect of effects) {
            if (effect.kind === "act") {
              acting.add(at);
              done++;
              assert.ok(acting.size <= most, `${acting.size} of ${nodes} act at once`);
            }
            if (effect.kind === "action" && effect.action.endedMs !== undefined) acting.delete(at);
            if (effect.kind !== "claim") continue;
            for (let to = 0; to < nodes; to++)
              if (to !== at)
                post.push({
                  ...{ atMs: ms + delay(), sent: sent++, from: at, to },
                  leftMs: effect.leftMs,
                });
          }
        };
        for (let ms = 0; ms < 120_000; ms += 100) {
          const now: Now = { monoMs: ms as MonoMs, wallMs: (1.7e12 + ms) as WallMs };
          for (let index = post.length - 1; index >= 0; index--) {
            const mail = post[index];
            if (mail === undefined || mail.atMs > ms) continue;
            post.splice(index, 1);
            // A claim says when it was made: an older one that comes later is no news.
            const pair = `${mail.from} ${mail.to}`;
            if (mail.sent < (heard.get(pair) ?? 0)) continue;
            heard.set(pair, mail.sent);
            const claim = { nodeId: mail.from.toString(16).padStart(64, "0"), leftMs: mail.leftMs };
            take(mail.to, machines[mail.to]?.handle({ kind: "claimed", claim }, now) ?? [], ms);
          }
          for (const [at, machine] of machines.entries())
            if ((ms + at * 70) % 1_000 < 100)
              take(at, machine.handle(observed(ms >= (onsets[at] ?? 0)), now), ms);
        }
        assert.ok(done > 0, "nobody acted at all");
      },
    ),
    { numRuns: 15 },
  );
});
