import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BUNDLE_MAP_DOMAINS_MAX,
  bundleMapToJson,
  bundleToJson,
  isBundleMap,
  parseBundleMap,
  readForeignBundle,
} from "../../../src/identity/index.ts";
import { makeDomain } from "./support.ts";

const { bundle } = makeDomain();
const document = bundleToJson({ ...bundle, refreshHintS: 60 });
const [A, B] = ["a.example", "b.example"];

/** The names in a map, or why it is none. */
function namesOf(text: string): readonly string[] | string {
  const map = parseBundleMap(text);
  return map.ok ? [...map.value.keys()] : (map.detail ?? "");
}

describe("a bundle map", () => {
  it("[B7] has the bundles of several trust domains, each under its own name", () => {
    const { trustDomain } = bundle;
    const both = new Map([
      [trustDomain, document],
      [B, '{"keys":[]}'],
    ]);
    const map = bundleMapToJson(both);
    assert.deepEqual(namesOf(map), [trustDomain, B]);
    const read = readForeignBundle(trustDomain, valueOf(map).get(trustDomain) ?? "");
    assert.ok(read.ok);
    assert.deepEqual(read.value.x509, bundle.authorities);
    assert.ok(isBundleMap(map) && !isBundleMap(document));
  });

  it("[B7] must have trust_domains, an object whose members are bundles of trust domains", () => {
    for (const text of ["{}", "[]", "", "{", "7", document, '{"trust_domains":[]}'])
      assert.equal(namesOf(text), "no trust_domains", text.slice(0, 40));
    for (const inside of [
      '"a.example":null',
      '"a.example":[]',
      '"A.example":{"keys":[]}',
      '"spiffe://a.example":{"keys":[]}',
      '"":{"keys":[]}',
    ])
      assert.match(String(namesOf(`{"trust_domains":{${inside}}}`)), /no bundle of/, inside);
    assert.deepEqual(namesOf('{"trust_domains":{},"other":1}'), []);
  });

  it("[B7] in which a name stands twice is refused, in whatever spelling and order", () => {
    const twice = (first: string, second: string): string =>
      `{"trust_domains":{${first}:{"keys":[]},"b.example":{"keys":[]},${second} :{"keys":[{"kty":"}"}]}}}`;
    assert.deepEqual(namesOf(twice('"a.example"', '"c.example"')), [A, B, "c.example"]);
    for (const other of ['"a.example"', '"\\u0061.example"', '"b.example"'])
      assert.equal(namesOf(twice('"a.example"', other)), "a name stands there twice", other);
    const outside = '{"trust_domains":{},"trust_domains":{"a.example":{"keys":[]}}}';
    assert.equal(namesOf(outside), "a name stands there twice");
    // One name in two objects is none that stands twice, nor is a text that looks like one.
    const apart =
      '{"trust_domains":{"a.example":{"keys":[],"x":"\\"keys\\":"}},"keys":[{"keys":1}]}';
    assert.deepEqual(namesOf(apart), [A]);
  });

  it("[B7] has as many trust domains as one node can know, and no more", () => {
    const of = (count: number): Map<string, string> =>
      new Map(Array.from({ length: count }, (_, index) => [`d${index}.example`, '{"keys":[]}']));
    assert.equal(namesOf(bundleMapToJson(of(BUNDLE_MAP_DOMAINS_MAX))).length, 65);
    assert.equal(namesOf(bundleMapToJson(of(66))), "too many trust domains");
  });

  it("[B8] gives and takes no refresh hints of the bundles in it", () => {
    const map = bundleMapToJson(new Map([[A, document]]));
    assert.ok(document.includes("spiffe_refresh_hint") && !map.includes("spiffe_refresh_hint"));
    for (const hint of ["60", '"soon"', "null"]) {
      const text = `{"trust_domains":{"a.example":{"keys":[],"spiffe_refresh_hint":${hint}}}}`;
      const read = readForeignBundle(A, valueOf(text).get(A) ?? "");
      assert.ok(read.ok && read.value.refreshHintS === undefined, hint);
    }
  });
});

function valueOf(text: string): ReadonlyMap<string, string> {
  const map = parseBundleMap(text);
  assert.ok(map.ok);
  return map.value;
}
