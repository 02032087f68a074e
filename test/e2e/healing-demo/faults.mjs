// Loaded into each daemon of the demonstration before its program (`node --import`): faults of a host and of a part, as its
// parent tells them over the process's channel. The daemon itself knows nothing of it.
// { stepMs }: the wall clock is off by so much from now on. { leakMebibytes, perSecond }: the trainer's thread holds so many
// mebibytes more at once, and some each second.

import { BroadcastChannel, isMainThread, threadName } from "node:worker_threads";

const MEBIBYTE = 1024 * 1024;
/** Exported so that it stays: a channel that nothing refers to is collected as garbage, and hears nothing. */
export const faults = new BroadcastChannel("faults of the demonstration");
faults.unref();

if (isMainThread) {
  const system = Date.now;
  let stepMs = 0;
  Date.now = () => system() + stepMs;
  process.on("message", (fault) => {
    stepMs = fault.stepMs ?? stepMs;
    if (fault.leakMebibytes !== undefined) faults.postMessage(fault);
  });
  process.channel?.unref();
} else if (threadName === "trainer") {
  const leaked = [];
  // Numbers that are no small integers: an array of them is 8 bytes each of the JavaScript heap.
  const leak = (mebibytes) => {
    for (let i = 0; i < mebibytes; i++) leaked.push(new Array(MEBIBYTE / 8).fill(Math.random()));
  };
  faults.onmessage = ({ data: { leakMebibytes, perSecond } }) => {
    leak(leakMebibytes);
    setInterval(leak, 1_000, perSecond).unref();
  };
}
