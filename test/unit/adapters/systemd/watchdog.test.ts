import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Watchdog, watchdogTimeoutMs } from "../../../../src/adapters/systemd/watchdog.ts";

describe("the watchdog", () => {
  test("beats three times in the manager's timeout, and at least every five seconds", () => {
    assert.equal(new Watchdog(3_000, 0).beatMs, 1_000);
    assert.equal(new Watchdog(15_000, 0).beatMs, 5_000);
    assert.equal(new Watchdog(30_000, 0).beatMs, 5_000);
    assert.equal(new Watchdog(undefined, 0).beatMs, 5_000);
  });

  test("is fed for a loop that is late by a beat, and not for one that is later", () => {
    const watchdog = new Watchdog(30_000, 0);
    assert.equal(watchdog.beat(10_000, undefined), "feed");
    assert.equal(watchdog.beat(20_001, undefined), "loop-late");
    assert.equal(watchdog.beat(25_001, undefined), "feed", "lateness does not add up");
  });

  test("is fed only if the mesh machine has worked off a timer since the last feed", () => {
    const watchdog = new Watchdog(3_000, 0);
    assert.equal(watchdog.beat(1_000, 0), "feed", "the machine has just started");
    assert.equal(watchdog.beat(2_000, 0), "mesh-stuck");
    assert.equal(watchdog.beat(3_000, 1), "feed");
    assert.equal(watchdog.beat(4_000, 1), "mesh-stuck");
    assert.equal(watchdog.beat(5_000, 1), "mesh-stuck", "and stays so");
  });

  test("is fed without a mesh, and again when a new mesh part counts from the start", () => {
    const watchdog = new Watchdog(3_000, 0);
    assert.equal(watchdog.beat(1_000, undefined), "feed");
    assert.equal(watchdog.beat(2_000, undefined), "feed");
    assert.equal(watchdog.beat(3_000, 7), "feed");
    assert.equal(watchdog.beat(4_000, undefined), "feed");
    assert.equal(watchdog.beat(5_000, 7), "feed");
  });
});

test("the timeout is what WATCHDOG_USEC says, for the process that WATCHDOG_PID names", () => {
  const timeout = (usec?: string, forPid?: string): number | undefined =>
    watchdogTimeoutMs({ WATCHDOG_USEC: usec, WATCHDOG_PID: forPid }, 42);
  assert.equal(timeout("30000000"), 30_000);
  assert.equal(timeout("30000000", "42"), 30_000);
  assert.equal(timeout("30000000", "43"), undefined);
  assert.equal(timeout(undefined, "42"), undefined);
  for (const none of ["", "0", "-1", "1e6", "12s", "9".repeat(17)])
    assert.equal(timeout(none), undefined, none);
});
