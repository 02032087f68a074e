// What an issuer gives out is written down before it is sent; what it cannot write down, it does not give out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "../../../src/foundation/index.ts";
import {
  AttestationServer,
  type AuditRecord,
  encodeAttestationRequest,
  MemoryNameRegistry,
  MemoryTokenStore,
  parseAttestationResponse,
  parseJoinToken,
  parsePolicy,
  TokenLedger,
} from "../../../src/identity/index.ts";
import type { MonoMs } from "../../../src/ports/index.ts";
import { engine, makeDomain, memoryMeter, nodeKeys, NOW, seededRandom } from "./support.ts";

function serverWith(record: (entry: AuditRecord) => void) {
  const domain = makeDomain();
  const noted: AuditRecord[] = [];
  const ledger = new TokenLedger({
    engine,
    random: seededRandom("t"),
    store: new MemoryTokenStore(),
  });
  const server = new AttestationServer({
    bundle: () => domain.bundle,
    policy: parsePolicy([]),
    meter: memoryMeter(),
    audit: { record, note: (entry) => noted.push(entry) },
    issuing: () => ({ issuer: domain.issuer, ledger, names: new MemoryNameRegistry() }),
  });
  const keys = nodeKeys("beta");
  const peer = {
    kind: "joining",
    nodeId: keys.nodeId,
    ed25519: keys.ed25519.publicKey,
    mldsa65: keys.mldsa65.publicKey,
  } as const;
  const join = (): { readonly result: string; readonly code?: string } => {
    const { text } = ledger.create(
      {
        trustDomain: "mesh.example",
        addresses: [
          "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
        ],
        bundleDigest: new Uint8Array(32),
      },
      NOW,
      60_000,
    );
    const token = parseJoinToken(text);
    assert.ok(token.ok);
    const { secret } = token.value;
    const request = encodeAttestationRequest({ op: "join", secret, name: "beta" });
    const answer = parseAttestationResponse(
      server.handle(request, peer, { wallMs: NOW, monoMs: 0 as MonoMs }),
    );
    return answer.ok ? answer.value : assert.fail(answer.code);
  };
  return { join, noted, keys };
}

test("an SVID is written down with whom it is for and by which serial number it can be found", () => {
  const records: AuditRecord[] = [];
  const { join, keys } = serverWith((entry) => records.push(entry));
  assert.equal(join().result, "svid");
  const [issue] = records;
  assert.equal(issue?.subject, "spiffe://mesh.example/node/beta");
  assert.equal(issue.fields?.["nodeId"], keys.nodeId);
  assert.match(String(issue.fields["serial"]), /^[0-9a-f]{32,40}$/);
});

test("an issuer that cannot write it down refuses, and the refusal is noted", () => {
  const { join, noted } = serverWith(() => {
    throw new MeshError("audit/write-failed", "Cannot write the audit log. Free space.");
  });
  const { result, code } = join();
  assert.deepEqual([result, code], ["refused", "identity/not-issuer"]);
  assert.deepEqual(noted, [
    {
      event: "svid.refuse",
      subject: nodeKeys("beta").nodeId,
      fields: { operation: "join", code: "identity/not-issuer" },
    },
  ]);
});
