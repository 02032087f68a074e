// meshload: the program behind `meshctl load`. It takes its options as JSON, and tells what it measures as lines of JSON.

import { errorCode, errorMessage } from "../foundation/index.ts";
import { CROWD_OPTION, type LoadOptions, runLoad, serveCrowd } from "../load/index.ts";
import type { LoadLine } from "./load-report.ts";

const [, , request = ""] = process.argv;

function tell(line: LoadLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function run(): Promise<void> {
  const interrupt = new AbortController();
  for (const event of ["SIGINT", "SIGTERM", "disconnect"] as const)
    process.once(event, () => interrupt.abort());
  try {
    await runLoad(JSON.parse(request) as LoadOptions, {
      onStep: (step) => tell({ step }),
      onProgress: (progress) => tell({ progress }),
      signal: interrupt.signal,
    });
    process.exit(0);
  } catch (error) {
    if (!interrupt.signal.aborted)
      tell({ error: { code: errorCode(error), message: errorMessage(error) } });
    process.exit(1);
  }
}

if (request === CROWD_OPTION) serveCrowd();
else await run();
