// Chaos scenarios that combine classes.

import { chaosTests } from "./chaos.ts";

chaosTests("combined", 8);
