// The bytes of one TCP connection over one stream of the mesh, both ways, with each side's pace: whoever cannot take more stops the other,
// and an end of one direction is passed on while the other goes on, as TCP has it.

import type { Socket } from "node:net";
import type { Stream } from "@libp2p/interface";
import type { Uint8ArrayList } from "uint8arraylist";

/** What went through, in bytes as the socket's side sees them. */
export interface Relayed {
  /** Read from the socket. */
  readonly sent: (bytes: number) => void;
  /** Written to the socket. */
  readonly received: (bytes: number) => void;
}

/**
 * Relays until both directions have ended, or until either side fails, which resets the other: what was cut off must not look like an end.
 * Never rejects.
 */
export function relay(socket: Socket, stream: Stream, relayed: Relayed): Promise<void> {
  return new Promise((resolve) => {
    const failed = (): void => {
      reset(socket);
      stream.abort(new Error("the tunnel's connection failed"));
      resolve();
    };
    socketToStream(socket, stream, relayed, failed);
    streamToSocket(socket, stream, relayed);
    socket.once("error", failed);
    socket.once("close", () => {
      // Whoever destroys a socket from elsewhere brings no error, but ends neither direction.
      if (socket.readableEnded && socket.writableFinished) resolve();
      else failed();
    });
    stream.addEventListener("close", ({ error }) => {
      if (error !== undefined) failed();
    });
  });
}

/**
 * Closes a socket with a reset, so that whoever is at its other end learns that this is no proper end. Not while its own end is on the way: libuv
 * refuses that, Node.js 26 does not notice, and the handle keeps the process from ever exiting.
 */
export function reset(socket: Socket): void {
  if (socket.destroyed || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

function socketToStream(
  socket: Socket,
  stream: Stream,
  { sent }: Relayed,
  failed: () => void,
): void {
  socket.on("data", (chunk: Buffer) => {
    sent(chunk.length);
    try {
      if (!stream.send(chunk)) socket.pause();
    } catch {
      failed(); // the stream has been closed meanwhile
    }
  });
  stream.addEventListener("drain", () => socket.resume());
  socket.once("end", () => {
    stream.close().catch(failed);
  });
}

function streamToSocket(socket: Socket, stream: Stream, { received }: Relayed): void {
  stream.addEventListener("message", ({ data }) => {
    received(data.byteLength);
    const hasRoom = chunksOf(data).map((chunk) => socket.write(chunk));
    if (hasRoom.at(-1) === false && stream.readStatus === "readable") stream.pause();
  });
  socket.on("drain", () => {
    if (stream.readStatus === "paused") stream.resume();
  });
  const ended = (): void => {
    // A stream that fails "ends" as well, just before it says so.
    if (stream.status !== "aborted" && stream.status !== "reset") socket.end();
  };
  if (stream.readableEnded) ended();
  else stream.addEventListener("end", ended, { once: true });
}

function chunksOf(data: Uint8Array | Uint8ArrayList): Uint8Array[] {
  return data instanceof Uint8Array ? [data] : [...data];
}
