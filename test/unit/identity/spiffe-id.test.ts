import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  formatSpiffeId,
  isNodeName,
  nodeNameOf,
  nodeSpiffeId,
  parseSpiffeId,
} from "../../../src/identity/index.ts";

function accepts(text: string): void {
  const id = parseSpiffeId(text);
  assert.ok(id.ok, `'${text}' was refused`);
  assert.equal(formatSpiffeId(id.value), text);
}

function refuses(...texts: string[]): void {
  for (const text of texts) {
    const id = parseSpiffeId(text);
    assert.equal(id.ok ? "accepted" : id.code, "identity/spiffe-id-invalid", `'${text}'`);
  }
}

describe("SPIFFE ids", () => {
  it("[I1] have the scheme spiffe and no other", () => {
    accepts("spiffe://mesh.example/node/a");
    refuses(
      "http://mesh.example/node/a",
      "spiffe:/mesh.example",
      "spiffe:mesh",
      "//mesh.example",
      "",
      " spiffe://a",
    );
  });

  it("[I2] have a trust domain", () => {
    accepts("spiffe://a");
    refuses("spiffe://", "spiffe:///node/a");
  });

  it("[I3] have neither query nor fragment", () => {
    refuses(
      "spiffe://a/b?c",
      "spiffe://a/b#c",
      "spiffe://a?c",
      "spiffe://a#c",
      "spiffe://a/b?",
      "spiffe://a/b#",
    );
  });

  it("[I4] have neither user information nor port", () => {
    refuses("spiffe://user@a/b", "spiffe://user:pw@a/b", "spiffe://a:443/b", "spiffe://a:/b");
  });

  it("[I5] hold only a-z 0-9 . - _ in the trust domain", () => {
    accepts("spiffe://a-b_c.d9/x");
    refuses(
      "spiffe://a b/x",
      "spiffe://ä/x",
      "spiffe://a!/x",
      "spiffe://[::1]/x",
      "spiffe://a\u0000/x",
      "spiffe://\u212a/x",
    );
  });

  it("[I6] know no percent-encoding in the trust domain", () => {
    refuses("spiffe://a%2eb/x", "spiffe://%61/x");
  });

  it("[I7] give trust domains that look like addresses or host names no special treatment", () => {
    accepts("spiffe://10.0.0.1/x");
    accepts("spiffe://999.1/x");
    accepts("spiffe://..-_/x");
  });

  it("[I8] know no percent-encoding in the path", () => {
    refuses("spiffe://a/b%20c", "spiffe://a/%2e%2e/b");
  });

  it("[I9] have no empty or relative segments", () => {
    accepts("spiffe://a/.../..b/b.");
    refuses(
      "spiffe://a//b",
      "spiffe://a/./b",
      "spiffe://a/../b",
      "spiffe://a/b/..",
      "spiffe://a/.",
    );
  });

  it("[I10] do not end in a slash", () => {
    refuses("spiffe://a/", "spiffe://a/b/");
  });

  it("[I11] hold only a-z A-Z 0-9 . - _ in a segment", () => {
    accepts("spiffe://a/Az09.-_");
    refuses(
      "spiffe://a/b c",
      "spiffe://a/b:c",
      "spiffe://a/b*",
      "spiffe://a/ü",
      "spiffe://a/b\n",
      "spiffe://a/b\\c",
    );
  });

  it("[I12] have at most 2048 bytes, their trust domain at most 255", () => {
    accepts(`spiffe://a/${"b".repeat(2048 - 11)}`);
    refuses(`spiffe://a/${"b".repeat(2049 - 11)}`);
    accepts(`spiffe://${"a".repeat(255)}/b`);
    refuses(`spiffe://${"a".repeat(256)}/b`);
  });

  it("[I13] compare scheme and trust domain without case and the path with it", () => {
    const id = parseSpiffeId("SPIFFE://Mesh.Example/Node/A");
    assert.ok(id.ok);
    assert.equal(formatSpiffeId(id.value), "spiffe://mesh.example/Node/A");
    assert.ok(!nodeNameOf(id.value).ok, "'Node' is not 'node'");
  });
});

describe("node ids", () => {
  it("are /node/ and one name", () => {
    assert.equal(nodeSpiffeId("mesh.example", "pi-7"), "spiffe://mesh.example/node/pi-7");
    for (const [text, name] of [
      ["spiffe://a/node/b", "b"],
      ["spiffe://a/node/b/c", undefined],
      ["spiffe://a/node", undefined],
      ["spiffe://a/workload/b", undefined],
      ["spiffe://a", undefined],
    ] as const) {
      const id = parseSpiffeId(text);
      assert.ok(id.ok);
      const found = nodeNameOf(id.value);
      assert.equal(found.ok ? found.value : undefined, name, text);
    }
  });

  it("are refused at 64 bytes of name and accepted at 63", () => {
    assert.ok(isNodeName("n".repeat(63)));
    assert.ok(!isNodeName("n".repeat(64)));
    assert.ok(!isNodeName(""));
  });

  it("cannot be made of a bad name or trust domain", () => {
    const thrown = (code: string) => (error: unknown) => isMeshError(error, code);
    assert.throws(() => nodeSpiffeId("a", "b/c"), thrown("identity/not-a-node-id"));
    assert.throws(() => nodeSpiffeId("a", ".."), thrown("identity/not-a-node-id"));
    assert.throws(() => nodeSpiffeId("A", "b"), thrown("identity/spiffe-id-invalid"));
  });
});
