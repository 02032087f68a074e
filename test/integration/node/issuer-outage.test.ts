// A mesh without its issuer: nodes outlast it for identity.issuer_grace, say how long is left, and renew by themselves when it comes
// back; then the grace ends. The wall clock is put forward by hand, a stream is held open through all of it; in the end it is put back.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { converged, enrol, hasten, type InProcessDaemon, startDaemon, until } from "./harness.ts";

const MINUTE_MS = 60_000;
const GRACE_MS = 120 * MINUTE_MS;

const realNow = Date.now.bind(Date);
let aheadMs = 0;
Date.now = () => realNow() + aheadMs;

const RIGHTS = ["mesh.join", "beacon.publish", "tunnel.connect:*"];
const OPTIONS = {
  identity: { svid_lifetime: "40m", clock_skew: "0s", issuer_grace: "2h" },
  policy: [{ spiffe: "spiffe://*/node/*", allow: RIGHTS }],
};

async function notAfter(daemon: InProcessDaemon): Promise<number> {
  return Date.parse((await daemon.status()).svid?.notAfter ?? assert.fail("no SVID"));
}

async function notBefore(daemon: InProcessDaemon): Promise<number> {
  return Date.parse((await daemon.status()).svid?.notBefore ?? assert.fail("no SVID"));
}

/** Waits until a daemon has an SVID that is valid now, and no complaint. */
async function renewed(daemon: InProcessDaemon): Promise<void> {
  await until("a renewal", async () => {
    const { health } = await daemon.status();
    const isTold = health.some(({ code }) => code === "identity/renewal-overdue");
    return !isTold && (await notAfter(daemon)) > Date.now();
  });
}

/** A connection from one daemon through another to a service that sends everything back. */
async function openStream(
  t: { after(work: () => void): void },
  from: InProcessDaemon,
  to: { readonly name: string; readonly daemon: InProcessDaemon },
): Promise<Socket> {
  const service = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  const { port: targetPort } = service.address() as { port: number };
  await to.daemon.client.expose({ port: 7, host: "127.0.0.1", targetPort });
  const asked = { peer: to.name, host: "127.0.0.1", port: 0, remotePort: 7 };
  const { forwards } = await from.client.forward(asked);
  const socket = connect(forwards[0]?.port ?? 0, "127.0.0.1");
  await once(socket, "connect");
  t.after(() => {
    socket.destroy();
    service.close();
  });
  return socket;
}

async function assertOpen(stream: Socket, text: string): Promise<void> {
  stream.write(text);
  const [answer] = (await once(stream, "data", { signal: AbortSignal.timeout(10_000) })) as [
    Buffer,
  ];
  assert.equal(answer.toString(), text);
}

test("rotation drops no stream; without an issuer nodes last for the grace, and recover by themselves; from a clock that is put back, too", async (t) => {
  hasten(t);
  const issuer = await startDaemon(t, OPTIONS);
  const b = await startDaemon(t, OPTIONS);
  const c = await startDaemon(t, OPTIONS);
  await enrol({ issuer, b, c });
  await converged({ issuer, b, c });
  const stream = await openStream(t, b, { name: "c", daemon: c });
  await assertOpen(stream, "at first");

  const first = await notAfter(b);
  aheadMs += 25 * MINUTE_MS;
  await until("both to renew", async () => {
    return (await notAfter(b)) > first && (await notAfter(c)) > first;
  });
  await assertOpen(stream, "after a rotation");

  const handshakes = await b.metric("meshd_handshake_duration_seconds_count");
  await issuer.knowsAddresses(2);
  await issuer.stop();
  await b.peerIs("issuer", "left");
  aheadMs += 100 * MINUTE_MS;
  for (const daemon of [b, c]) {
    await until("the node to tell that its SVID is over", async () => {
      const { health } = await daemon.status();
      return health.some(
        ({ code, severity, message }) =>
          code === "identity/renewal-overdue" && severity === "warning" && /expired/.test(message),
      );
    });
  }
  const end = await b.metric("meshd_identity_svid_grace_end_timestamp_seconds");
  assert.equal(end, Math.floor(((await notAfter(b)) + GRACE_MS) / 1000));
  assert.ok((await notAfter(b)) < Date.now() && Date.now() < end * 1000);
  await assertOpen(stream, "in grace");
  assert.equal(await b.metric("meshd_handshake_duration_seconds_count"), handshakes);
  assert.equal((await b.get("/ready")).status, 200);

  // A restart in grace: a handshake with an SVID that is over.
  await c.stop();
  const again = await startDaemon(t, OPTIONS, c.directory);
  await b.connected("c");
  await again.connected("b");

  const root = await startDaemon(t, OPTIONS, issuer.directory);
  await renewed(b);
  await renewed(again);
  await root.connected("b");

  await root.stop();
  const stepMs = 41 * MINUTE_MS + GRACE_MS;
  aheadMs += stepMs;
  await until("b to see the end of the grace", async () =>
    (await b.status()).health.some(({ code }) => code === "identity/expired"),
  );
  await until("b and c to part", async () => (await b.peer("c"))?.connected !== true);

  // The issuer starts while the clocks are ahead, and gives itself an SVID of that time. Then they are put right.
  const early = await startDaemon(t, OPTIONS, issuer.directory);
  assert.ok((await notAfter(early)) > Date.now());
  aheadMs -= stepMs;
  assert.ok((await notBefore(early)) > Date.now(), "nobody would take it");
  await until("the issuer to have an SVID of now", async () => {
    return (await notBefore(early)) < Date.now();
  });
  await Promise.all([early.connected("b"), early.connected("c"), b.connected("c")]);
  for (const daemon of [early, b, again]) await renewed(daemon);
});
