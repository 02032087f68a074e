// Window updates of yamux when they matter. @libp2p/yamux 8 answers every data frame with one, so that each heartbeat and each ping costs
// a second record, a second write and a second read. Here a receiver speaks when half of its window is used up, as the muxers of Go and
// Rust do: a sender that has half a window left need not wait.

import type { Stream } from "@libp2p/interface";
import { assert } from "../../foundation/index.ts";

/** Of @libp2p/yamux 8's class `YamuxStream`. */
interface WindowInternals {
  /** `ESTABLISHED` when no flag is owed to the peer. */
  readonly state: number;
  /** Bytes that the peer may send in all, and may send still. */
  readonly recvWindow: number;
  readonly recvWindowCapacity: number;
  sendWindowUpdate(): void;
}

const ESTABLISHED = 3;

/** Makes a new stream of yamux say less. @throws MeshError `internal/invariant` when this version of yamux is built otherwise */
export function updateWindowRarely(stream: Stream): void {
  const window = stream as Stream & Partial<WindowInternals>;
  assert(isAsWeKnowIt(window), "yamux is built as we know it");
  const update = window.sendWindowUpdate.bind(window);
  window.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity } = window;
    if (state !== ESTABLISHED || recvWindowCapacity < recvWindow / 2) update();
  };
}

function isAsWeKnowIt(window: Partial<WindowInternals>): window is WindowInternals {
  const { state, recvWindow, recvWindowCapacity, sendWindowUpdate } = window;
  const numbers = [state, recvWindow, recvWindowCapacity];
  return numbers.every((one) => typeof one === "number") && typeof sendWindowUpdate === "function";
}
