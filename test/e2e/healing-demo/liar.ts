// A member that lies: it joins as any other, signs two different beacons with one number, hands both to a daemon, and is gone. Run as
// a program, in a namespace of its own: liar.ts ADDRESS TOKEN.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encodeStateBeacon, type StateBeacon } from "../../../src/mesh/index.ts";
import { Stack } from "../../integration/node/harness.ts";
import { framed, HostilePeer } from "../../integration/node/hostile-peer.ts";

const PUSH_PROTOCOL = "/x0tta6bl4/beacon/1";
const program = fileURLToPath(import.meta.url);

/** Runs it to its end. @returns its NodeId */
export async function runLiar(namespace: string, address: string, token: string): Promise<string> {
  const node = [process.execPath, program, address, token];
  const { stdout } = await promisify(execFile)("ip", ["netns", "exec", namespace, ...node]);
  return stdout.trim();
}

async function lie(address: string, token: string): Promise<void> {
  const stack = new Stack();
  const liar = await HostilePeer.make(stack, address, { token, name: "mallory" });
  await liar.connect();
  for (const claimed of ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"]) {
    const beacon: StateBeacon = {
      ...{ nodeId: liar.keys.nodeId, epoch: 1, sequence: 1, status: "up", zone: "default" },
      ...{ addresses: [claimed], roles: [], load: 0, neighbours: [] },
      chain: {
        ...{ base: 0, length: 64, position: 0, intervalMs: 1_000 },
        anchor: new Uint8Array(32),
      },
    };
    const bytes = encodeStateBeacon(beacon, liar.keys.mldsa65);
    await liar.attempt(PUSH_PROTOCOL, framed(bytes));
  }
  process.stdout.write(`${liar.keys.nodeId}\n`);
  await stack.unwind();
}

const [, started, address, token] = process.argv;
if (started === program && address !== undefined && token !== undefined) await lie(address, token);
