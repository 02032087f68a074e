import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  type MetricsServerOptions,
  metricsApp,
  startMetricsServer,
} from "../../../src/adapters/http/metrics-server.ts";
import { createPromMeter } from "../../../src/adapters/telemetry/prom-meter.ts";
import { isMeshError } from "../../../src/foundation/index.ts";
import { daemonMetrics } from "../../../src/telemetry/index.ts";

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A request without a body.
}

async function serve(t: TestContext, part: Partial<MetricsServerOptions> = {}) {
  const server = await startMetricsServer({
    host: "127.0.0.1",
    port: 0,
    metrics: createPromMeter(daemonMetrics),
    live: () => true,
    ready: () => ({ ready: true, reasons: [] }),
    ...part,
  });
  t.after(() => server.stop());
  return { server, url: `http://${server.address}` };
}

test("the metrics page has Prometheus's content type and our metrics", async (t) => {
  const { url } = await serve(t);
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(await response.text(), /^# HELP meshd_build_info /m);
});

test("live and ready follow the node", async (t) => {
  let live = true;
  let ready = { ready: true, reasons: [] as string[] };
  const { url } = await serve(t, { live: () => live, ready: () => ready });
  const statuses = async () => [
    (await fetch(`${url}/live`)).status,
    (await fetch(`${url}/ready`)).status,
  ];
  assert.deepEqual(await statuses(), [200, 200]);
  live = false;
  ready = { ready: false, reasons: ["node/unenrolled"] };
  assert.deepEqual(await statuses(), [503, 503]);
  assert.match(await (await fetch(`${url}/ready`)).text(), /node\/unenrolled/);
});

test("nothing but GET and HEAD of the three pages is served", async (t) => {
  const { url } = await serve(t);
  assert.equal((await fetch(`${url}/metrics`, { method: "HEAD" })).status, 200);
  assert.equal((await fetch(`${url}/metrics`, { method: "POST", body: "x" })).status, 405);
  assert.equal((await fetch(`${url}/secrets`)).status, 404);
});

test("scrapes that come together share one rendering; a failed one is not kept", async () => {
  const renderings: PromiseWithResolvers<string>[] = [];
  const text = (): Promise<string> => {
    const rendering = Promise.withResolvers<string>();
    renderings.push(rendering);
    return rendering.promise;
  };
  const app = metricsApp({
    host: "",
    port: 0,
    metrics: { contentType: "text/plain", text },
    live: () => true,
    ready: () => ({ ready: true, reasons: [] }),
  });
  const scrape = () =>
    app({ method: "GET", path: "/metrics", body: nothing(), gone: new AbortController().signal });
  const both = [scrape(), scrape()];
  assert.equal(renderings.length, 1);
  renderings[0]?.reject(new Error("no"));
  assert.deepEqual(await Promise.all(both.map(async (each) => (await each).status)), [500, 500]);
  const again = scrape();
  assert.equal(renderings.length, 2);
  renderings[1]?.resolve("a 1\n");
  assert.equal((await again).body, "a 1\n");
});

test("a taken port and a foreign address are refused with what to do", async (t) => {
  const { server } = await serve(t);
  const port = Number(server.address.split(":")[1]);
  const start = (part: Partial<MetricsServerOptions>) => serve(t, part);
  await assert.rejects(start({ port }), (error) => {
    assert.ok(isMeshError(error, "telemetry/port-taken"));
    assert.equal(error.details["port"], port);
    assert.match(
      error.message,
      new RegExp(`127\\.0\\.0\\.1:${port}.*telemetry\\.metrics\\.listen`),
    );
    return true;
  });
  await assert.rejects(start({ host: "192.0.2.1" }), (error) =>
    isMeshError(error, "telemetry/cannot-listen"),
  );
});

test("stop closes the port, waits for no idle client and may be called twice", async (t) => {
  const { server, url } = await serve(t);
  await (await fetch(`${url}/live`)).text();
  await server.stop();
  await server.stop();
  await assert.rejects(fetch(`${url}/live`));
});
