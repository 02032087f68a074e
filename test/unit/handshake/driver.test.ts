// The driver over an in-memory stream: framing, one opaque error, local reasons, limits before work.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isMeshError, refuse } from "../../../src/foundation/index.ts";
import {
  ATTEMPTS_METRIC,
  type DriverOptions,
  encodeFrame,
  FAILURES_METRIC,
  HANDSHAKE_ERROR_CODES,
  handshakeMetrics,
  type HandshakeOutcome,
  type HandshakeReason,
  type HandshakeRole,
  type HandshakeStream,
  performHandshake,
} from "../../../src/handshake/index.ts";
import { engine, noise, party, type PartyOptions, seededRandom } from "./fixture.ts";

/** One end of a pipe; bytes come in whatever pieces the test writes. */
class Pipe implements HandshakeStream {
  readonly written: Uint8Array[] = [];
  aborted: Error | undefined;
  peer: Pipe | undefined;
  #unread: number[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  deliver(bytes: Uint8Array): void {
    this.#unread.push(...bytes);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async read(length: number, signal: AbortSignal): Promise<Uint8Array> {
    while (this.#unread.length < length) {
      if (this.#ended) throw new Error("stream ended");
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return Uint8Array.from(this.#unread.splice(0, length));
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes);
    this.peer?.deliver(bytes);
    return Promise.resolve();
  }

  abort(error: Error): void {
    this.aborted = error;
    this.peer?.end();
  }
}

function pipes(): readonly [Pipe, Pipe] {
  const [one, other] = [new Pipe(), new Pipe()];
  one.peer = other;
  other.peer = one;
  return [one, other];
}

interface Run {
  readonly outcome: Promise<HandshakeOutcome>;
  readonly reasons: HandshakeReason[];
}

function drive(
  role: HandshakeRole,
  stream: HandshakeStream,
  overrides: PartyOptions & Partial<Pick<DriverOptions, "signal" | "beforeB">> = {},
): Run {
  const { signal = new AbortController().signal, beforeB, ...rest } = overrides;
  const reasons: HandshakeReason[] = [];
  const random = seededRandom(`driver/${role}`);
  const outcome = performHandshake({ noise, kem: engine.mlKem768, random }, stream, {
    role,
    profile: party(role, rest).profile,
    staticKeyPair: noise.x25519KeyPair(random.bytes(32)),
    signal,
    ...(beforeB && { beforeB }),
    onFailure: (code) => reasons.push(code),
  });
  outcome.catch(() => undefined);
  return { outcome, reasons };
}

async function fails(run: Run, stream: Pipe, reason: HandshakeReason): Promise<void> {
  await assert.rejects(run.outcome, (error) => {
    assert.ok(isMeshError(error, "handshake/failed"));
    assert.equal(error.cause, undefined);
    assert.doesNotMatch(error.message, new RegExp(reason.split("/")[1] ?? ""));
    return true;
  });
  assert.deepEqual(run.reasons, [reason]);
  assert.ok(isMeshError(stream.aborted, "handshake/failed"));
}

describe("the driver", () => {
  test("ends on both sides with ciphers that carry data, after three frames", async () => {
    const [a, b] = pipes();
    const [i, r] = [drive("initiator", a), drive("responder", b)];
    const [oi, or] = await Promise.all([i.outcome, r.outcome]);
    assert.deepEqual([a.written.length, b.written.length], [2, 1]);
    const data = Uint8Array.of(1, 2, 3);
    assert.deepEqual(Uint8Array.from(or.keys.receive.open(oi.keys.send.seal(data))), data);
    assert.deepEqual(Uint8Array.from(oi.keys.receive.open(or.keys.send.seal(data))), data);
    assert.deepEqual([...i.reasons, ...r.reasons], []);
  });

  test("sends nothing after a failure: an initiator that refuses B never sends C", async () => {
    const [a, b] = pipes();
    const i = drive("initiator", a, { isExpectedPeer: () => false });
    const r = drive("responder", b);
    await fails(i, a, "handshake/wrong-peer");
    await fails(r, b, "handshake/closed");
    assert.deepEqual([a.written.length, b.written.length], [1, 1]);
  });

  test("asks the limiter after A and before B, and does no work when it says no", async () => {
    const [a, b] = pipes();
    const i = drive("initiator", a);
    const r = drive("responder", b, { beforeB: () => refuse("handshake/limited-global") });
    await fails(r, b, "handshake/limited-global");
    assert.equal(b.written.length, 0);
    await fails(i, a, "handshake/closed");
  });

  test("refuses a length out of bounds without waiting for the body", async () => {
    for (const length of [1215, 1217, 65535, 0]) {
      const [, b] = pipes();
      const r = drive("responder", b);
      b.deliver(Uint8Array.of(length >> 8, length & 0xff));
      await fails(r, b, "handshake/bad-length");
    }
  });

  test("ends at its deadline at every step, also when that has passed before the start", async () => {
    for (const frames of [[], [encodeFrame(party("initiator").machine.writeA())]]) {
      const [, b] = pipes();
      const stop = new AbortController();
      const r = drive("responder", b, { signal: stop.signal });
      for (const frame of frames) b.deliver(frame);
      await Promise.resolve();
      stop.abort();
      await fails(r, b, "handshake/timeout");
    }
    const [a] = pipes();
    await fails(drive("initiator", a, { signal: AbortSignal.abort() }), a, "handshake/timeout");
    assert.equal(a.written.length, 0);
  });

  test("takes frames that arrive byte by byte", async () => {
    const [a, b] = [new Pipe(), new Pipe()];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.write = (bytes) => {
        for (const byte of bytes) to.deliver(Uint8Array.of(byte));
        return Promise.resolve();
      };
    }
    await Promise.all([drive("initiator", a).outcome, drive("responder", b).outcome]);
  });

  test("calls an error of our own unexpected, and still tells the peer nothing", async () => {
    const [a, b] = pipes();
    const i = drive("initiator", a);
    const broken = party("responder").options;
    const r = drive("responder", b, {
      ...broken,
      verifier: {
        verifyChain: () => {
          throw new Error("boom");
        },
        parseLeafKey: () => refuse("x"),
        nodeIdOf: () => {
          throw new Error("boom");
        },
        allowsJoin: () => true,
      },
    });
    await i.outcome;
    await fails(r, b, "handshake/unexpected");
  });
});

test("the metrics declare every reason, and names follow the room", () => {
  const failures = handshakeMetrics.find(({ name }) => name === FAILURES_METRIC);
  assert.deepEqual(failures?.labels?.["code"], HANDSHAKE_ERROR_CODES);
  assert.ok(handshakeMetrics.some(({ name }) => name === ATTEMPTS_METRIC));
  for (const { name, kind, help } of handshakeMetrics) {
    assert.match(name, /^meshd_handshake_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), kind === "counter");
    assert.ok(help.length > 0);
  }
});
