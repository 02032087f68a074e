// The main program of the single executable: meshctl if it was started under that name, else meshd.

import { writeFileSync } from "node:fs";
import { basename } from "node:path";

const name = basename(process.argv0) === "meshctl" ? "meshctl" : "meshd";
try {
  // By this name top, pgrep and the kernel's log know a process, and Node.js makes it "node-MainThread".
  writeFileSync("/proc/self/comm", name);
} catch {
  // A sandbox may forbid it, and only people who look for the process miss something.
}
await (name === "meshctl" ? import("./meshctl.ts") : import("./meshd.ts"));
