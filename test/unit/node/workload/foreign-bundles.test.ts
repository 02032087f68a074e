// Bundles of other trust domains on a node: each workload sees those that its own entries name, and what is known stays while the
// issuer gives no good answer.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistrationEntry, SvidResponse } from "../../../../src/identity/index.ts";
import { ForeignBundles } from "../../../../src/node/workload/foreign-bundles.ts";
import { engine } from "../../identity/support.ts";

const entry = (...federatesWith: string[]) => ({ federatesWith }) as unknown as RegistrationEntry;
const told = (...domains: string[]): SvidResponse => ({
  result: "federated",
  bundles: domains.map((trustDomain) => ({ trustDomain, document: '{"keys":[]}' })),
});

function setUp() {
  const answers: SvidResponse[] = [];
  const warned: unknown[] = [];
  const ignore = (): void => undefined;
  const bundles = new ForeignBundles({
    engine,
    logger: { debug: ignore, info: ignore, error: ignore, warn: (fields) => warned.push(fields) },
    ask: () => Promise.resolve(answers.shift() ?? assert.fail("asked without need")),
  });
  return { answers, warned, bundles };
}

test("a workload sees the trust domains that its own entries name, and no others", async () => {
  const { answers, bundles } = setUp();
  const [a, b] = [entry("a.example", "unknown.example"), entry("b.example")];
  answers.push(told("a.example", "b.example"));
  assert.equal(await bundles.sync([a, b]), true);
  const seen = (...entries: RegistrationEntry[]) =>
    bundles.of(entries).map(({ trustDomain }) => trustDomain);
  assert.deepEqual(
    [seen(a), seen(b), seen(a, b), seen(entry())],
    [["a.example"], ["b.example"], ["a.example", "b.example"], []],
  );
  assert.equal(bundles.find([a], "a.example")?.trustDomain, "a.example");
  assert.equal(bundles.find([a], "b.example"), undefined, "another workload's");
  assert.equal(bundles.find([a], "unknown.example"), undefined);
});

test("what is known stays while the issuer refuses, is asked for where an entry names one, and goes when it is told so", async () => {
  const { answers, bundles, warned } = setUp();
  assert.equal(await bundles.sync([entry()]), false, "nothing is asked");
  const mine = entry("a.example");
  answers.push(told("a.example"));
  assert.equal(await bundles.sync([mine]), true);
  answers.push({ result: "refused", code: "identity/request-malformed" }, { result: "federated" });
  assert.equal(await bundles.sync([mine]), false);
  assert.equal(await bundles.sync([mine]), false);
  assert.equal(bundles.of([mine]).length, 1);
  const broken = { trustDomain: "a.example", document: "{}" };
  answers.push({ result: "federated", bundles: [broken] });
  assert.equal(await bundles.sync([mine]), true);
  assert.deepEqual([bundles.of([mine]), warned.length], [[], 1]);
});
