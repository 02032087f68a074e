// Which mesh each story is told with.

import { fileURLToPath } from "node:url";
import { authority } from "./stories/authority.ts";
import { clockStep } from "./stories/clock-step.ts";
import { diskFull } from "./stories/disk-full.ts";
import { kill } from "./stories/kill.ts";
import { leak } from "./stories/leak.ts";
import { partition } from "./stories/partition.ts";
import { poison } from "./stories/poison.ts";
import { cedar, type Scene } from "./stories/story.ts";

const faults = fileURLToPath(new URL("./faults.mjs", import.meta.url));

export const scenes: readonly Scene[] = [
  {
    names: ["ash", "birch", "cedar", "elm", "fir"],
    options: {
      flags: ["--import", faults],
      settings: () => ({ learning: { enabled: true } }),
      disk: (node) => (node === cedar ? 16 : undefined),
      strangers: 1,
    },
    stories: [kill, partition, diskFull, poison, leak, clockStep],
  },
  {
    names: ["oak", "pine", "yew"],
    options: {
      settings: () => ({
        identity: { svid_lifetime: "60s", issuer_grace: "10m", clock_skew: "5s" },
      }),
    },
    stories: [authority],
  },
];
