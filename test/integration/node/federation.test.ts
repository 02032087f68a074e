// Federation of two trust domains over real TLS: what one daemon serves, another fetches, keeps, and never trusts as its own.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:https";
import { after, before, describe, test } from "node:test";
import { connect, type ConnectionOptions } from "node:tls";
import { StateStore } from "../../../src/adapters/sqlite/state-store.ts";
import { bundleFetchLimits, fetchBundle } from "../../../src/adapters/http/bundle-client.ts";
import { bundleToJson } from "../../../src/identity/index.ts";
import { Federation, FEDERATIONS_MAX } from "../../../src/node/federation.ts";
import type { MonoMs, WallMs } from "../../../src/ports/index.ts";
import { DAY_MS, makeDomain, memoryMeter, NOW } from "../../unit/identity/support.ts";
import { webCertificate, withoutOpenssl } from "./certificates.ts";
import {
  assertRefused,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  until,
} from "./harness.ts";

const silent = () => undefined;
const logger = { debug: silent, info: silent, warn: silent, error: silent };

describe("two trust domains", { skip: withoutOpenssl }, () => {
  const stack = new Stack();
  let ca: string;
  let files: ReturnType<typeof webCertificate>;
  let serving: InProcessDaemon;
  let asking: InProcessDaemon;
  let url: string;
  let port: number;
  let ownBefore: unknown;
  before(async () => {
    const directory = scratch(stack);
    files = webCertificate(directory, "served");
    ca = files.certificate;
    const federation = { listen: "127.0.0.1:0", ...files };
    serving = await startDaemon(stack, { federation });
    asking = await startDaemon(stack);
    await serving.client.init({ trustDomain: "a.example", name: "one" });
    await asking.client.init({ trustDomain: "b.example", name: "one" });
    ownBefore = (await asking.client.identity()).bundle;
    const { endpoint } = await serving.client.federation();
    port = Number(endpoint?.split(":").at(-1));
    url = `https://localhost:${port}/`;
  });
  after(() => stack.unwind());

  test("[F5][F8] a bundle is fetched by trust domain, profile and URL, as JSON, and is the newest there is", async () => {
    const response = await new Promise<{ type: unknown; text: string }>((resolve, reject) => {
      get(url, { ca: readFileSync(ca), agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () => resolve({ type: answer.headers["content-type"], text }));
      }).on("error", reject);
    });
    assert.equal(response.type, "application/json");
    const document = JSON.parse(response.text) as Record<string, unknown>;
    const { bundle } = await serving.client.identity();
    assert.deepEqual(
      [document["spiffe_sequence"], document["spiffe_refresh_hint"]],
      [bundle?.sequence, 300],
    );

    const { federations } = await asking.client.federate({
      trustDomain: "a.example",
      url,
      caFile: ca,
    });
    const [one] = federations;
    assert.deepEqual(
      [one?.trustDomain, one?.profile, one?.sequence, one?.refreshSeconds, one?.error],
      ["a.example", "https_web", bundle?.sequence, 300, null],
    );
    assert.ok((one?.keys["x509-svid"] ?? 0) >= 1);
    const { entries } = await asking.client.audit({ limit: 1 });
    assert.deepEqual(
      [entries[0]?.event, entries[0]?.subject],
      ["federation.add", "spiffe://a.example"],
    );
    assert.ok((await asking.metric("meshd_federation_bundle_fetch_timestamp_seconds")) > 1.7e9);
    await assertRefused(
      asking.client.federate({ trustDomain: "spiffe://a.example", url }),
      ...(["federation/bad-trust-domain", /Leave spiffe:\/\/ out/] as const),
    );
    await assertRefused(
      asking.client.federate({ trustDomain: "c.example", url, caFile: ca }),
      ...(["federation/bad-bundle", /no SPIFFE bundle/] as const),
    );
  });

  test("[F2] a foreign bundle is kept apart: it changes nothing in ours, and its nodes stay strangers", async () => {
    const { bundle } = await asking.client.identity();
    assert.deepEqual(bundle, ownBefore);
    assert.notEqual(bundle?.digest, (await serving.client.identity()).bundle?.digest);
    await assertRefused(
      asking.client.federate({ trustDomain: "b.example", url, caFile: ca }),
      ...(["federation/bad-trust-domain", /another trust domain/] as const),
    );
    // A node of the other trust domain is no peer here, whatever the policy says about it.
    asking.reload({ policy: [{ spiffe: "spiffe://a.example/**", allow: ["mesh.join"] }] });
    serving.reload({
      mesh: { bootstrap: [await asking.address()] },
      policy: [{ spiffe: "spiffe://b.example/**", allow: ["mesh.join"] }],
    });
    const failed = () => serving.metric("meshd_handshake_failures_total");
    await until("the attempt", async () => (await failed()) > 0);
    assert.deepEqual((await asking.client.peers()).peers, []);
  });

  test("[F6] an address is https without user, password and fragment, or it is none", async () => {
    for (const bad of [
      `http://localhost:${port}/`,
      `https://u@localhost:${port}/`,
      `https://u:p@localhost/`,
      `${url}#x`,
      "x",
    ])
      await assertRefused(
        asking.client.federate({ trustDomain: "a.example", url: bad }),
        "federation/bad-endpoint",
        /https:\/\//,
      );
    assert.equal((await asking.client.federation()).federations[0]?.url, url);
  });

  test("[F10] the endpoint proves its host name to an authority that is trusted for it", async () => {
    const refused = (request: { url: string; caFile?: string }) =>
      assertRefused(
        asking.client.federate({ trustDomain: "a.example", ...request }),
        "federation/unreachable",
        /certificate/,
      );
    await refused({ url }); // the host's own authorities do not know it
    await refused({ url: `https://127.0.0.1:${port}/`, caFile: ca }); // another name than it has
    assert.equal((await asking.client.federation()).federations[0]?.error, null);
  });

  test("[F4][F7] TLS is 1.2 or 1.3 with modern suites, and asks no client for a certificate", async () => {
    const shake = (options: ConnectionOptions): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({
          port,
          host: "127.0.0.1",
          servername: "localhost",
          ca: readFileSync(ca),
          ...options,
        });
        socket.once("secureConnect", () => {
          resolve(`${socket.getProtocol()}`);
          socket.destroy();
        });
        socket.once("error", () => resolve("refused"));
      });
    assert.equal(await shake({}), "TLSv1.3");
    assert.equal(await shake({ maxVersion: "TLSv1.2" }), "TLSv1.2");
    assert.equal(
      await shake({ maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" }),
      "refused",
    );
    assert.equal(
      await shake({ maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" }),
      "refused",
    );
  });

  test("what was fetched outlives a restart, until it is removed", async (t) => {
    await asking.stop();
    const again = await startDaemon(t, {}, asking.directory);
    const { federations } = await again.client.federation();
    assert.deepEqual(
      federations.map(({ trustDomain }) => trustDomain),
      ["a.example"],
    );
    assert.equal(
      (await again.client.refreshFederation({ trustDomain: "a.example" })).federations.length,
      1,
    );
    assert.deepEqual((await again.client.unfederate({ trustDomain: "a.example" })).federations, []);
    await assertRefused(
      again.client.refreshFederation({ trustDomain: "a.example" }),
      "federation/unknown",
      /federate list/,
    );
    const { entries } = await again.client.audit({ limit: 1 });
    assert.equal(entries[0]?.event, "federation.remove");
  });

  test("a changed certificate is served without a restart, a broken one is not", async () => {
    const fresh = webCertificate(scratch(stack), "fresh");
    writeFileSync(files.certificate, "no certificate");
    writeFileSync(files.key, readFileSync(fresh.key));
    const old = readFileSync(fresh.certificate, "utf8");
    writeFileSync(files.certificate, old);
    await until(
      "the new certificate",
      async () =>
        (await fetchBundle({ url, caFile: fresh.certificate }).catch(() => undefined)) !==
        undefined,
    );
  });
});

describe("a bundle endpoint that is not as it should be", { skip: withoutOpenssl }, () => {
  const stack = new Stack();
  const bundle = (sequence: number, hint?: number) =>
    bundleToJson({
      ...makeDomain().bundle,
      sequence,
      ...(hint === undefined ? {} : { refreshHintS: hint }),
    });
  let answer: { status: number; location?: string; body: string } = { status: 200, body: "" };
  let asked: string[] = [];
  let url: string;
  let ca: string;
  before(async () => {
    const { certificate, key } = webCertificate(scratch(stack), "strange");
    ca = certificate;
    const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
    const server = createServer(tls, (request, response) => {
      asked.push(request.url ?? "");
      const moved = request.url === "/" && answer.location !== undefined;
      if (moved) response.writeHead(answer.status, { location: answer.location }).end();
      else response.writeHead(answer.location === undefined ? answer.status : 200).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stack.after(() => void server.close());
    const address = server.address();
    url = `https://localhost:${typeof address === "object" ? address?.port : ""}/`;
  });
  after(() => stack.unwind());

  function watch(directory: string) {
    const meter = memoryMeter();
    let passedMs = 0;
    const clock = {
      now: () => ({ monoMs: passedMs as MonoMs, wallMs: (NOW + passedMs) as WallMs }),
    };
    const store = new StateStore(directory);
    stack.after(() => store.close());
    const federation = new Federation(
      {
        ...{ store, clock, meter, logger, audit: { record: silent, note: silent } },
        ...{ trustDomain: () => "own.example", bundle: () => undefined },
      },
      { listen: "off", profile: "https_web", certificateFile: null, keyFile: null },
    );
    const add = (trustDomain = "mesh.example") => federation.add({ trustDomain, url, caFile: ca });
    return { federation, meter, add, pass: (ms: number) => (passedMs += ms) };
  }

  test("[F9] a redirect is followed to https alone, a few times, and is forgotten", async () => {
    const { federation, add } = watch(scratch(stack));
    answer = { status: 302, location: "/elsewhere", body: bundle(1) };
    asked = [];
    await add();
    assert.deepEqual(asked, ["/", "/elsewhere"]);
    assert.equal(federation.list().federations[0]?.url, url);
    asked = [];
    await federation.refresh("mesh.example");
    assert.deepEqual(asked, ["/", "/elsewhere"]);
    answer = { status: 302, location: "http://localhost/", body: "" };
    await assertRefused(federation.refresh("mesh.example"), "federation/bad-endpoint", /https/);
    answer = { status: 302, location: "/", body: "" };
    asked = [];
    await assertRefused(
      federation.refresh("mesh.example"),
      "federation/unreachable",
      /redirects too often/,
    );
    assert.equal(asked.length, bundleFetchLimits.redirectsMax + 1);
  });

  test("what is too long, no text, no bundle, or not there is refused, and nothing is kept of it", async () => {
    const { federation, add } = watch(scratch(stack));
    const tooLong = "x".repeat(bundleFetchLimits.bytesMax + 1);
    for (const [body, status, code, why] of [
      [tooLong, 200, "federation/bad-bundle", /sent: it is too long/],
      ["{}", 200, "federation/bad-bundle", /no SPIFFE bundle \(no keys\)/],
      ['{"keys":[],"spiffe_sequence":-1}', 200, "federation/bad-bundle", /sequence/],
      [bundle(1), 404, "federation/unreachable", /it answers 404/],
    ] as const) {
      answer = { status, body };
      await assertRefused(add(), code, why);
    }
    assert.deepEqual(federation.list().federations, []);
    answer = { status: 200, body: '{"keys":[]}' };
    assert.deepEqual((await add()).federations[0]?.keys, {}, "a trust domain without keys is one");
  });

  test("[F13] it is asked by its hint, every five minutes without one, and again at the next poll after a failure; then it is stale", async () => {
    const { federation, add, pass, meter } = watch(scratch(stack));
    answer = { status: 200, body: bundle(7) };
    await add();
    const polls = async (ms: number): Promise<number> => {
      pass(ms);
      asked = [];
      await federation.upkeep();
      return asked.length;
    };
    assert.deepEqual([await polls(299_999), await polls(1)], [0, 1]);
    answer = { status: 200, body: bundle(8, 3_600) };
    assert.equal(await polls(300_000), 1);
    assert.equal(await polls(3_599_999), 0);
    answer = { status: 500, body: "" };
    assert.equal(await polls(1), 1);
    assert.deepEqual([await polls(3_599_999), await polls(1)], [0, 1]);
    assert.deepEqual(federation.stale(), []);
    assert.match(federation.list().federations[0]?.error?.message ?? "", /it answers 500/);
    await polls(3_600_000 + 1);
    assert.deepEqual(federation.stale(), ["mesh.example"]);
    assert.equal(federation.list().federations[0]?.sequence, 8, "the bundle that is known stays");
    answer = { status: 200, body: bundle(8, 3_600) };
    await polls(3_600_000);
    assert.deepEqual(federation.stale(), []);
    assert.equal(meter.counts.get("meshd_federation_fetches_total failed"), 3);
  });

  test("an older bundle than the one that is known is refused; hints are bounded", async () => {
    const { federation, add } = watch(scratch(stack));
    answer = { status: 200, body: bundle(7, 1) };
    assert.equal((await add()).federations[0]?.refreshSeconds, 60);
    answer = { status: 200, body: bundle(6, 1) };
    await assertRefused(
      federation.refresh("mesh.example"),
      "federation/rolled-back",
      /bundle 6, after 7/,
    );
    answer = { status: 200, body: bundle(8, (10 * DAY_MS) / 1_000) };
    assert.equal((await federation.refresh("mesh.example")).federations[0]?.refreshSeconds, 86_400);
  });

  test("as many trust domains as there may be, and no one more", async () => {
    const { federation, add } = watch(scratch(stack));
    answer = { status: 200, body: '{"keys":[]}' };
    for (let index = 0; index < FEDERATIONS_MAX; index++) await add(`n${index}.example`);
    await assertRefused(add("more.example"), "federation/too-many", /remove/);
    await add("n0.example");
    assert.equal(federation.list().federations.length, FEDERATIONS_MAX);
  });
});
