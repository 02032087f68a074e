// When a renewal that failed is tried again: when an issuer comes, and not before. A node whose agent brings SVIDs waits for it until two
// thirds of the life are over; then it is told, and again with the pauses of a renewal that fails, until the agent brings one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { symptoms } from "../../../../src/healing/index.ts";
import { type NodeId, type PeerIdentity, SvidHolder } from "../../../../src/identity/index.ts";
import { svidHealthOf } from "../../../../src/node/svid-health.ts";
import { SvidRenewal, type SvidRenewalDeps } from "../../../../src/node/trust/svid-renewal.ts";
import { type MonoMs, noTracer, type WallMs } from "../../../../src/ports/index.ts";
import { memoryMeter, NOW } from "../../identity/support.ts";

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

const LIFE_MS = 3 * 3_600_000;
const MINUTE_MS = 60_000;

/** An SVID that began so long after NOW. */
const identity = (ms: number) =>
  ({
    ...{ nodeId: "ab", spiffeId: "spiffe://spire.example/node/a", chain: [] },
    ...{ notBeforeMs: NOW + ms, notAfterMs: NOW + ms + LIFE_MS },
  }) as unknown as PeerIdentity;

test("an agent that is silent at two thirds of the SVID's life is told with a health code, until it brings another", () => {
  const meter = memoryMeter();
  const svid = new SvidHolder({ meter, random: { fraction: () => 0.5 } }, identity(0));
  let ms = 0;
  const now = (): WallMs => (NOW + ms) as WallMs;
  const clock = { now: () => ({ wallMs: now(), monoMs: ms as MonoMs }) };
  const renewal = new SvidRenewal({ svid, clock } as unknown as SvidRenewalDeps, "workload-api");
  const told = (): string[] =>
    svidHealthOf(svid, now()).map(({ code, message }) => `${symptoms[code].severity} ${message}`);
  const failures = (): number => meter.counts.get("meshd_identity_svid_renewals_total failed") ?? 0;

  for (ms = 0; ms < (2 / 3) * LIFE_MS; ms += MINUTE_MS) renewal.upkeep();
  ms = (2 / 3) * LIFE_MS - 1;
  renewal.upkeep();
  assert.deepEqual([failures(), told()], [0, []], "an agent renews by itself, in its own time");
  ms += 1;
  renewal.upkeep();
  renewal.upkeep();
  assert.equal(failures(), 1, "noted once, then after a pause");
  ms += MINUTE_MS;
  renewal.upkeep();
  assert.match(told()[0] ?? "", /^warning .*for 1 min \(workload\/agent-silent\)\. Peers take it/);
  for (; ms < LIFE_MS; ms += MINUTE_MS) renewal.upkeep();
  assert.ok(failures() > 5 && failures() < 60, `${failures()} in an hour`);

  svid.renewed(identity(ms));
  renewal.upkeep();
  assert.deepEqual(told(), []);
});
