// When a renewal that failed is tried again: when an issuer comes, and not before.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId } from "../../../../src/identity/index.ts";
import { SvidRenewal, type SvidRenewalDeps } from "../../../../src/node/trust/svid-renewal.ts";
import { noTracer } from "../../../../src/ports/index.ts";

const issuer = "1".repeat(64) as NodeId;
const quiet = { info: () => undefined, warn: () => undefined };

function bench(source: "issuer" | "workload-api", outage: object | undefined) {
  let asked = 0;
  const deps = {
    ...{ clock: { now: () => ({ wallMs: 0, monoMs: 0 }) }, logger: quiet, tracer: noTracer },
    svid: { outage, failed: () => undefined },
    issuing: () => undefined,
    issuers: {
      has: (nodeId: NodeId) => nodeId === issuer,
      ask: () => Promise.reject(new Error(`asked ${++asked} times`)),
    },
  } as unknown as SvidRenewalDeps;
  return { renewal: new SvidRenewal(deps, source), asked: () => asked };
}

test("an issuer that comes is asked at once by a node whose renewal failed", () => {
  const { renewal, asked } = bench("issuer", {});
  renewal.met(issuer);
  assert.equal(asked(), 1);
});

test("nobody is asked for another peer's sake, without a failure before, or where an agent brings SVIDs", () => {
  const other = bench("issuer", {});
  other.renewal.met("2".repeat(64) as NodeId);
  const well = bench("issuer", undefined);
  well.renewal.met(issuer);
  const pushed = bench("workload-api", {});
  pushed.renewal.met(issuer);
  assert.deepEqual([other.asked(), well.asked(), pushed.asked()], [0, 0, 0]);
});
