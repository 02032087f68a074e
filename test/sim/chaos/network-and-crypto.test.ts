// Chaos scenarios of the network and of cryptography.

import { chaosTests } from "./chaos.ts";

chaosTests("network", 10);
chaosTests("crypto", 6);
