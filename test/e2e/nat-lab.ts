// Hosts as network namespaces on one bridge, each with one address or behind a NAT of its own. Names and addresses
// carry the process id, so that two runs on a machine do not meet.

import { execFileSync } from "node:child_process";
import type { Cleanup } from "../integration/node/harness.ts";
import { fromSource } from "../integration/node/harness.ts";

function run(...[file = "", ...args]: string[]): void {
  execFileSync(file, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Why namespaces with NAT cannot be made here; undefined when they can. */
export function natLabMissing(): string | undefined {
  const probe = `x0p${process.pid}`;
  try {
    run("ip", "netns", "add", probe);
  } catch {
    return "needs ip (iproute2) and the right to make network namespaces";
  }
  try {
    run("ip", "netns", "exec", probe, "iptables", "-t", "nat", "-L");
    return undefined;
  } catch {
    return "needs iptables with NAT";
  } finally {
    run("ip", "netns", "del", probe);
  }
}

export class NatLab {
  readonly #prefix = `x0${process.pid}`;
  readonly #hub = `${this.#prefix}hub`;
  #hosts = 0;

  constructor(t: Cleanup) {
    const made: string[] = [];
    t.after(() => made.reverse().forEach((name) => run("ip", "netns", "del", name)));
    this.#made = made;
    this.#space(this.#hub);
    this.#in(this.#hub, "ip link add br0 type bridge mcast_snooping 0");
    this.#in(this.#hub, "ip link set br0 up");
  }

  readonly #made: string[];

  /** A host on the bridge. @returns its namespace */
  host(): string {
    const name = `${this.#prefix}h${++this.#hosts}`;
    this.#space(name);
    this.#plug(name);
    return name;
  }

  /** A host behind a NAT; all of them have the same address there. @returns its namespace */
  hiddenHost(): string {
    const router = this.host();
    const name = `${router}i`;
    this.#space(name);
    run("ip", "link", "add", "lan", "netns", router, "type", "veth", "peer", "eth0", "netns", name);
    this.#in(router, "ip addr add 192.168.7.1/24 dev lan");
    this.#in(router, "ip link set lan up");
    this.#in(router, "sysctl -qw net.ipv4.ip_forward=1");
    this.#in(router, "iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE");
    this.#in(name, "ip addr add 192.168.7.2/24 dev eth0");
    this.#in(name, "ip link set eth0 up");
    this.#in(name, "ip route add default via 192.168.7.1");
    return name;
  }

  /** The daemon's program inside a namespace. */
  command(host: string): string[] {
    return ["ip", "netns", "exec", host, ...fromSource()];
  }

  #space(name: string): void {
    run("ip", "netns", "add", name);
    this.#made.push(name);
    this.#in(name, "ip link set lo up");
  }

  #plug(name: string): void {
    const port = `p${this.#hosts}`;
    run(
      "ip",
      "link",
      "add",
      port,
      "netns",
      this.#hub,
      "type",
      "veth",
      "peer",
      "eth0",
      "netns",
      name,
    );
    this.#in(this.#hub, `ip link set ${port} master br0 up`);
    this.#in(name, `ip addr add 10.99.0.${this.#hosts}/24 dev eth0`);
    this.#in(name, "ip link set eth0 up");
    this.#in(name, "ip route add default dev eth0");
  }

  #in(name: string, command: string): void {
    run("ip", "netns", "exec", name, ...command.split(" "));
  }
}
