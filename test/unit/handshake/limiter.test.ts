// The budget of strangers, at every limit and one past it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HandshakeLimiter, type LimiterOptions, limiterKey } from "../../../src/handshake/index.ts";
import { at } from "./fixture.ts";

/** The code of one whole handshake from `address` at `ms`. */
function attempt(limiter: HandshakeLimiter, address: string, ms: number): string {
  const slot = limiter.enter(address);
  if (!slot.ok) return slot.code;
  const spent = slot.value.spend(at(ms));
  slot.value.release();
  return spent.ok ? "ok" : spent.code;
}

const wide: LimiterOptions = {
  concurrentMax: 100,
  addressBurst: 100,
  addressPerSecond: 0,
  globalBurst: 100,
  globalPerSecond: 0,
  addressesMax: 100,
};

describe("the handshake limiter", () => {
  test("lets an address use its burst, refuses one more, and lets it in again after the refill", () => {
    const limiter = new HandshakeLimiter(at(0), {
      ...wide,
      addressBurst: 3,
      addressPerSecond: 0.5,
    });
    const codes = Array.from({ length: 4 }, () => attempt(limiter, "a", 0));
    assert.deepEqual(codes, ["ok", "ok", "ok", "handshake/limited-address"]);
    assert.equal(attempt(limiter, "b", 0), "ok");
    assert.equal(attempt(limiter, "a", 1999), "handshake/limited-address");
    assert.equal(attempt(limiter, "a", 2000), "ok");
    assert.equal(attempt(limiter, "a", 2000), "handshake/limited-address");
  });

  test("never saves more than the burst", () => {
    const limiter = new HandshakeLimiter(at(0), { ...wide, addressBurst: 2, addressPerSecond: 10 });
    attempt(limiter, "a", 0);
    const codes = Array.from({ length: 3 }, () => attempt(limiter, "a", 3_600_000));
    assert.deepEqual(codes, ["ok", "ok", "handshake/limited-address"]);
  });

  test("bounds all addresses together", () => {
    const limiter = new HandshakeLimiter(at(0), { ...wide, globalBurst: 2, globalPerSecond: 1 });
    const codes = ["a", "b", "c"].map((address) => attempt(limiter, address, 0));
    assert.deepEqual(codes, ["ok", "ok", "handshake/limited-global"]);
    assert.equal(attempt(limiter, "c", 999), "handshake/limited-global");
    assert.equal(attempt(limiter, "c", 1000), "ok");
  });

  test("does not charge the budget of all for an address that has none left", () => {
    const limiter = new HandshakeLimiter(at(0), { ...wide, addressBurst: 1, globalBurst: 2 });
    for (let i = 0; i < 10; i++) attempt(limiter, "flood", 0);
    assert.equal(attempt(limiter, "friend", 0), "ok");
  });

  test("bounds handshakes that are open at once, and counts a release once", () => {
    const limiter = new HandshakeLimiter(at(0), { ...wide, concurrentMax: 2 });
    const first = limiter.enter("a");
    const second = limiter.enter("b");
    assert.ok(first.ok && second.ok);
    assert.equal(attempt(limiter, "c", 0), "handshake/limited-concurrent");
    first.value.release();
    first.value.release();
    assert.equal(limiter.open, 1);
    assert.equal(attempt(limiter, "c", 0), "ok");
  });

  test("remembers so many addresses and forgets the one idle for longest", () => {
    const limiter = new HandshakeLimiter(at(0), { ...wide, addressBurst: 1, addressesMax: 2 });
    attempt(limiter, "a", 0);
    attempt(limiter, "b", 0);
    assert.equal(attempt(limiter, "a", 0), "handshake/limited-address"); // and is the youngest now
    assert.equal(limiter.forgotten, 0);
    attempt(limiter, "c", 0);
    assert.equal(limiter.forgotten, 1);
    assert.equal(attempt(limiter, "a", 0), "handshake/limited-address");
    assert.equal(attempt(limiter, "b", 0), "ok");
  });

  test("survives a clock that stands still or seems to step back", () => {
    const limiter = new HandshakeLimiter(at(1000), {
      ...wide,
      addressBurst: 1,
      addressPerSecond: 1,
    });
    assert.equal(attempt(limiter, "a", 1000), "ok");
    assert.equal(attempt(limiter, "a", 0), "handshake/limited-address");
  });
});

test("a node that sheds load takes a quarter of the handshakes, and all again afterwards", () => {
  const limiter = new HandshakeLimiter(at(0), { ...wide, globalBurst: 8, concurrentMax: 8 });
  const taken = (attempts: number): number =>
    Array.from({ length: attempts }, () => attempt(limiter, "a", 0)).filter((code) => code === "ok")
      .length;
  limiter.shedding = true;
  assert.equal(taken(8), 2);
  const open = Array.from({ length: 8 }, () => limiter.enter("a")).filter(({ ok }) => ok);
  assert.equal(open.length, 2);
  limiter.shedding = false;
  const more = Array.from({ length: 8 }, () => limiter.enter("a")).filter(({ ok }) => ok);
  assert.equal(more.length, 6);
});

test("addresses are limited by IPv4 address and by IPv6 /64", () => {
  for (const [address, key] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::9", "2001:db8:1:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["relay", "relay"],
  ] as const) {
    assert.equal(limiterKey(address), key);
  }
});
