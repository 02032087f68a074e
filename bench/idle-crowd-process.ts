// The crowd's process (idle-crowd.ts): node idle-crowd-process.ts DIRECTORY NODES. It ends with the process that forked it.

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseConfig } from "../src/config/index.ts";
import { createNode } from "../src/node/index.ts";
import { crowdSocket } from "./idle-crowd.ts";

const [directory = "", nodes = "0"] = process.argv.slice(2);
process.once("disconnect", () => process.exit());
for (let number = 1; number <= Number(nodes); number++) {
  const socket = crowdSocket(directory, number);
  const home = dirname(socket);
  mkdirSync(home, { mode: 0o700 });
  // JSON is YAML.
  const text = JSON.stringify({
    state_dir: join(home, "state"),
    control: { socket },
    mesh: { listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, zone: "auto" },
    telemetry: { metrics: { listen: "127.0.0.1:0" }, log: { level: "error" } },
  });
  const file = join(home, "meshd.yml");
  const node = await createNode(
    { config: parseConfig(text, file), source: { file, text } },
    { version: "0.0.0-bench", commit: "bench" },
  );
  await node.start();
}
process.send?.("ready");
