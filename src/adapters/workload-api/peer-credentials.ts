// Who is at the other end of a Unix socket, from the kernel: SO_PEERCRED (unix(7)), taken when the peer connected. Node.js has no
// API for it, so getsockopt(2) is called through node:ffi; docs/design-notes.md says what else was looked at.

import type { Socket } from "node:net";
import type * as Ffi from "node:ffi";
import { MeshError } from "../../foundation/index.ts";

// <sys/socket.h>, the same on x86-64 and arm64.
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid. */
const UCRED_BYTES = 12;

/** The process that connected, with its effective ids. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Asks the kernel; undefined when it does not say. */
export type ReadCredentials = (socket: Socket) => PeerCredentials | undefined;

/** @throws MeshError `workload/no-peer-credentials` when this Node.js cannot ask */
export function openPeerCredentials(): ReadCredentials {
  // By name and not by import: older releases of Node.js have no such module.
  const ffi = process.getBuiltinModule("node:ffi") as typeof Ffi | undefined;
  if (ffi === undefined) {
    throw new MeshError(
      "workload/no-peer-credentials",
      `Cannot serve the Workload API: Node.js ${process.version} has no node:ffi, so callers cannot be identified. Run the packaged meshd, or set workload_api.socket to off.`,
    );
  }
  const { getsockopt } = ffi.dlopen(null, {
    getsockopt: { arguments: ["int32", "int32", "int32", "buffer", "buffer"], return: "int32" },
  }).functions;
  return (socket) => {
    const descriptor = descriptorOf(socket);
    if (descriptor === undefined) return undefined;
    const ucred = Buffer.alloc(UCRED_BYTES);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(UCRED_BYTES);
    const failed = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, ucred, length) !== 0;
    if (failed || length.readUInt32LE() !== UCRED_BYTES) return undefined;
    const pid = ucred.readInt32LE(0);
    // 0: a process of a PID namespace that is none of ours.
    return pid > 0 ? { pid, uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) } : undefined;
  };
}

/** The socket's descriptor, which Node.js has on its handle for Unix sockets. */
function descriptorOf(socket: Socket): number | undefined {
  const { fd } = (socket as { readonly _handle?: { readonly fd?: unknown } })._handle ?? {};
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
