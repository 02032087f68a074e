// The daemon's exit statuses: what a supervisor needs to know about an end is whether starting again may help.

import { exitStatus } from "../control/index.ts";

/** EX_CONFIG of <sysexits.h>, as systemd names it too. */
export const EXIT_CONFIG = 78;

/** Starting again changes nothing here; a taken port or a full disk may be free the next time. */
const MENDED_BY_PEOPLE = new Set([
  "state/corrupt",
  "state/schema-too-new",
  "state/key-missing",
  "state/key-unreadable",
  "state/key-conflict",
  "state/credential-unusable",
]);

/** The exit status of a daemon that ends with an error of this code. */
export function daemonExitStatus(code: string): number {
  const forPeople = code.startsWith("config/") || MENDED_BY_PEOPLE.has(code);
  return forPeople ? EXIT_CONFIG : exitStatus.failure;
}
