// Nodes on a bridge by veth pairs; netem where a frame leaves the bridge. A partition is a second bridge, to which one
// side is moved. The bridges have a namespace of their own, so that nothing of it meets the host's network.

import { DEVICE, type Fabric, type Impairment, tool } from "./fabric.ts";

const BRIDGES = ["br0", "br1"] as const;

export class VethFabric implements Fabric {
  readonly kind = "veth, bridge, tc netem";
  readonly #lan: string;
  readonly #nodes: number;

  private constructor(lan: string, nodes: number) {
    this.#lan = lan;
    this.#nodes = nodes;
  }

  static async make(lan: string, names: readonly string[]): Promise<VethFabric> {
    for (const bridge of BRIDGES) {
      await tool("ip", "-n", lan, "link", "add", bridge, "type", "bridge");
      await tool("ip", "-n", lan, "link", "set", bridge, "up");
    }
    for (const [node, name] of names.entries()) {
      const pair = ["type", "veth", "peer", "name", DEVICE, "netns", name];
      await tool("ip", "-n", lan, "link", "add", `v${node}`, ...pair);
      await tool("ip", "-n", lan, "link", "set", `v${node}`, "master", BRIDGES[0], "up");
    }
    return new VethFabric(lan, names.length);
  }

  async impair({ delayMs, lossRatio }: Impairment): Promise<void> {
    const netem = ["netem", "delay", `${delayMs}ms`, "loss", `${lossRatio * 100}%`];
    for (let node = 0; node < this.#nodes; node++) {
      const device = ["dev", `v${node}`, "root"];
      await tool("tc", "-n", this.#lan, "qdisc", "replace", ...device, ...netem, "limit", "10000");
    }
  }

  async partition(side: readonly number[]): Promise<void> {
    for (let node = 0; node < this.#nodes; node++) {
      const bridge = side.includes(node) ? BRIDGES[1] : BRIDGES[0];
      await tool("ip", "-n", this.#lan, "link", "set", `v${node}`, "master", bridge);
    }
  }

  close(): Promise<void> {
    return Promise.resolve(); // all of it is in the namespaces
  }
}
