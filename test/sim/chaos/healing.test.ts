// Chaos scenarios of nodes that heal themselves.

import { chaosTests } from "./chaos.ts";

chaosTests("healing", 3);
