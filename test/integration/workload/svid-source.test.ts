// A fleet that has SPIRE and none of our issuers: nodes take their SVIDs from the agent on their host, here a stand-in. What rotates, is
// pushed; a stream between the nodes lasts through all of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  assertRefused,
  type FileOptions,
  hasten,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  until,
} from "../node/harness.ts";
import { Authority, StandInAgent } from "./stand-in-agent.ts";

const DOMAIN = "spire.example";
const stack = new Stack();
const RIGHTS = ["mesh.join", "mesh.classical", "beacon.publish", "tunnel.connect:*"];
const allow = (...names: string[]) =>
  names.map((name) => ({ spiffe: `spiffe://${DOMAIN}/node/${name}`, allow: RIGHTS }));

interface Host {
  readonly agent: StandInAgent;
  readonly directory: string;
  readonly options: FileOptions;
}

async function host(policy: FileOptions["policy"], bootstrap: string[] = []): Promise<Host> {
  const directory = scratch(stack);
  const socket = join(directory, "agent.sock");
  const agent = new StandInAgent(socket);
  await agent.start();
  stack.after(() => agent.stop());
  const identity = { source: "workload-api", socket };
  const mesh = { bootstrap };
  return { agent, directory, options: { identity, mesh, ...(policy && { policy }) } };
}

async function codes(daemon: InProcessDaemon): Promise<string[]> {
  const { health } = await daemon.status();
  return health.map(({ code }) => code).filter((code) => code.startsWith("identity/"));
}

const serial = async (daemon: InProcessDaemon): Promise<string> =>
  (await daemon.status()).svid?.serialNumber ?? "";

let authority: Authority;
let hosts: { a: Host; b: Host };
let a: InProcessDaemon;
let b: InProcessDaemon;
let stream: Socket;

before(async () => {
  hasten(stack);
  authority = new Authority(DOMAIN);
  const one = await host(allow("a", "b"));
  a = await startDaemon(stack, one.options, one.directory);
  one.agent.give([authority.issue("/node/a")], [authority.root], DOMAIN);
  const address = await until("a to be a member", async () => (await a.status()).node.addresses[0]);
  const two = await host(allow("*"), [address]);
  two.agent.give([authority.issue("/web"), authority.issue("/node/b")], [authority.root], DOMAIN);
  b = await startDaemon(stack, two.options, two.directory);
  hosts = { a: one, b: two };
  await a.connected("b");
  await b.connected("a");
  stream = await openStream();
});
after(() => stack.unwind());

async function openStream(): Promise<Socket> {
  const service = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  const { port: targetPort } = service.address() as { port: number };
  await a.client.expose({ port: 7, host: "127.0.0.1", targetPort });
  const asked = { peer: "a", host: "127.0.0.1", port: 0, remotePort: 7 };
  const { forwards } = await b.client.forward(asked);
  const socket = connect(forwards[0]?.port ?? 0, "127.0.0.1");
  stack.after(() => {
    socket.destroy();
    service.close();
  });
  await once(socket, "connect");
  return socket;
}

async function assertStreamLives(): Promise<void> {
  stream.write("still here");
  const [answer] = (await once(stream, "data", { signal: AbortSignal.timeout(10_000) })) as [
    Buffer,
  ];
  assert.equal(answer.toString(), "still here");
}

/** Gives both nodes SVIDs of an authority, and waits until they use them. */
async function rotate(issuer: Authority, roots: readonly Uint8Array[]): Promise<void> {
  const was = [await serial(a), await serial(b)];
  hosts.a.agent.give([issuer.issue("/node/a")], roots, DOMAIN);
  hosts.b.agent.give([issuer.issue("/node/b")], roots, DOMAIN);
  await until("both to use the new SVIDs", async () => {
    const now = [await serial(a), await serial(b)];
    return now.every((number, index) => number !== was[index]);
  });
}

describe("nodes with SVIDs of a Workload API", () => {
  test("are members under the name that the agent gives, and say that the chain is classical", async () => {
    const { node, svid } = await b.status();
    assert.equal(node.spiffeId, `spiffe://${DOMAIN}/node/b`);
    assert.equal(node.state, "running");
    assert.equal(svid?.source, "workload-api");
    assert.equal(svid.classical, true);
    assert.deepEqual(await codes(b), ["identity/classical"]);
    assert.equal((await b.peer("a"))?.suite, "xxhfs-mldsa65", "the handshake is the hybrid one");
    const { chain } = await b.client.identity();
    assert.deepEqual(
      chain.map(({ subject }) => subject),
      [`spiffe://${DOMAIN}/node/b`],
    );
    const external = /identity\.source/;
    await assertRefused(
      b.client.init({ trustDomain: DOMAIN, name: "b" }),
      "identity/source-external",
      external,
    );
  });

  test("[W15] take every rotation that is pushed, the authority's too, drop no stream, and forget a root that is told no more", async () => {
    const handshakes = await a.metric("meshd_handshake_duration_seconds_count");
    await rotate(authority, [authority.root]);
    await assertStreamLives();
    const next = new Authority(DOMAIN);
    await rotate(authority, [authority.root, next.root]);
    await rotate(next, [authority.root, next.root]);
    await rotate(next, [next.root]);
    await assertStreamLives();
    hosts.a.agent.give([authority.issue("/node/a")], [next.root], DOMAIN);
    await until("a to refuse an SVID of the old authority", async () => {
      const { health } = await a.status();
      return health.some(({ message }) => /identity\/untrusted/.test(message));
    });
    authority = next;
    await rotate(authority, [authority.root]);
    await assertStreamLives();
    assert.equal(await a.metric("meshd_handshake_duration_seconds_count"), handshakes);
    assert.equal((await a.client.identity()).bundle?.sequence, 3);
    assert.equal((await b.peer("a"))?.connected, true);
  });

  test("outlast the agent, say so, start again without it, and follow it when it is back", async () => {
    await hosts.a.agent.stop();
    await until("a to miss its agent", async () =>
      (await codes(a)).includes("identity/source-silent"),
    );
    await assertStreamLives();
    stream.destroy();
    await a.stop();
    const mesh = { bootstrap: [await b.address()] };
    a = await startDaemon(stack, { ...hosts.a.options, mesh }, hosts.a.directory);
    await a.connected("b");
    await hosts.a.agent.start();
    const was = await serial(a);
    hosts.a.agent.give([authority.issue("/node/a")], [authority.root], DOMAIN);
    await until("a to use what the agent gives now", async () => (await serial(a)) !== was);
    await until(
      "a to be content",
      async () => !(await codes(a)).includes("identity/source-silent"),
    );
  });

  test("are refused where the policy says nothing of classical chains: by peers, and by themselves", async () => {
    const silent = await host(undefined);
    silent.agent.give([authority.issue("/node/c")], [authority.root], DOMAIN);
    const c = await startDaemon(stack, silent.options, silent.directory);
    await until("c to say why it is in no mesh", async () => {
      const { node, health } = await c.status();
      const told = health.find(({ code }) => code === "identity/source-silent");
      return (
        node.state === "unenrolled" && told !== undefined && /mesh\.classical/.test(told.message)
      );
    });

    const bold = await host(allow("*"), [await a.address()]);
    bold.agent.give([authority.issue("/node/d")], [authority.root], DOMAIN);
    const refused = (): Promise<number> =>
      a.metric("meshd_identity_denials_total", { right: "mesh.classical" });
    const before = await refused();
    const d = await startDaemon(stack, bold.options, bold.directory);
    await until("a to refuse d", async () => (await refused()) > before);
    assert.equal(await a.peer("d"), undefined);
    // The last word of the handshake is d's: for a moment it holds a connection that a gives up.
    await until("d to have lost a", async () => (await d.peer("a"))?.connected !== true);
  });

  test("take no other name later, and none that is no node's", async () => {
    hosts.b.agent.give([authority.issue("/node/other")], [authority.root], DOMAIN);
    const message = async (): Promise<string> =>
      (await b.status()).health.find(({ code }) => code === "identity/source-silent")?.message ??
      "";
    await until("b to refuse another name", async () => /has been 'b'/.test(await message()));
    hosts.b.agent.give([authority.issue("/web")], [authority.root], DOMAIN);
    await until("b to refuse a workload's", async () => /none of which is/.test(await message()));
    hosts.b.agent.give([], [], DOMAIN);
    await until("b to hear that it has no entry", async () =>
      /permissionDenied/.test(await message()),
    );
    assert.equal((await b.status()).node.spiffeId, `spiffe://${DOMAIN}/node/b`);
  });
});
