// An Ethernet switch between TAP devices that delays, drops and partitions: what netem and a bridge do, for kernels that
// have no netem. Started with the names of the devices to make; takes a SwitchState as message, and ends with its parent.

import { openSync, read, writeSync } from "node:fs";

export interface SwitchState {
  /** One way. */
  readonly delayMs: number;
  readonly lossRatio: number;
  /** Ports that reach only one another. */
  readonly side: readonly number[];
}

// <linux/if_tun.h>, the same on x86-64 and arm64.
const TUNSETIFF = 0x400454can;
const IFF_TAP_NO_PI = 0x1002;
const IFREQ_BYTES = 40;
const FLAGS_OFFSET = 16;
const FRAME_BYTES_MAX = 2_048;
const ADDRESS_BYTES = 6;

let state: SwitchState = { delayMs: 0, lossRatio: 0, side: [] };
/** Which port an Ethernet address is behind. */
const ports = new Map<string, number>();
const devices = process.argv.slice(2).map(openTap);

function openTap(name: string): number {
  const ffi = process.getBuiltinModule("node:ffi");
  const { ioctl } = ffi.dlopen(null, {
    ioctl: { arguments: ["int32", "uint64", "buffer"], return: "int32" },
  }).functions;
  const descriptor = openSync("/dev/net/tun", "r+");
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name);
  request.writeUInt16LE(IFF_TAP_NO_PI, FLAGS_OFFSET);
  if (ioctl(descriptor, TUNSETIFF, request) !== 0) throw new Error(`no TAP device ${name}`);
  return descriptor;
}

function receive(port: number): void {
  const frame = Buffer.allocUnsafe(FRAME_BYTES_MAX);
  read(devices[port] ?? -1, frame, 0, FRAME_BYTES_MAX, null, (error, length) => {
    // EIO: the device is down; EAGAIN and the like: nothing to read. Both pass.
    if (error === null) forward(port, frame.subarray(0, length));
    if (error === null) receive(port);
    else setTimeout(() => receive(port), 20);
  });
}

function forward(from: number, frame: Buffer): void {
  const to = ports.get(frame.toString("latin1", 0, ADDRESS_BYTES));
  ports.set(frame.toString("latin1", ADDRESS_BYTES, 2 * ADDRESS_BYTES), from);
  for (const port of to === undefined ? devices.keys() : [to]) {
    if (port === from || state.side.includes(port) !== state.side.includes(from)) continue;
    if (Math.random() < state.lossRatio) continue;
    if (state.delayMs === 0) deliver(port, frame);
    else setTimeout(deliver, state.delayMs, port, frame);
  }
}

/** A device that is down takes no frame: it is lost, as on a wire. */
function deliver(port: number, frame: Buffer): void {
  try {
    writeSync(devices[port] ?? -1, frame);
  } catch {
    // lost
  }
}

for (const port of devices.keys()) receive(port);
process.on("message", (message: SwitchState) => {
  state = message;
  process.send?.("taken");
});
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.send?.("ready");
