import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { describe, it } from "node:test";
import { nativeEs256 } from "../../../../src/adapters/crypto/es256.ts";
import {
  jwtBundleToJson,
  parseBundleJson,
  type TrustBundle,
  validateJwtSvid,
} from "../../../../src/identity/index.ts";
import { JWT_CHARS_MAX, signJwtSvid } from "../../../../src/identity/workload/jwt-svid.ts";
import type { WallMs } from "../../../../src/ports/index.ts";
import { NOW, TRUST_DOMAIN } from "../support.ts";
import { makeWorkloadDomain } from "./support.ts";

const { bundle, jwt, jwtKeyId, root } = makeWorkloadDomain();
const authority = { keyId: jwtKeyId, signer: jwt };
const spiffeId = `spiffe://${TRUST_DOMAIN}/web`;
const token = signJwtSvid(authority, {
  spiffeId,
  audience: ["db", "cache"],
  nowMs: NOW,
  lifetimeMs: 300_000,
});

const text = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const seconds = Math.floor(NOW / 1000);
const goodHeader = { alg: "ES256", kid: jwtKeyId, typ: "JWT" };
const goodClaims = { sub: spiffeId, aud: ["db"], exp: seconds + 300 };

/** A token with any header and claims, signed. */
function forge(header: unknown = goodHeader, claims: unknown = goodClaims, signer = jwt): string {
  const input = `${text(header)}.${text(claims)}`;
  return `${input}.${Buffer.from(signer.sign(Buffer.from(input))).toString("base64url")}`;
}

function validate(
  given: string,
  options: { audience?: string; ms?: number; bundles?: readonly TrustBundle[]; skew?: number } = {},
): string {
  const { audience = "db", ms = 0, bundles = [bundle], skew = 0 } = options;
  const result = validateJwtSvid({
    es256: nativeEs256,
    token: given,
    audience,
    bundleOf: (name) => bundles.find(({ trustDomain }) => trustDomain === name),
    nowMs: (NOW + ms) as WallMs,
    clockSkewMs: skew,
  });
  return result.ok ? result.value.spiffeId : result.code;
}

describe("a JWT-SVID of another issuer", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const jwk = {
    ...publicKey.export({ format: "jwk" }),
    use: "jwt-svid",
    kid: "k384",
    alg: "ES384",
  };
  const domain = parseBundleJson(TRUST_DOMAIN, JSON.stringify({ keys: [jwk] }));
  assert.ok(domain.ok);
  const bundles = [domain.value];
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  const sign384 = (message: Uint8Array) => sign("sha384", message, key);
  const header = { alg: "ES384", kid: "k384" };

  it("[J3] may be of ES384, with a key of P-384 alone", () => {
    assert.equal(
      validate(forge(header, goodClaims, { ...jwt, sign: sign384 }), { bundles }),
      spiffeId,
    );
    const short = { ...jwt, sign: (message: Uint8Array) => sign("sha256", message, key) };
    assert.equal(validate(forge(header, goodClaims, short), { bundles }), "identity/jwt-signature");
    const other = { ...header, alg: "ES256" };
    assert.equal(validate(forge(other, goodClaims), { bundles }), "identity/jwt-signature");
    const ours = { ...header, kid: jwtKeyId };
    const crossed = forge(ours, goodClaims, { ...jwt, sign: sign384 });
    assert.equal(validate(crossed), "identity/jwt-signature", "a P-256 key is for ES256");
    for (const alg of ["ES512", "constructor", "__proto__", ["ES384"]])
      assert.equal(validate(forge({ ...header, alg }), { bundles }), "identity/jwt-algorithm");
  });

  it("has its key in a bundle in one form", () => {
    const [again] = (JSON.parse(jwtBundleToJson(domain.value)) as { keys: object[] }).keys;
    assert.deepEqual(again, jwk);
    const outcome = (change: object): string | number => {
      const parsed = parseBundleJson(
        TRUST_DOMAIN,
        JSON.stringify({ keys: [{ ...jwk, ...change }] }),
      );
      return parsed.ok ? (parsed.value.jwtAuthorities?.length ?? 0) : "broken";
    };
    assert.equal(outcome({ x: "AAAA" }), "broken");
    assert.equal(outcome({ alg: "ES256" }), 0);
    assert.equal(outcome({ crv: "P-521" }), 0);
    assert.equal(outcome({ crv: "P-256", alg: undefined }), "broken");
  });
});

describe("a JWT-SVID", () => {
  it("is validated as it was made, and by OpenSSL", () => {
    assert.equal(validate(token), spiffeId);
    assert.equal(validate(forge()), spiffeId);
    const [head, body, tail] = token.split(".");
    const [x = "", y = ""] = [jwt.publicKey.slice(1, 33), jwt.publicKey.slice(33)].map((part) =>
      Buffer.from(part).toString("base64url"),
    );
    const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
    const signature = Buffer.from(tail ?? "", "base64url");
    const message = Buffer.from(`${head}.${body}`);
    assert.ok(verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature));
  });

  it("[J1] is a compact JWS of three parts, and nothing else is read", () => {
    assert.equal(token.split(".").length, 3);
    const [head = "", body = "", tail = ""] = token.split(".");
    const general = JSON.stringify({
      payload: body,
      signatures: [{ protected: head, signature: tail }],
    });
    for (const bad of [
      general,
      `${head}.${body}`,
      `${token}.`,
      `${token}.x`,
      "",
      "..",
      `${token} `,
      `${head}=.${body}.${tail}`,
    ])
      assert.match(validate(bad), /^identity\/jwt-/, bad.slice(0, 30));
    assert.equal(validate("x".repeat(JWT_CHARS_MAX + 1)), "identity/jwt-malformed");
  });

  it("[J2] has no header members beside alg, kid and typ", () => {
    const header = JSON.parse(
      Buffer.from(token.split(".")[0] ?? "", "base64url").toString(),
    ) as object;
    assert.deepEqual(Object.keys(header).sort(), ["alg", "kid", "typ"]);
    for (const more of [
      { jwk: {} },
      { crit: ["b64"] },
      { x5u: "https://x" },
      { jku: "" },
      { b64: false },
    ])
      assert.equal(validate(forge({ ...goodHeader, ...more })), "identity/jwt-header");
    assert.equal(validate(forge({ ...goodHeader, kid: 7 })), "identity/jwt-header");
  });

  it("[J3] with an algorithm that is not allowed is refused before anything else is read", () => {
    for (const alg of [
      "none",
      "HS256",
      "ML-DSA-65",
      "EdDSA",
      "es256",
      "RS256",
      "",
      null,
      undefined,
    ])
      assert.equal(validate(`${text({ alg })}.???.???`), "identity/jwt-algorithm", String(alg));
    assert.equal(validate(`${text(goodHeader)}.???.???`), "identity/jwt-malformed");
  });

  it("[J4] has typ JWT or JOSE, if any", () => {
    assert.equal(validate(forge({ ...goodHeader, typ: "JOSE" })), spiffeId);
    assert.equal(validate(forge({ ...goodHeader, typ: undefined })), spiffeId);
    for (const typ of ["jwt", "wit+jwt", "at+jwt", ""])
      assert.equal(validate(forge({ ...goodHeader, typ })), "identity/jwt-header", typ);
  });

  it("[J5] has a SPIFFE id as subject", () => {
    for (const sub of [undefined, "", "web", "https://x/y", `${spiffeId}/`, 7])
      assert.equal(validate(forge(goodHeader, { ...goodClaims, sub })), "identity/jwt-subject");
  });

  it("[J6] is refused without an audience, and by another audience", () => {
    assert.equal(validate(token, { audience: "cache" }), spiffeId);
    assert.equal(validate(forge(goodHeader, { ...goodClaims, aud: "db" })), spiffeId);
    for (const aud of [undefined, [], "", ["DB"], [["db"]], { db: 1 }])
      assert.equal(validate(forge(goodHeader, { ...goodClaims, aud })), "identity/jwt-audience");
    assert.equal(validate(token, { audience: "web" }), "identity/jwt-audience");
    assert.equal(
      validate(forge(goodHeader, { ...goodClaims, aud: [""] }), { audience: "" }),
      "identity/jwt-audience",
    );
  });

  it("[J7] is refused without a time of expiry, and from that time on", () => {
    assert.equal(validate(token, { ms: 299_999 }), spiffeId);
    assert.equal(validate(token, { ms: 300_000 }), "identity/jwt-expired");
    assert.equal(validate(token, { ms: 300_000, skew: 1 }), spiffeId);
    for (const exp of [undefined, "9999999999", null])
      assert.equal(validate(forge(goodHeader, { ...goodClaims, exp })), "identity/jwt-expired");
    const early = forge(goodHeader, { ...goodClaims, nbf: seconds + 10 });
    assert.equal(validate(early), "identity/jwt-early");
    assert.equal(validate(early, { ms: 10_000 }), spiffeId);
  });

  it("[J9] is believed for jwt-svid keys alone: a root for X.509 signs none", () => {
    const byRoot = forge({ ...goodHeader, kid: undefined }, goodClaims, root);
    assert.equal(validate(byRoot), "identity/jwt-signature");
    assert.equal(validate(forge({ ...goodHeader, kid: undefined })), spiffeId);
    assert.equal(validate(forge({ ...goodHeader, kid: "other" })), "identity/jwt-untrusted");
    const [head, body] = token.split(".");
    assert.equal(validate(`${head}.${body}.`), "identity/jwt-signature");
  });

  it("[J10] is believed by the bundle of its subject's trust domain alone", () => {
    assert.equal(validate(token, { bundles: [] }), "identity/jwt-untrusted");
    const elsewhere = forge(goodHeader, { ...goodClaims, sub: "spiffe://other.example/web" });
    assert.equal(validate(elsewhere), "identity/jwt-untrusted");
    const other: TrustBundle = { ...bundle, trustDomain: "other.example" };
    assert.equal(validate(elsewhere, { bundles: [bundle, other] }), "spiffe://other.example/web");
    const { jwtAuthorities: _, ...without } = bundle;
    assert.equal(validate(token, { bundles: [without] }), "identity/jwt-untrusted");
  });
});
