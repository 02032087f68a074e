// Runs one handshake over a byte stream: frames in, frames out, payloads verified before anything depends on
// them. On any failure the stream is aborted, nothing more is sent, and the caller learns one opaque code; the
// reason goes to the local observer alone.

import type { Kem } from "../crypto/index.ts";
import { errorMessage, isMeshError, MeshError, type Result } from "../foundation/index.ts";
import type { Random } from "../ports/index.ts";
import type { Authenticated } from "./authenticate.ts";
import { type HandshakeReason, isHandshakeReason } from "./codes.ts";
import { encodeFrame, FRAME_HEADER_BYTES } from "./framing.ts";
import {
  HandshakeMachine,
  type HandshakeRole,
  MESSAGE_FIXED_BYTES,
  type PayloadBinding,
  type ReceivedPayload,
  type SessionKeys,
} from "./machine.ts";
import { type NoiseCrypto, TAG_BYTES, type X25519KeyPair } from "./noise-crypto.ts";

/** A byte stream as the driver needs it. */
export interface HandshakeStream {
  /** Exactly `length` bytes. Rejects when the stream ends before, or `signal` fires. */
  read(length: number, signal: AbortSignal): Promise<Uint8Array>;
  write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Closes the raw connection without another byte. Must not throw. */
  abort(error: Error): void;
}

/** What distinguishes one suite from another around the same core. */
export interface HandshakeProfile {
  readonly prologue: Uint8Array;
  readonly payloadBytesMax: number;
  seal(binding: PayloadBinding): Uint8Array;
  open(received: ReceivedPayload): Result<Authenticated, HandshakeReason>;
}

export interface DriverDeps {
  readonly noise: NoiseCrypto;
  readonly kem: Kem;
  readonly random: Random;
}

export interface DriverOptions {
  readonly role: HandshakeRole;
  readonly staticKeyPair: X25519KeyPair;
  readonly profile: HandshakeProfile;
  /** Ends the handshake at its deadline, or when the node stops. */
  readonly signal: AbortSignal;
  /** Responder: asked after message A and before the work of message B. */
  readonly beforeB?: () => Result<unknown, HandshakeReason>;
  /** Told the reason of a failure, for local logs and metrics. */
  readonly onFailure?: (code: HandshakeReason, detail: string) => void;
}

/** A finished handshake. */
export interface HandshakeOutcome extends Authenticated {
  readonly keys: SessionKeys;
}

/**
 * Performs one handshake and leaves the stream at its first transport frame.
 * @throws MeshError `handshake/failed`, always without a cause; the stream has been aborted then
 */
export async function performHandshake(
  deps: DriverDeps,
  stream: HandshakeStream,
  options: DriverOptions,
): Promise<HandshakeOutcome> {
  const { role, profile, staticKeyPair, signal } = options;
  const { prologue, payloadBytesMax } = profile;
  const machine = new HandshakeMachine(deps, { role, prologue, staticKeyPair, payloadBytesMax });
  try {
    signal.throwIfAborted();
    const run = role === "initiator" ? runInitiator : runResponder;
    return await run(machine, stream, options);
  } catch (error) {
    machine.destroy();
    const { code, detail } = reasonOf(error, signal);
    const outward = new MeshError(
      "handshake/failed",
      "The handshake failed. See this node's log for the reason.",
    );
    stream.abort(outward);
    options.onFailure?.(code, detail);
    throw outward;
  }
}

async function runInitiator(
  machine: HandshakeMachine,
  stream: HandshakeStream,
  { profile, signal }: DriverOptions,
): Promise<HandshakeOutcome> {
  await send(stream, machine.writeA(), signal);
  const b = await readMessage(
    stream,
    MESSAGE_FIXED_BYTES.b + TAG_BYTES,
    profile.payloadBytesMax,
    signal,
  );
  const peer = orThrow(profile.open(machine.readB(b))); // before C: a stranger gets nothing of ours
  await send(
    stream,
    machine.writeC((binding) => profile.seal(binding)),
    signal,
  );
  return { ...peer, keys: machine.split() };
}

async function runResponder(
  machine: HandshakeMachine,
  stream: HandshakeStream,
  { profile, signal, beforeB }: DriverOptions,
): Promise<HandshakeOutcome> {
  machine.readA(await readMessage(stream, MESSAGE_FIXED_BYTES.a, 0, signal));
  if (beforeB !== undefined) orThrow(beforeB());
  await send(
    stream,
    machine.writeB((binding) => profile.seal(binding)),
    signal,
  );
  const c = await readMessage(
    stream,
    MESSAGE_FIXED_BYTES.c + TAG_BYTES,
    profile.payloadBytesMax,
    signal,
  );
  const peer = orThrow(profile.open(machine.readC(c)));
  return { ...peer, keys: machine.split() };
}

function send(stream: HandshakeStream, message: Uint8Array, signal: AbortSignal): Promise<void> {
  return onStream(stream.write(encodeFrame(message), signal), signal);
}

/** One frame of `min` to `min + extraMax` bytes; the length is refused before the body is waited for. */
async function readMessage(
  stream: HandshakeStream,
  min: number,
  extraMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const [high = 0, low = 0] = await onStream(stream.read(FRAME_HEADER_BYTES, signal), signal);
  const length = high * 0x100 + low;
  if (length < min || length > min + extraMax) {
    throw new MeshError<HandshakeReason>(
      "handshake/bad-length",
      `A handshake message must have ${min} to ${min + extraMax} bytes: current length is ${length}`,
    );
  }
  return onStream(stream.read(length, signal), signal);
}

function orThrow<T>(result: Result<T, HandshakeReason>): T {
  if (result.ok) return result.value;
  throw new MeshError<HandshakeReason>(result.code, result.detail ?? result.code);
}

/** The stream's errors, told apart from errors of our own. */
async function onStream<T>(operation: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const code: HandshakeReason = signal.aborted ? "handshake/timeout" : "handshake/closed";
    throw new MeshError(code, errorMessage(error));
  }
}

/** The local reason of anything that was thrown. */
function reasonOf(error: unknown, signal: AbortSignal): { code: HandshakeReason; detail: string } {
  const detail = errorMessage(error);
  if (isMeshError(error) && isHandshakeReason(error.code)) return { code: error.code, detail };
  if (signal.aborted) return { code: "handshake/timeout", detail };
  return { code: "handshake/unexpected", detail };
}
