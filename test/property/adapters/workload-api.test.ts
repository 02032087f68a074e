// Nothing that a workload or a node sends makes a reader throw; what is written is read again. FAST_CHECK_SEED repeats a run.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nativeEs256 } from "../../../src/adapters/crypto/es256.ts";
import {
  readJwtSvidRequest,
  readValidateRequest,
  validateResponse,
} from "../../../src/adapters/workload-api/messages.ts";
import { unitOf } from "../../../src/adapters/workload-api/process-facts.ts";
import {
  bytesField,
  mapField,
  readMessage,
  textField,
} from "../../../src/adapters/workload-api/protobuf.ts";
import { concatBytes } from "../../../src/foundation/index.ts";
import {
  acceptSignedBundle,
  parseSvidRequest,
  parseSvidResponse,
  validateJwtSvid,
  type NodeId,
} from "../../../src/identity/index.ts";
import { signatureFromDer, signatureToDer } from "../../../src/identity/es256.ts";
import {
  encodeEntryRecord,
  parseEntryRecord,
} from "../../../src/identity/workload/entry-record.ts";
import { isSelector } from "../../../src/identity/workload/selectors.ts";
import { engine, NOW, TRUST_DOMAIN } from "../../unit/identity/support.ts";
import { makeWorkloadDomain, p256 } from "../../unit/identity/workload/support.ts";

const seed = Number(process.env["FAST_CHECK_SEED"] ?? 20260607);
const runs = (numRuns: number) => ({ seed, numRuns });
console.log(`fast-check seed ${seed}`);
const { bundle } = makeWorkloadDomain();

describe("whatever comes", () => {
  it("in bytes is read or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        readMessage(bytes);
        readJwtSvidRequest(bytes);
        readValidateRequest(bytes);
        assert.equal(parseSvidRequest(bytes).ok, false);
        assert.equal(parseSvidResponse(bytes).ok, false);
        assert.equal(acceptSignedBundle(engine, bundle, bytes).ok, false);
        const publicKey = p256("x").publicKey;
        assert.equal(
          parseEntryRecord(engine, { bytes, publicKey, trustDomain: TRUST_DOMAIN }).ok,
          false,
        );
        assert.equal(nativeEs256.verify(bytes, bytes, bytes), false);
        signatureFromDer(bytes);
      }),
      runs(400),
    );
  });

  it("as the time of an entry's record is a date that can be shown, or refused", () => {
    const signer = engine.mlDsa65.signer(new Uint8Array(32).fill(5));
    const head = {
      id: "ab".repeat(16),
      version: 1,
      author: "cd".repeat(32) as NodeId,
      sequence: 1,
    };
    const isTaken = (atMs: number): boolean => {
      const bytes = encodeEntryRecord({ ...head, atMs, entry: null }, signer);
      const { publicKey } = signer;
      return parseEntryRecord(engine, { bytes, publicKey, trustDomain: TRUST_DOMAIN }).ok;
    };
    const latest = Date.parse("9999-12-31T23:59:59.999Z");
    assert.deepEqual([0, latest, latest + 1, Number.MAX_SAFE_INTEGER, -1].map(isTaken), [
      ...[true, true, false, false, false],
    ]);
  });

  it("in text is read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.json(), (text, json) => {
        isSelector(text);
        unitOf(text);
        const part = Buffer.from(json).toString("base64url");
        for (const token of [text, `${part}.${part}.${part}`, `${text}.${part}.`]) {
          const result = validateJwtSvid({
            ...{ es256: nativeEs256, token, audience: "x", nowMs: NOW },
            bundleOf: () => bundle,
          });
          assert.equal(result.ok, false);
        }
      }),
      runs(400),
    );
  });

  it("of claims becomes a Struct", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (claims) => {
        assert.notEqual(readMessage(validateResponse("spiffe://a/b", claims)), undefined);
      }),
      runs(200),
    );
  });
});

describe("what is written", () => {
  it("is read again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }),
        fc.string(),
        (values, text) => {
          const message = concatBytes(
            ...values.map((value) => bytesField(3, value)),
            textField(4, text),
            mapField(5, text, Buffer.from(text)),
          );
          const fields = readMessage(message);
          assert.deepEqual(fields?.get(3) ?? [], values);
          assert.equal(
            Buffer.from(fields?.get(4)?.[0] ?? []).toString(),
            text === "" ? "" : Buffer.from(text).toString(),
          );
        },
      ),
      runs(200),
    );
  });

  it("of signatures has one DER form, and no other is read", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.nat(), (signature, at) => {
        const der = signatureToDer(signature);
        assert.deepEqual(signatureFromDer(der), signature);
        const changed = der.slice();
        changed[at % der.length] = (changed[at % der.length] ?? 0) ^ 0x80;
        const read = signatureFromDer(changed);
        if (read !== undefined) assert.deepEqual(signatureToDer(read), changed);
      }),
      runs(300),
    );
  });
});
