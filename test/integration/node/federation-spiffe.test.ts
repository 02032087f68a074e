// The profile https_spiffe: the endpoint is who it is by its X.509-SVID, verified by a bundle that the operator gave first and that the
// endpoint itself renews afterwards.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { bundleOfRoots, bundleToJson } from "../../../src/identity/index.ts";
import { Federation } from "../../../src/node/federation.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";
import { memoryMeter } from "../../unit/identity/support.ts";
import { Authority } from "../workload/stand-in-agent.ts";
import { assertRefused, hasten, scratch, Stack, startDaemon, until } from "./harness.ts";

const silent = () => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };
const DOMAIN = "partner.example";
const ID = `spiffe://${DOMAIN}/bundle-endpoint`;

describe("an endpoint of the profile https_spiffe", () => {
  const stack = new Stack();
  const old = new Authority(DOMAIN);
  const document = (sequence: number, ...authorities: readonly Authority[]): string =>
    bundleToJson(
      bundleOfRoots(
        DOMAIN,
        authorities.map(({ root }) => root),
        sequence,
      ),
    );
  let served = document(1, old);
  let server: Server;
  let url: string;
  let first: string;

  /** Shows an SVID from now on. */
  function show(authority: Authority, path = "/bundle-endpoint"): void {
    const { chain, key } = authority.issue(path);
    const lines = Buffer.from(chain).toString("base64");
    const pkcs8 = createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" });
    server.setSecureContext({
      cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
      key: pkcs8.export({ format: "pem", type: "pkcs8" }),
    });
  }

  before(async () => {
    server = createServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: url }).end();
      else response.end(served);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stack.after(() => void server.close());
    url = `https://127.0.0.1:${(server.address() as { port: number }).port}/`;
    first = join(scratch(stack), "first.json");
    writeFileSync(first, served);
    show(old);
  });
  after(() => stack.unwind());

  function federation(directory = scratch(stack)) {
    const store = new StateStore(directory);
    stack.after(() => store.close());
    const clock = { now: () => ({ monoMs: 0 as MonoMs, wallMs: Date.now() as WallMs }) };
    const made = new Federation(
      {
        ...{ store, clock, meter: memoryMeter(), logger, audit: { record: silent, note: silent } },
        ...{ trustDomain: () => "own.example", bundle: () => undefined },
      },
      { listen: "off", profile: "https_web", certificateFile: null, keyFile: null },
    );
    const add = (spiffeId = ID, more: object = {}) =>
      made.add({ trustDomain: DOMAIN, url, endpoint: { spiffeId, bundleFile: first }, ...more });
    return { made, add, close: () => store.close() };
  }

  test("[F3][F11] is taken by its SPIFFE id and a first bundle, by whatever name its host has; so are redirects", async () => {
    const { made, add } = federation();
    const [one] = (await add()).federations;
    assert.deepEqual([one?.profile, one?.endpointId, one?.sequence], ["https_spiffe", ID, 1]);
    assert.equal((await add(ID, { url: `${url}moved` })).federations.length, 1);
    const web = made.add({ trustDomain: DOMAIN, url });
    await assertRefused(web, "federation/unreachable", /certificate/);
  });

  test("[F11] with another id, of another authority, or no leaf is refused; so is what the operator names badly", async () => {
    const { add } = federation();
    const unreachable = (spiffeId?: string, why = /certificate/) =>
      assertRefused(add(spiffeId), "federation/unreachable", why);
    await unreachable(`spiffe://${DOMAIN}/other`, /is spiffe:.*bundle-endpoint, and not/);
    show(new Authority(DOMAIN));
    await unreachable();
    show(old, "/other");
    await unreachable(undefined, /and not/);
    show(old);
    await assertRefused(add("spiffe://a"), "federation/bad-endpoint", /trust-domain\/path/);
    await assertRefused(add("https://a/b"), "federation/bad-endpoint", /trust-domain\/path/);
    const missing = { spiffeId: ID, bundleFile: "/nonexistent" };
    await assertRefused(add(ID, { endpoint: missing }), "federation/bad-bundle", /daemon's host/);
    writeFileSync(`${first}.bad`, "{}");
    const bad = { spiffeId: ID, bundleFile: `${first}.bad` };
    await assertRefused(add(ID, { endpoint: bad }), "federation/bad-bundle", /no SPIFFE bundle/);
    assert.equal((await add()).federations.length, 1);
  });

  test("[F12] that serves its own trust domain is verified by what it gave last, over restarts, too", async () => {
    const directory = scratch(stack);
    const { made, add, close } = federation(directory);
    await add();
    const next = new Authority(DOMAIN);
    served = document(2, old, next);
    await made.refresh(DOMAIN);
    show(next);
    served = document(3, next);
    assert.equal((await made.refresh(DOMAIN)).federations[0]?.sequence, 3);
    close();
    const { made: again } = federation(directory);
    assert.equal((await again.refresh(DOMAIN)).federations[0]?.sequence, 3);
    // Who was not there meanwhile has a first bundle that is too old, and needs another one.
    const { add: late } = federation();
    await assertRefused(late(), "federation/unreachable", /certificate/);
    writeFileSync(first, served);
    assert.equal((await late()).federations.length, 1);
  });
});

test("[F3][B7] a trust domain serves its own bundle by https_spiffe, with an SVID that its issuer makes, to who was given the first one, alone or in a map", async (t) => {
  hasten(t);
  const federation = { listen: "127.0.0.1:0", profile: "https_spiffe" };
  const serving = await startDaemon(t, { federation, identity: { authority_prepare: "0s" } });
  assert.equal((await serving.client.federation()).endpoint, null, "there is nothing to show yet");
  await assertRefused(serving.client.ownBundle(), "control/not-enrolled", /meshctl init/);
  await serving.client.init({ trustDomain: "a.example", name: "one" });
  const endpoint = await until("the endpoint", async () => {
    return (await serving.client.federation()).endpoint ?? undefined;
  });
  const bundleFile = join(scratch(t), "first.json");
  writeFileSync(bundleFile, (await serving.client.ownBundle()).bundle);
  const asking = await startDaemon(t);
  await asking.client.init({ trustDomain: "b.example", name: "one" });
  const request = (path: string) => ({
    ...{ trustDomain: "a.example", url: `https://${endpoint}/` },
    endpoint: { spiffeId: `spiffe://a.example${path}`, bundleFile },
  });
  const { federations } = await asking.client.federate(request("/bundle-endpoint"));
  assert.equal(federations[0]?.profile, "https_spiffe");
  assert.ok((federations[0].keys["x509-svid"] ?? 0) >= 2);
  await asking.client.refreshFederation({ trustDomain: "a.example" });
  const { bundle: map } = await asking.client.bundleMap();
  const { trust_domains: domains } = JSON.parse(map) as { trust_domains: object };
  assert.deepEqual(Object.keys(domains), ["b.example", "a.example"]);
  writeFileSync(bundleFile, map);
  assert.equal((await asking.client.federate(request("/bundle-endpoint"))).federations.length, 1);
  writeFileSync(bundleFile, map.replaceAll("a.example", "c.example"));
  await assertRefused(
    asking.client.federate(request("/bundle-endpoint")),
    "federation/bad-bundle",
    /no such trust domain/,
  );
  writeFileSync(bundleFile, map);
  await assertRefused(
    asking.client.federate(request("/other")),
    "federation/unreachable",
    /and not/,
  );

  // An authority that is tainted signs nothing that is shown: the endpoint has another SVID at once, and who has the new root goes on.
  const shown = await serialAt(endpoint);
  await serving.client.prepareAuthority();
  await asking.client.refreshFederation({ trustDomain: "a.example" });
  const { authorities } = await serving.client.activateAuthority({ force: true });
  await serving.client.taintAuthority({ id: authorities[0]?.id ?? "" });
  await until("another SVID", async () => (await serialAt(endpoint)) !== shown);
  await asking.client.refreshFederation({ trustDomain: "a.example" });
});

/** The serial number of what an endpoint shows. */
async function serialAt(endpoint: string): Promise<string> {
  const [host = "", port] = endpoint.split(":");
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? "";
  socket.destroy();
  return serial;
}
