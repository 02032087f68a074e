// Two daemons behind NATs of their own, and two relays: real processes in network namespaces.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type DaemonProcess,
  enrol,
  type FileOptions,
  spawnDaemon,
  Stack,
  sumOf,
  until,
} from "../integration/node/harness.ts";
import { NatLab, natLabMissing } from "./nat-lab.ts";

const DEADLINE_MS = 25_000;
const missing = natLabMissing();

describe("two nodes behind NATs", { skip: missing ?? false }, () => {
  const stack = new Stack();
  let relays: Record<string, DaemonProcess>;
  let a: DaemonProcess;
  let b: DaemonProcess;

  const via = (daemon: DaemonProcess, name: string, deadlineMs = DEADLINE_MS): Promise<string> =>
    until(
      `${name} to be linked through a relay`,
      async () => {
        const peer = await daemon.peer(name);
        return peer?.state === "alive" && peer.connected && peer.relay !== null && peer.relay;
      },
      deadlineMs,
    );

  before(async () => {
    const lab = new NatLab(stack);
    const start = async (host: string, mesh: FileOptions["mesh"] = {}): Promise<DaemonProcess> => {
      const options: FileOptions = { mesh: { listen: ["/ip4/0.0.0.0/tcp/4001"], ...mesh } };
      return spawnDaemon(stack, options, undefined, lab.command(host)).answers(DEADLINE_MS);
    };
    const [one, two] = [lab.host(), lab.host()];
    const hidden = [lab.hiddenHost(), lab.hiddenHost()] as const;
    const daemons = await Promise.all([
      start(one, { relay: "server" }),
      start(two, { relay: "server" }),
      start(hidden[0]),
      start(hidden[1]),
    ]);
    const [relay1, relay2] = daemons;
    [, , a, b] = daemons;
    relays = { relay1, relay2 };
    await enrol({ relay1, relay2, a, b });
  });
  after(() => stack.unwind());

  test("see one another's beacons over an authenticated link through a relay", async () => {
    assert.ok(["relay1", "relay2"].includes(await via(a, "b")));
    const peer = await a.peer("b");
    assert.equal(peer?.suite, "xxhfs-mldsa65");
    assert.ok(peer.sequence > 0, "its beacons come");
    await until("the metric to show it", async () =>
      sumOf((await a.client.metrics()).text, "meshd_network_relayed_links"),
    );
    await until("b to tell how it is reached", async () =>
      (await a.peer("b"))?.addresses.some((address) => address.endsWith("/p2p-circuit")),
    );
  });

  test("find another relay when theirs dies, without losing one another for good", async () => {
    const used = await via(a, "b");
    await relays[used]?.end("SIGKILL");
    const other = await until(
      "the other relay to be used",
      async () => {
        const now = (await a.peer("b"))?.relay ?? null;
        return now !== null && now !== used && now;
      },
      DEADLINE_MS,
    );
    assert.ok(other in relays);
    await via(b, "a");
  });
});
