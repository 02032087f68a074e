// Network namespaces on this host, one a node, on an Ethernet that can be cut, slowed and made lossy.
//
// Two ways to build it. Where the kernel has netem, veth pairs on bridges and `tc`. Where it has not (it is a module that
// many virtual machines lack), TAP devices whose frames a process of ours carries: see tap-switch.ts. What a node sees is
// the same.

import { accessSync, constants, readdirSync } from "node:fs";
import { isBuiltin } from "node:module";
import { DEVICE, type Fabric, tool } from "./fabric.ts";
import { TapFabric } from "./tap-fabric.ts";
import { VethFabric } from "./veth-fabric.ts";

export function addressOf(node: number): string {
  return `10.77.0.${node + 1}`;
}

/** Namespaces `<prefix>-0` … with their devices up, over the best fabric that this host can have. */
export class Namespaces {
  readonly fabric: Fabric;
  readonly names: readonly string[];
  readonly #lan: string;

  private constructor(fabric: Fabric, names: readonly string[], lan: string) {
    this.fabric = fabric;
    this.names = names;
    this.#lan = lan;
  }

  /** Why this host cannot have them; undefined: it can. */
  static async missing(): Promise<string | undefined> {
    if (process.platform !== "linux") return "network namespaces are a thing of Linux";
    const name = `x0${process.pid}try`;
    try {
      await tool("ip", "netns", "add", name);
    } catch {
      return "no network namespaces: needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN) and iproute2";
    }
    try {
      if (await hasNetem(name)) return undefined;
      accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
      return isBuiltin("node:ffi")
        ? undefined
        : "no netem in this kernel, and for TAP devices no node:ffi in this Node.js";
    } catch {
      return "neither netem nor /dev/net/tun in this kernel";
    } finally {
      await tool("ip", "netns", "del", name);
    }
  }

  /** Makes them; what an earlier run left behind when it was killed goes first. */
  static async make(nodes: number): Promise<Namespaces> {
    await removeStale();
    const lan = `x0${process.pid}lan`;
    const names = Array.from({ length: nodes }, (_, node) => `x0${process.pid}n${node}`);
    try {
      for (const name of [lan, ...names]) await tool("ip", "netns", "add", name);
      const fabric = (await hasNetem(lan))
        ? await VethFabric.make(lan, names)
        : await TapFabric.make(names);
      for (const [node, name] of names.entries()) {
        await tool("ip", "-n", name, "link", "set", "lo", "up");
        await tool("ip", "-n", name, "addr", "add", `${addressOf(node)}/24`, "dev", DEVICE);
        await tool("ip", "-n", name, "link", "set", DEVICE, "up");
      }
      return new Namespaces(fabric, names, lan);
    } catch (error) {
      await remove([lan, ...names]);
      throw error;
    }
  }

  /** Pulls a node's cable, or puts it back. */
  async plug(node: number, state: "up" | "down"): Promise<void> {
    await tool("ip", "-n", this.names[node] ?? "", "link", "set", DEVICE, state);
  }

  async close(): Promise<void> {
    await this.fabric.close();
    await remove([this.#lan, ...this.names]);
  }
}

async function hasNetem(namespace: string): Promise<boolean> {
  try {
    await tool("tc", "-n", namespace, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms");
    await tool("tc", "-n", namespace, "qdisc", "del", "dev", "lo", "root");
    return true;
  } catch {
    return false; // no tc, or a kernel without the module
  }
}

async function remove(names: readonly string[]): Promise<void> {
  await Promise.allSettled(names.map((name) => tool("ip", "netns", "del", name)));
}

/** Namespaces of processes that are gone: the kernel keeps them for nobody. */
async function removeStale(): Promise<void> {
  const stale = (await tool("ip", "netns", "list"))
    .split("\n")
    .flatMap((line) => /^(x0(\d+)(?:lan|try|n\d+))\b/.exec(line)?.slice(1, 3) ?? []);
  const running = new Set(readdirSync("/proc"));
  for (let at = 0; at < stale.length; at += 2)
    if (!running.has(stale[at + 1] ?? "")) await remove([stale[at] ?? ""]);
}
