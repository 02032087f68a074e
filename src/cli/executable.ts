// The main program of the single executable: meshctl if it was started under that name, else meshd.

import { basename } from "node:path";

if (basename(process.argv0) === "meshctl") await import("./meshctl.ts");
else await import("./meshd.ts");
