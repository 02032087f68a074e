// Whether a daemon forgets: thousands of peers come, authenticate, send beacons and leave, and its heap after a garbage collection must
// not grow by them. What it remembers of the gone is bounded (4,096 members, 4,608 identities) and fills up first, so the heap is compared
// between the middle and the end of the run. The collection is asked for through the inspector: nothing in the daemon is made for this.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { daemonRuntime } from "../src/cli/daemon-program.ts";
import { CrowdProcess } from "../src/load/crowd-process.ts";
import { createDomain } from "../src/load/domain.ts";
import { Target } from "../src/load/target.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const STAGES = 10;
/** What was said when the last ones left is worked off, and time-outs of a few seconds have run out. */
const SETTLE_MS = 10_000;
const PROBE_INTERVAL_MS = 1_000;

const root = fileURLToPath(new URL("../", import.meta.url));

export const suite: BenchSuite = async (report, { peers }) => {
  execFileSync(process.execPath, ["packaging/build.mjs", "--quiet"], { cwd: root });
  const node = process.execPath;
  const inspected = ["--inspect=127.0.0.1:0", join(root, "dist/meshd.mjs")];
  const daemon = { file: node, argv0: node, args: [...daemonRuntime.flags, ...inspected] };
  const load = { file: node, argv0: node, args: [join(root, "dist/meshload.mjs")] };
  const domain = createDomain();
  const target = await Target.start(daemon, domain, 0);
  let crowd: CrowdProcess | undefined;
  try {
    const heap = await Inspector.of(readFileSync(target.logFile, "utf8"));
    const shared = { domain, address: target.address, number: 2, observes: false };
    crowd = await CrowdProcess.start(load, { ...shared, probeIntervalMs: PROBE_INTERVAL_MS });
    const held: number[] = [];
    let joined = 0;
    for (let stage = 1; stage <= STAGES; stage++) {
      joined += await crowd.churn(Math.ceil(peers / STAGES));
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const bytes = await heap.liveBytes();
      held.push(bytes);
      report(summarize(`leak/heap after ${joined} peers`, "MB", [bytes / 1e6]));
    }
    const [middle = Number.NaN, end = Number.NaN] = [held[STAGES / 2 - 1], held[STAGES - 1]];
    report(summarize("leak/end against middle", "%", [(100 * (end - middle)) / middle]));
    heap.close();
  } finally {
    await crowd?.stop();
    await target.stop();
  }
};

interface Answer {
  readonly id: number;
  readonly result: { readonly result?: { readonly value?: unknown } };
}

/** The debugger's protocol, as far as a garbage collection needs it. */
class Inspector {
  readonly #socket: WebSocket;
  #requests = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** @param log what Node.js said at its start */
  static async of(log: string): Promise<Inspector> {
    const url = /ws:\/\/\S+/.exec(log)?.[0];
    if (url === undefined) throw new Error("the daemon has no inspector");
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    return new Inspector(socket);
  }

  /** Heap and buffers that are still reachable. */
  async liveBytes(): Promise<number> {
    // Twice: what finalizers let go of in the first is free after the second.
    await this.#ask("HeapProfiler.collectGarbage", {});
    await this.#ask("HeapProfiler.collectGarbage", {});
    const expression = "(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())";
    const { result } = await this.#ask("Runtime.evaluate", { expression, returnByValue: true });
    return Number(result.result?.value);
  }

  close(): void {
    this.#socket.close();
  }

  #ask(method: string, params: object): Promise<Answer> {
    const id = ++this.#requests;
    return new Promise((resolve) => {
      const take = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        this.#socket.removeEventListener("message", take);
        resolve(answer);
      };
      this.#socket.addEventListener("message", take);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}
