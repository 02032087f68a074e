// Chaos scenarios of nodes and of liars.

import { chaosTests } from "./chaos.ts";

chaosTests("node", 10);
chaosTests("byzantine", 8);
