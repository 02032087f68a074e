// Nothing that comes from the network makes a parser of this room throw, and nothing that was changed is accepted.
// Run with FAST_CHECK_SEED=<seed> to repeat a run; a failure prints its seed and path.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  AttestationServer,
  bundleToJson,
  encodeJoinToken,
  formatSpiffeId,
  parseAttestationRequest,
  parseAttestationResponse,
  parseBundleJson,
  parseBundleMap,
  parseJoinToken,
  parseLeafKey,
  parsePolicy,
  parseSpiffeId,
  verifyChain,
} from "../../../src/identity/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { parseCertificate } from "../../../src/identity/x509/parse.ts";
import { ML_DSA_65 } from "../../../src/crypto/index.ts";
import { isStrictDer } from "../../../src/identity/x509/der.ts";
import {
  engine,
  issue,
  makeDomain,
  memoryMeter,
  nodeKeys,
  NOW,
} from "../../unit/identity/support.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20260601);
const runs = (numRuns: number) => ({ seed, numRuns });
console.log(`fast-check seed ${seed}`);

const domain = makeDomain();
const keys = nodeKeys("alpha");
const ed25519 = keys.ed25519.publicKey;
const chain = issue(domain, "alpha", keys);
const [leaf, intermediate] = chain as [Uint8Array, Uint8Array];

function outcome(candidate: readonly Uint8Array[]): string {
  const result = verifyChain({
    engine,
    chain: candidate,
    ed25519,
    bundle: domain.bundle,
    now: NOW,
  });
  if (!result.ok) assert.match(result.code, /^identity\/[a-z-]+$/);
  return result.ok ? "accepted" : result.code;
}

/** Bits whose change would be noticed only by luck if a part of the encoding were not covered. */
const flip = (der: Uint8Array, bit: number): Uint8Array => {
  const changed = Uint8Array.from(der);
  const index = Math.floor(bit / 8) % der.length;
  changed[index] = (changed[index] ?? 0) ^ (1 << (bit % 8));
  return changed;
};

describe("certificates", () => {
  it("of random bytes are refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.notEqual(outcome([bytes]), "accepted");
        assert.notEqual(outcome([bytes, intermediate]), "accepted");
      }),
      runs(300),
    );
  });

  it("with one flipped bit are never accepted, in leaf or authority", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.nat({ max: 6000 * 8 }), (inLeaf, bit) => {
        const changed = inLeaf ? [flip(leaf, bit), intermediate] : [leaf, flip(intermediate, bit)];
        assert.notEqual(outcome(changed), "accepted");
      }),
      runs(300),
    );
  });

  it("with any flipped bit in the structure around key and signature are never accepted", () => {
    // Every bit of what the signature does not cover around it, then one bit of each byte of names and extensions.
    const signatureAt = leaf.length - ML_DSA_65.signatureBytes;
    const range = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => from + index);
    const unsigned = [...range(0, 12), ...range(signatureAt - 20, signatureAt)];
    const bits = unsigned.flatMap((position) => range(position * 8, position * 8 + 8));
    bits.push(
      ...[...range(12, 150), ...range(signatureAt - 300, signatureAt - 20)].map(
        (position) => position * 8 + (position % 8),
      ),
    );
    for (const bit of bits)
      assert.notEqual(outcome([flip(leaf, bit), intermediate]), "accepted", `bit ${bit}`);
  });

  it("that were cut, extended or spliced are never accepted", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: leaf.length - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        (at, bytes) => {
          assert.notEqual(outcome([leaf.subarray(0, at), intermediate]), "accepted");
          assert.notEqual(
            outcome([Uint8Array.from([...leaf, ...bytes]), intermediate]),
            "accepted",
          );
          const spliced = Uint8Array.from([
            ...leaf.subarray(0, at),
            ...bytes,
            ...leaf.subarray(at),
          ]);
          assert.notEqual(outcome([spliced, intermediate]), "accepted");
        },
      ),
      runs(100),
    );
  });

  it("of well-formed but arbitrary DER never make a reader throw", () => {
    const { der } = fc.letrec<{ der: number[] }>((tie) => ({
      der: fc.oneof(
        { maxDepth: 5 },
        fc
          .tuple(
            fc.constantFrom(1, 2, 3, 4, 5, 6, 12, 19, 23, 24, 0x80, 0x82, 0x86),
            fc.array(fc.nat(255), { maxLength: 20 }),
          )
          .map(([tag, content]) => [tag, content.length, ...content]),
        fc
          .tuple(fc.constantFrom(0x30, 0x31, 0xa0, 0xa3), fc.array(tie("der"), { maxLength: 5 }))
          .map(([tag, parts]) => {
            const content = parts.flat();
            const { length } = content;
            return [
              tag,
              ...(length < 0x80
                ? [length]
                : length < 0x100
                  ? [0x81, length]
                  : [0x82, length >> 8, length & 0xff]),
              ...content,
            ];
          }),
      ),
    }));
    fc.assert(
      fc.property(der, (bytes) => {
        const input = Uint8Array.from(bytes);
        isStrictDer(input);
        assert.ok(!parseCertificate(input).ok);
        assert.ok(!parseLeafKey({ engine, chain: [input], ed25519 }).ok);
      }),
      runs(500),
    );
  });
});

describe("texts", () => {
  it("of SPIFFE ids never throw, and what is accepted is in canonical form a fixed point", () => {
    const near = fc
      .array(
        fc.constantFrom(
          "spiffe",
          "SPIFFE",
          "://",
          "/",
          "a",
          "B",
          "node",
          ".",
          "..",
          "%20",
          "@",
          ":",
          "?",
          "#",
          "é",
          "\u0000",
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          near,
          near.map((tail) => `spiffe://a${tail}`),
        ),
        (text) => {
          const id = parseSpiffeId(text);
          if (!id.ok) return;
          const canonical = formatSpiffeId(id.value);
          assert.match(canonical, /^spiffe:\/\/[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/);
          assert.equal(canonical.toLowerCase(), text.toLowerCase());
          assert.deepEqual(parseSpiffeId(canonical), id);
        },
      ),
      runs(1000),
    );
  });

  it("of policies give no right to an arbitrary id", () => {
    const policy = parsePolicy([{ spiffe: "spiffe://mesh.example/node/*", allow: ["mesh.join"] }]);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (text) => {
        assert.equal(policy.allows(text, "mesh.join"), false);
      }),
      runs(300),
    );
  });

  it("of join tokens have exactly one form", () => {
    const text = encodeJoinToken({
      trustDomain: "mesh.example",
      addresses: [
        "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
      ],
      bundleDigest: engine.sha256(new Uint8Array(1)),
      secret: engine.sha256(new Uint8Array(2)),
      expiresAtMs: NOW,
    });
    const character = fc.constantFrom(...Array.from("ABCXYZabcxyz0189-_=+/ .\n\u00e9"));
    fc.assert(
      fc.property(
        fc.nat({ max: text.length - 1 }),
        character,
        fc.constantFrom("replace", "insert", "append"),
        (at, letter, how) => {
          const changed =
            how === "append"
              ? text + letter
              : text.slice(0, at) + letter + text.slice(how === "replace" ? at + 1 : at);
          const token = parseJoinToken(changed);
          // What still parses names other content: written again it is the changed text, never the original.
          if (token.ok) assert.equal(encodeJoinToken(token.value), changed.trim());
          else assert.equal(token.code, "identity/token-malformed");
        },
      ),
      runs(1500),
    );
  });

  it("of bundles never throw, and with one changed character keep their root or lose it, but get no other", () => {
    const json = bundleToJson(domain.bundle);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseBundleJson("mesh.example", text);
      }),
      runs(300),
    );
    fc.assert(
      fc.property(
        fc.nat({ max: json.length - 1 }),
        fc.constantFrom(...Array.from('{}[]":,aB0+/=')),
        (at, letter) => {
          const bundle = parseBundleJson(
            "mesh.example",
            json.slice(0, at) + letter + json.slice(at + 1),
          );
          if (!bundle.ok) return;
          for (const der of bundle.value.authorities) {
            const parsed = parseCertificate(der);
            assert.ok(parsed.ok);
          }
          assert.ok(bundle.value.authorities.length <= 1);
        },
      ),
      runs(200),
    );
  });
});

describe("bundle maps", () => {
  it("never throw, and are read exactly when no object in them has a name twice", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        parseBundleMap(text);
        parseBundleMap(`{"trust_domains":${text}}`);
      }),
      runs(300),
    );
    const name = fc.oneof(fc.constantFrom("a", 'quote"', "back\\", "{", "}:"), fc.string());
    const members = fc.array(fc.tuple(name, fc.json({ maxDepth: 1 })), { maxLength: 4 });
    fc.assert(
      fc.property(members, (list) => {
        const inside = list.map(([key, value]) => `${JSON.stringify(key)}: ${value}`).join();
        const map = parseBundleMap(`{"trust_domains":{"a.example":{${inside}}}}`);
        assert.equal(map.ok, new Set(list.map(([key]) => key)).size === list.length);
      }),
      runs(500),
    );
  });
});

describe("attestation messages", () => {
  it("of any bytes or JSON are answered or refused, and admit nobody", () => {
    const server = new AttestationServer({
      bundle: () => domain.bundle,
      policy: parsePolicy([]),
      meter: memoryMeter(),
    });
    const peer = {
      kind: "joining",
      nodeId: keys.nodeId,
      ed25519,
      mldsa65: keys.mldsa65.publicKey,
    } as const;
    const now = { wallMs: NOW, monoMs: 1 as MonoMs };
    const jsonBytes = fc.oneof(
      fc.json().map((text) => new TextEncoder().encode(text)),
      fc
        .record(
          {
            op: fc.constantFrom("join", "renew", "bundle", "__proto__"),
            name: fc.string(),
            secret: fc.base64String(),
          },
          { requiredKeys: [] },
        )
        .map((value) => new TextEncoder().encode(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), jsonBytes), (bytes) => {
        parseAttestationRequest(bytes);
        parseAttestationResponse(bytes);
        const response = parseAttestationResponse(server.handle(bytes, peer, now));
        assert.ok(response.ok);
        assert.notEqual(response.value.result, "svid");
      }),
      runs(400),
    );
  });
});
