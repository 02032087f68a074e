// Nothing that a joining node shows makes a reader of evidence throw, or take what nobody signed.
// Run with FAST_CHECK_SEED=<seed> to repeat a run.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { octetsOf, readBer } from "../../../src/adapters/attestors/ber.ts";
import { K8sPsatVerifier } from "../../../src/adapters/attestors/k8s-psat.ts";
import { openSignedData } from "../../../src/adapters/attestors/signed-data.ts";
import { X509PopVerifier } from "../../../src/adapters/attestors/x509pop.ts";
import { readAnchors, readClassical } from "../../../src/adapters/crypto/classical-chain.ts";
import { parseAttestationRequest } from "../../../src/identity/index.ts";
import { der, endless } from "../../unit/adapters/attestors/signed-messages.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20260601);
const runs = (numRuns: number) => ({ seed, numRuns });
console.log(`fast-check seed ${seed}`);

const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const bytes = fc.uint8Array({ maxLength: 400 });

/** Elements as they could be written, nested at will. */
const element = fc.letrec<{ node: Buffer }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small" },
    fc
      .tuple(fc.constantFrom(0x02, 0x04, 0x05, 0x06, 0x80), fc.uint8Array({ maxLength: 40 }))
      .map(([tag, content]) => der(tag, content)),
    fc
      .tuple(
        fc.constantFrom(0x24, 0x30, 0x31, 0xa0),
        fc.boolean(),
        fc.array(tie("node"), { maxLength: 6 }),
      )
      .map(([tag, isEndless, parts]) => (isEndless ? endless : der)(tag, ...parts)),
  ),
})).node;

test("BER of any bytes is an element that is them, or nothing", () => {
  fc.assert(
    fc.property(bytes, (input) => {
      const read = readBer(input);
      if (read !== undefined) assert.deepEqual(read.encoded, input);
    }),
    runs(2_000),
  );
  fc.assert(
    fc.property(element, (input) => {
      const read = readBer(input);
      assert.deepEqual(read && Buffer.from(read.encoded), input);
      assert.ok(read === undefined || octetsOf(read) === undefined || read.content.length >= 0);
    }),
    runs(500),
  );
});

test("no message opens that the key has not signed", () => {
  fc.assert(
    fc.property(fc.oneof(bytes, element), (input) => {
      assert.ok(!openSignedData(new Uint8Array(input), [publicKey]).ok);
    }),
    runs(2_000),
  );
});

test("certificates of any bytes are refused", () => {
  const verifier = new X509PopVerifier({ caFile: "/nonexistent", wallMs: () => 0 });
  fc.assert(
    fc.property(fc.oneof(bytes, element), bytes, fc.string(), (certificate, signature, text) => {
      assert.equal(readClassical(new Uint8Array(certificate)), undefined);
      assert.equal(readAnchors(text), undefined);
      const chain = [new Uint8Array(certificate)];
      assert.ok(!verifier.verify({ type: "x509pop", chain, signature }, signature).ok);
    }),
    runs(500),
  );
});

test("a token that says anything is refused without a question", async () => {
  const never = {
    apiServer: "https://127.0.0.1:1",
    caFile: "/nonexistent",
    tokenFile: "/nonexistent",
  };
  const options = { ...never, cluster: "c", audience: "meshd", serviceAccounts: ["a:b"] };
  const verifier = new K8sPsatVerifier(options);
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (claims) => {
      const token = `x.${Buffer.from(claims).toString("base64url")}.x`;
      const judged = await verifier.verify({ type: "k8s_psat", token });
      assert.ok(!judged.ok && judged.code === "identity/evidence-refused");
    }),
    runs(1_000),
  );
});

test("requests with evidence of any form are read or refused", () => {
  const value = fc.oneof(fc.string(), fc.jsonValue(), fc.constant("AAAA"));
  const evidence = fc.record(
    {
      type: fc.constantFrom("x509pop", "k8s_psat", "aws_iid", "other"),
      chain: fc.oneof(value, fc.array(fc.constantFrom("AAAA", "?", ""), { maxLength: 6 })),
      ...{ signature: value, token: fc.oneof(value, fc.constant("a.b.c")), document: value },
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(evidence, (shown) => {
      const request = Buffer.from(JSON.stringify({ op: "attest", evidence: shown }));
      const parsed = parseAttestationRequest(new Uint8Array(request));
      if (!parsed.ok) assert.equal(parsed.code, "identity/request-malformed");
      else assert.equal(parsed.value.op, "attest");
    }),
    runs(2_000),
  );
});
