import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hintOf, isParent, parseEntry, selects } from "../../../../src/identity/index.ts";
import {
  isNodeSelector,
  readSelectorLines,
  selectorLines,
} from "../../../../src/identity/node-selectors.ts";
import { entryLimits } from "../../../../src/identity/workload/entry.ts";
import { isSelector } from "../../../../src/identity/workload/selectors.ts";
import { TRUST_DOMAIN } from "../support.ts";
import { draft } from "./support.ts";

const id = "0".repeat(32);

function problem(change: object): string {
  const parsed = parseEntry({ ...draft, id, ...change }, TRUST_DOMAIN);
  return parsed.ok ? "" : (parsed.detail ?? "refused");
}

describe("a registration entry", () => {
  it("has times, profile and lists by default", () => {
    const parsed = parseEntry({ ...draft, profile: undefined, id }, TRUST_DOMAIN);
    assert.ok(parsed.ok);
    const { profile, x509TtlS, jwtTtlS, dnsNames, hint } = parsed.value;
    assert.deepEqual([profile, x509TtlS, jwtTtlS, dnsNames, hint], ["es256", 3600, 300, [], ""]);
  });

  it("gives no id of another trust domain, of a node, or without a path", () => {
    assert.equal(problem({ spiffeId: `spiffe://${TRUST_DOMAIN}/nodes/x` }), "");
    for (const spiffeId of [
      "spiffe://other/web",
      `spiffe://${TRUST_DOMAIN}/node/a`,
      `spiffe://${TRUST_DOMAIN}/node/a/b`,
      `spiffe://${TRUST_DOMAIN}`,
      "web",
      `spiffe://${TRUST_DOMAIN}/a//b`,
    ])
      assert.match(problem({ spiffeId }), /^spiffeId:/, spiffeId);
  });

  it("is checked in every field, on both sides of each limit, and all problems are told", () => {
    const { x509TtlS, jwtTtlS } = entryLimits;
    for (const [name, { min, max }] of Object.entries({ x509TtlS, jwtTtlS })) {
      for (const good of [min, max]) assert.equal(problem({ [name]: good }), "");
      for (const bad of [min - 1, max + 1, 60.5])
        assert.match(problem({ [name]: bad }), new RegExp(name));
    }
    for (const parent of ["", "a/b", "a b", "x".repeat(64)])
      assert.match(problem({ parent }), /parent/);
    for (const dnsNames of [["*.x"], ["A"], ["-a"], ["a", "a"], ["a..b"]])
      assert.match(problem({ dnsNames }), /dnsNames/);
    assert.equal(problem({ dnsNames: ["db", "db.example.org"] }), "");
    assert.match(problem({ federatesWith: [TRUST_DOMAIN] }), /federatesWith/);
    assert.match(problem({ selectors: [], hint: "a b", more: 1 }), /selectors.*hint.*|more/);
  });

  it("[W8] has hints that fit the Workload API and differ between its two SVIDs", () => {
    const longest = "h".repeat(entryLimits.hintBytesMax);
    assert.equal(problem({ hint: longest }), "");
    assert.match(problem({ hint: `${longest}h` }), /hint/);
    for (const hint of ["", "web", longest]) {
      const hints = (["es256", "ml-dsa-65"] as const).map((algorithm) =>
        hintOf({ hint, profile: "both" }, algorithm),
      );
      assert.equal(new Set(hints).size, 2);
      assert.ok(hints.every((text) => text.length > 0 && Buffer.byteLength(text) <= 1024));
    }
  });

  it("belongs to nodes by name, with * for any characters", () => {
    const cases: [string, string, boolean][] = [
      ["alpha", "alpha", true],
      ["alpha", "alpha2", false],
      ["*", "x", true],
      ["web-*", "web-", true],
      ["web-*", "awe", false],
      ["*-1", "web-1", true],
      ["a*b*c", "aXbYc", true],
      ["a*b*c", "acb", false],
      ["ab*ba", "aba", false],
      ["**", "x", true],
    ];
    for (const [parent, name, expected] of cases)
      assert.equal(isParent({ parent }, { name }), expected, `${parent} ${name}`);
  });
});

describe("the selectors of nodes", () => {
  const region = "aws_iid:region:eu-central-1";

  it("stand for a parent: of whoever has them, whatever its name", () => {
    const entry = { parent: region };
    assert.equal(isParent(entry, { name: "aws-i-1", selectors: ["aws_iid:az:x", region] }), true);
    assert.equal(isParent(entry, { name: region, selectors: [] }), false);
    assert.equal(isParent(entry, { name: "aws-i-1" }), false);
    assert.equal(isParent({ parent: "*" }, { name: "a", selectors: [region] }), true);
  });

  it("have one form", () => {
    const good = [
      region,
      "k8s_psat:cluster:prod",
      "x509pop:subject:cn:edge-1",
      "aws_iid:instance:id:i-1",
    ];
    const bad = [
      "aws_iid",
      "aws_iid:region:",
      "aws_iid:region:a b",
      "gcp:project:x",
      "x509pop:Subject:x",
      `aws_iid:az:${"x".repeat(190)}`,
    ];
    assert.deepEqual(
      good.filter((text) => !isNodeSelector(text)),
      [],
    );
    assert.deepEqual(bad.filter(isNodeSelector), []);
    assert.deepEqual(readSelectorLines(selectorLines(good)), good);
    for (const lines of [
      "",
      "x",
      `${region}\n${region}`,
      `${region}\n`,
      Array.from({ length: 9 }, (_, i) => `aws_iid:az:${i}`).join("\n"),
    ])
      assert.equal(readSelectorLines(lines), undefined, lines);
  });
});

describe("selectors", () => {
  it("have one form each", () => {
    for (const good of [
      "unix:uid:0",
      "unix:gid:4294967294",
      "unix:path:/usr/bin/x y",
      `unix:sha256:${"a".repeat(64)}`,
      "systemd:unit:nginx.service",
      "systemd:unit:a@b\\x2d.scope",
    ])
      assert.ok(isSelector(good), good);
    for (const bad of [
      "uid:0",
      "unix:uid:-1",
      "unix:uid:01",
      "unix:uid:4294967295",
      "unix:uid:1e3",
      "unix:path:x",
      "unix:path:/a/../b",
      "unix:path:/a//b",
      "unix:path:/a/",
      `unix:sha256:${"A".repeat(64)}`,
      "systemd:unit:nginx",
      "systemd:unit:/x.service",
      "k8s:ns:x",
      "unix:uid:",
      "constructor:uid:1",
    ])
      assert.ok(!isSelector(bad), bad);
  });

  it("[W13] never name the user that stands for all users outside of a namespace", () => {
    assert.ok(!isSelector("unix:uid:65534") && !isSelector("unix:gid:65534"));
    assert.ok(isSelector("unix:uid:65533"));
  });

  it("all have to hold, and none selects nobody", () => {
    const process = new Set(["unix:uid:1", "unix:gid:2"]);
    assert.ok(selects(["unix:uid:1"], process) && selects([...process], process));
    assert.ok(!selects(["unix:uid:1", "unix:gid:3"], process) && !selects([], process));
  });
});
