// meshctl as a program: its name and its verbs. The command line runs it; man pages and completions are made from it.

import { auditCommand } from "./commands/audit.ts";
import { backupCommand } from "./commands/backup.ts";
import { beaconsCommand } from "./commands/beacons.ts";
import { bugreportCommand } from "./commands/bugreport.ts";
import { completionCommand } from "./commands/completion.ts";
import { configCommand } from "./commands/config.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { entryCommand } from "./commands/entry.ts";
import { flCommand } from "./commands/fl/fl.ts";
import { healCommand } from "./commands/heal.ts";
import { identityCommand } from "./commands/identity.ts";
import { incidentsCommand } from "./commands/incidents.ts";
import { initCommand } from "./commands/init.ts";
import { joinCommand } from "./commands/join.ts";
import { linksCommand } from "./commands/links.ts";
import { loadCommand } from "./commands/load.ts";
import { logCommand } from "./commands/log.ts";
import { lookupCommand } from "./commands/lookup.ts";
import { peersCommand } from "./commands/peers.ts";
import { policyCommand } from "./commands/policy.ts";
import { quarantineCommand } from "./commands/quarantine.ts";
import { routeCommand } from "./commands/route.ts";
import { simCommand } from "./commands/sim.ts";
import { statusCommand } from "./commands/status.ts";
import { tokenCommand } from "./commands/token.ts";
import { trustCommand } from "./commands/trust.ts";
import { zonesCommand } from "./commands/zones.ts";
import { exposeCommand, forwardCommand, tunnelsCommand } from "./commands/tunnels.ts";
import { waitCommand } from "./commands/wait.ts";
import type { Program } from "./run-program.ts";
import { versionText } from "./version.ts";

/** meshctl; the order of its verbs is that of its help. */
export const meshctlProgram: Program = {
  name: "meshctl",
  description: "Looks into a running meshd and tells it what to do.",
  version: versionText,
  commands: [
    statusCommand,
    peersCommand,
    lookupCommand,
    beaconsCommand,
    zonesCommand,
    quarantineCommand,
    healCommand,
    incidentsCommand,
    auditCommand,
    policyCommand,
    trustCommand,
    linksCommand,
    routeCommand,
    identityCommand,
    flCommand,
    initCommand,
    tokenCommand,
    joinCommand,
    entryCommand,
    forwardCommand,
    exposeCommand,
    tunnelsCommand,
    waitCommand,
    doctorCommand,
    bugreportCommand,
    backupCommand,
    configCommand,
    logCommand,
    devCommand,
    simCommand,
    loadCommand,
    completionCommand,
  ],
};
