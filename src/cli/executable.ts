// The main program of the single executable: meshctl or meshload if it was started under that name, else meshd.

import { writeFileSync } from "node:fs";
import { basename } from "node:path";

const programs = {
  meshd: () => import("./meshd.ts"),
  meshctl: () => import("./meshctl.ts"),
  meshload: () => import("./meshload.ts"),
};
const called = basename(process.argv0);
const name = called === "meshctl" || called === "meshload" ? called : "meshd";
try {
  // By this name top, pgrep and the kernel's log know a process, and Node.js makes it "node-MainThread".
  writeFileSync("/proc/self/comm", name);
} catch {
  // A sandbox may forbid it, and only people who look for the process miss something.
}
await programs[name]();
