// Nodes on TAP devices whose frames tap-switch.ts carries, in a process of its own: a test that is busy must not be a slow network.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { DEVICE, type Fabric, type Impairment, tool } from "./fabric.ts";
import type { SwitchState } from "./tap-switch.ts";

export class TapFabric implements Fabric {
  readonly kind = "TAP devices, a switch of our own";
  readonly #switch: ChildProcess;
  #state: SwitchState = { delayMs: 0, lossRatio: 0, side: [] };

  private constructor(process: ChildProcess) {
    this.#switch = process;
  }

  static async make(names: readonly string[]): Promise<TapFabric> {
    // A read of a device takes a thread until a frame comes.
    const env = { ...process.env, UV_THREADPOOL_SIZE: String(names.length + 4) };
    const program = fileURLToPath(new URL("./tap-switch.ts", import.meta.url));
    const execArgv = ["--disable-warning=ExperimentalWarning"];
    const child = fork(program, names.slice(), { env, execArgv });
    const fabric = new TapFabric(child);
    try {
      await Promise.race([
        once(child, "message"),
        once(child, "exit").then(() => Promise.reject(new Error("the switch did not start"))),
      ]);
      for (const name of names)
        await tool("ip", "link", "set", name, "netns", name, "name", DEVICE);
      return fabric;
    } catch (error) {
      await fabric.close();
      throw error;
    }
  }

  impair(impairment: Impairment): Promise<void> {
    return this.#set(impairment);
  }

  partition(side: readonly number[]): Promise<void> {
    return this.#set({ side });
  }

  async close(): Promise<void> {
    if (this.#switch.exitCode !== null || this.#switch.signalCode !== null) return;
    const gone = once(this.#switch, "exit");
    this.#switch.kill("SIGKILL"); // it may wait in reads; the devices go with it
    await gone;
  }

  /** Resolves when the switch has taken it. */
  async #set(change: Partial<SwitchState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    const taken = once(this.#switch, "message");
    this.#switch.send(this.#state);
    await taken;
  }
}
