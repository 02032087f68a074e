// What meshctl asks of the daemon's program when no daemon is needed: see control/maintenance.ts.

import { checkAuditLog } from "../adapters/audit/audit-files.ts";
import { createNativeEngine } from "../adapters/crypto/native.ts";
import { parseConfig } from "../config/index.ts";
import type { OfflineRequest } from "../control/index.ts";
import { restoreBackup, verifyBackup } from "./backup/restore.ts";
import { effectiveOf } from "./config-view.ts";
import { doctorOfHost } from "./doctor/doctor.ts";
import { verdictBody } from "./operations.ts";

/** Carries out one request. @throws MeshError whatever the work throws */
export async function maintain(
  request: OfflineRequest,
  readText: (file: string) => string,
): Promise<object> {
  switch (request.verb) {
    case "config":
      return effectiveOf({ file: request.config, text: readText(request.config) });
    case "doctor":
      return doctorOfHost(request.config, readText(request.config));
    case "audit-verify": {
      const { directory, heads, nodeId } = request;
      const expected = { keptHeads: heads, ...(nodeId === undefined ? {} : { nodeId }) };
      return verdictBody(await checkAuditLog(createNativeEngine(), directory, expected));
    }
    case "backup-verify":
      return verifyBackup(request.file, request.passphrase);
    case "backup-restore": {
      const { file, config, passphrase, replace } = request;
      const { stateDir } = parseConfig(readText(config), config);
      return restoreBackup({ file, passphrase, stateDir, replace, now: new Date() });
    }
  }
}
