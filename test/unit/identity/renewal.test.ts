import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isMeshError } from "../../../src/foundation/index.ts";
import {
  describeCertificate,
  identityMetrics,
  lifeLeft,
  NOT_BEFORE_BACKDATE_MS,
  type PeerIdentity,
  renewalRetryMs,
  renewalTime,
  SvidHolder,
  svidHealth,
  verifyChain,
} from "../../../src/identity/index.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import { after, DAY_MS, engine, issue, makeDomain, memoryMeter, nodeKeys, NOW } from "./support.ts";

const validity = { notBeforeMs: after(-NOT_BEFORE_BACKDATE_MS), notAfterMs: after(DAY_MS) };
const fraction = (value: number) => ({ fraction: () => value });

describe("the time of renewal", () => {
  it("is half of the life, ten percent of that earlier or later", () => {
    assert.equal(renewalTime(validity, fraction(0.5)), NOW + DAY_MS * 0.5);
    assert.equal(renewalTime(validity, fraction(0)), NOW + DAY_MS * 0.45);
    const latest = renewalTime(validity, fraction(1 - 2 ** -32));
    assert.ok(latest > NOW + DAY_MS * 0.5499 && latest <= NOW + DAY_MS * 0.55);
  });

  it("of an SVID shorter than the backdating of its validity is not before its issue", () => {
    const short = { notBeforeMs: validity.notBeforeMs, notAfterMs: after(60_000) };
    assert.equal(renewalTime(short, fraction(0.5)), NOW + 30_000);
  });

  it("is when half is left of the life since the issue, however short that is", () => {
    for (const lifeMs of [60_000, DAY_MS]) {
      const identity = { notBeforeMs: validity.notBeforeMs, notAfterMs: after(lifeMs) };
      const left = [0, lifeMs / 2, lifeMs, 2 * lifeMs].map((ms) => lifeLeft(identity, after(ms)));
      assert.deepEqual(left, [1, 0.5, 0, 0]);
    }
    const reversed = { notBeforeMs: after(DAY_MS), notAfterMs: after(0) };
    assert.equal(lifeLeft(reversed, after(-1)), 0);
  });

  it("after failures doubles from 5 s to 10 min and respects the life that is left", () => {
    const middle = fraction(0.5);
    assert.deepEqual(
      [1, 2, 3, 7, 8, 100].map((failures) => renewalRetryMs(failures, DAY_MS, middle)),
      [5_000, 10_000, 20_000, 320_000, 600_000, 600_000],
    );
    assert.equal(renewalRetryMs(8, 1_000_000, middle), 100_000);
    assert.equal(renewalRetryMs(8, 0, middle), 5_000);
    assert.equal(renewalRetryMs(8, -DAY_MS, middle), 5_000);
    assert.equal(renewalRetryMs(1, DAY_MS, fraction(0)), 4_500);
  });
});

describe("the health of an SVID", () => {
  it("is ok, then renew-due, then expired", () => {
    const due = after(DAY_MS / 2);
    const at = (ms: number) => svidHealth(validity, due, after(ms));
    assert.equal(at(DAY_MS / 2 - 1), "ok");
    assert.equal(at(DAY_MS / 2), "renew-due");
    assert.equal(at(DAY_MS), "renew-due");
    assert.equal(at(DAY_MS + 1), "expired");
  });
});

describe("the holder of an SVID", () => {
  const domain = makeDomain();
  const keys = nodeKeys("alpha");

  function identity(name: string, ms: number): PeerIdentity {
    const chain = issue(domain, name, keys, after(ms));
    const result = verifyChain({
      engine,
      chain,
      ed25519: keys.ed25519.publicKey,
      bundle: domain.bundle,
      now: after(ms),
    });
    assert.ok(result.ok);
    return result.value;
  }

  it("moves on to the renewed SVID and shows when it expires", () => {
    const meter = memoryMeter();
    const holder = new SvidHolder({ meter, random: fraction(0.5) }, identity("alpha", 0));
    assert.equal(
      meter.gauges.get("meshd_identity_svid_expiry_timestamp_seconds"),
      (NOW + DAY_MS) / 1000,
    );
    assert.equal(meter.gauges.get("meshd_identity_svid_issue_timestamp_seconds"), NOW / 1000);
    const { notAfterMs } = describeCertificate(holder.identity.chain[1]!);
    assert.ok(notAfterMs > NOW + DAY_MS, "the intermediate outlives the SVID");
    assert.equal(
      meter.gauges.get("meshd_identity_authority_expiry_timestamp_seconds intermediate"),
      notAfterMs / 1000,
    );
    assert.equal(holder.health(holder.renewAtMs), "renew-due");
    const next = identity("alpha", DAY_MS / 2);
    holder.renewed(next);
    assert.equal(holder.identity, next);
    assert.equal(holder.health(after(DAY_MS / 2)), "ok");
    assert.equal(
      meter.gauges.get("meshd_identity_svid_expiry_timestamp_seconds"),
      (NOW + DAY_MS * 1.5) / 1000,
    );
    assert.equal(meter.counts.get("meshd_identity_svid_renewals_total ok"), 1);
  });

  it("tries again after a failure, and is due all the while", () => {
    const meter = memoryMeter();
    const holder = new SvidHolder({ meter, random: fraction(0.5) }, identity("alpha", 0));
    const due = holder.renewAtMs;
    holder.failed(due, "identity/not-issuer");
    assert.equal(holder.renewAtMs, due + 5_000);
    assert.equal(holder.health(due), "renew-due");
    holder.failed(due, "network/dial-failed");
    assert.equal(holder.renewAtMs, due + 10_000);
    assert.equal(meter.counts.get("meshd_identity_svid_renewals_total failed"), 2);
    holder.renewed(identity("alpha", DAY_MS / 2));
    holder.failed(after(DAY_MS), "identity/not-issuer");
    assert.equal(holder.renewAtMs, NOW + DAY_MS + 5_000, "a success forgets the failures");
  });

  it("tells since when renewal fails and until when that can last, and forgets it with the first success", () => {
    const meter = memoryMeter();
    const holder = new SvidHolder({ meter, random: fraction(0.5) }, identity("alpha", 0), {
      graceMs: 3_600_000,
    });
    const graceEnd = () => meter.gauges.get("meshd_identity_svid_grace_end_timestamp_seconds");
    assert.equal(graceEnd(), (NOW + DAY_MS + 3_600_000) / 1000);
    assert.equal(holder.outage, undefined);
    holder.failed(after(1_000), "identity/not-issuer");
    holder.failed(after(9_000), "identity/denied");
    assert.deepEqual(holder.outage, {
      sinceMs: after(1_000),
      code: "identity/denied",
      notAfterMs: after(DAY_MS),
      graceEndMs: after(DAY_MS + 3_600_000),
    });
    assert.equal(holder.health(after(DAY_MS)), "renew-due");
    assert.equal(holder.health(after(DAY_MS + 1)), "grace");
    assert.equal(holder.health(after(DAY_MS + 3_600_000)), "grace");
    assert.equal(holder.health(after(DAY_MS + 3_600_001)), "expired");
    holder.renewed(identity("alpha", DAY_MS / 2));
    assert.equal(holder.outage, undefined);
    assert.equal(graceEnd(), (NOW + DAY_MS * 1.5 + 3_600_000) / 1000);
  });

  it("is due when the clock was put back to before it begins, or by less while renewal fails; a pause is kept then", () => {
    const HOUR_MS = 3_600_000;
    const ahead = identity("alpha", 5 * HOUR_MS);
    const deps = { meter: memoryMeter(), random: fraction(0.5) };
    const holder = new SvidHolder(deps, ahead, { clockSkewMs: 60_000 });
    const firstMs = ahead.notBeforeMs - 60_000;
    assert.equal(holder.isDue(firstMs as WallMs), false, "peers take it");
    assert.equal(holder.isDue((firstMs - 1) as WallMs), true, "nobody takes it");
    assert.equal(holder.isDue((holder.renewAtMs - 1) as WallMs), false);
    assert.equal(holder.isDue(holder.renewAtMs), true);

    holder.failed(after(0), "identity/not-issuer");
    assert.equal(holder.isDue(after(4_999)), false, "it has just been tried");
    assert.equal(holder.isDue(after(5_000)), true);
    assert.equal(holder.isDue(after(-1)), true, "put back again");
    holder.renewed(identity("alpha", 0));
    assert.equal(holder.isDue(after(0)), false);
    holder.failed(after(20 * HOUR_MS), "identity/not-issuer");
    assert.equal(holder.isDue(after(19 * HOUR_MS)), true, "the pause was of another clock");
  });

  it("keeps the old one when the new one is another node's", () => {
    const first = identity("alpha", 0);
    const holder = new SvidHolder({ meter: memoryMeter(), random: fraction(0.5) }, first);
    assert.throws(
      () => holder.renewed(identity("beta", 0)),
      (error) => isMeshError(error, "identity/svid-not-ours"),
    );
    assert.equal(holder.identity, first);
  });
});

describe("the metrics of the room", () => {
  it("are named after it, counters end in _total, and no name occurs twice", () => {
    for (const { name, kind } of identityMetrics) {
      assert.match(name, /^meshd_identity_[a-z_]+$/);
      assert.equal(name.endsWith("_total"), kind === "counter");
    }
    assert.equal(new Set(identityMetrics.map(({ name }) => name)).size, identityMetrics.length);
  });
});
