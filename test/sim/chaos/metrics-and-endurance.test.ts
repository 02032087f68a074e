// Chaos scenarios that hold a figure to its bound, and those that last.

import { chaosTests } from "./chaos.ts";

chaosTests("metrics", 4);
chaosTests("endurance", 2);
