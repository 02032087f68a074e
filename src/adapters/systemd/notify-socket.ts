// Datagrams to the service manager (sd_notify(3)). Node.js has no datagram Unix socket, so libc's socket(2) and
// sendto(2) are called through node:ffi; docs/design-notes.md says why not through systemd-notify(1).

import type * as Ffi from "node:ffi";
import { errorMessage, MeshError } from "../../foundation/index.ts";

/** Codes of what a service manager gives that cannot be used. */
export type SystemdErrorCode = "systemd/notify-unusable" | "systemd/notify-failed";

// <sys/socket.h>, the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** Never block the event loop for a manager that does not read, never die of SIGPIPE. */
const MSG_DONTWAIT_NOSIGNAL = 0x4040;
/** `sun_path` of Linux. */
const PATH_BYTES_MAX = 108;

/** An open socket to the address in NOTIFY_SOCKET. */
export class NotifySocket {
  readonly #libc: ReturnType<typeof openLibc>;
  readonly #address: Uint8Array;
  readonly #descriptor: number;

  /**
   * @param address an absolute path, or `@name` in the abstract namespace
   * @throws MeshError `systemd/notify-unusable`
   */
  constructor(address: string) {
    try {
      this.#address = socketAddress(address);
      this.#libc = openLibc();
      this.#descriptor = this.#libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
      if (this.#descriptor < 0) throw new Error("socket(2) failed");
    } catch (cause) {
      throw new MeshError<SystemdErrorCode>(
        "systemd/notify-unusable",
        `Cannot tell the service manager anything by NOTIFY_SOCKET='${address}': ${errorMessage(cause)}. Unset it or use Type=exec in the unit.`,
        { address },
        { cause },
      );
    }
  }

  /** Sends assignments such as `READY=1`, in one datagram. @throws MeshError `systemd/notify-failed` */
  send(assignments: readonly string[]): void {
    const message = Buffer.from(assignments.join("\n"));
    const sent = this.#libc.sendto(
      this.#descriptor,
      message,
      BigInt(message.length),
      MSG_DONTWAIT_NOSIGNAL,
      this.#address,
      this.#address.length,
    );
    if (sent === BigInt(message.length)) return;
    throw new MeshError<SystemdErrorCode>(
      "systemd/notify-failed",
      "The service manager's NOTIFY_SOCKET takes no message. Look whether it runs, and at NotifyAccess= of the unit.",
    );
  }
}

function openLibc() {
  // By name and not by import: older releases of Node.js have no such module, and need none without systemd.
  const ffi = process.getBuiltinModule("node:ffi") as typeof Ffi | undefined;
  if (ffi === undefined) throw new Error(`Node.js ${process.version} has no node:ffi`);
  // null: the program itself, which is linked with libc.
  return ffi.dlopen(null, {
    socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
    sendto: {
      arguments: ["int32", "buffer", "uint64", "int32", "buffer", "uint32"],
      return: "int64",
    },
  }).functions;
}

/** A `struct sockaddr_un`, as long as it has to be. */
function socketAddress(address: string): Uint8Array {
  const isAbstract = address.startsWith("@");
  if (!isAbstract && !address.startsWith("/"))
    throw new Error("it is neither an absolute path nor an abstract name");
  const path = Buffer.from(isAbstract ? `\0${address.slice(1)}` : `${address}\0`);
  if (path.length > PATH_BYTES_MAX) throw new Error(`it is longer than ${PATH_BYTES_MAX} bytes`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, path]);
}
