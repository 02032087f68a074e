// The OpenAPI document of the control API: it has every route that the client calls, and what a node answers is what it says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as z from "zod";
import { enrol, startDaemon } from "../node/harness.ts";
import { type Answer, exchange, serveNode } from "./served-node.ts";

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];
type Content = Readonly<Record<string, { readonly schema?: JsonSchema & { $ref?: string } }>>;

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<"200" | "default", { readonly content: Content }>>;
}

interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<"get" | "post", Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

type Json = Readonly<Record<string, unknown>>;

const JSON_TYPE = "application/json";

/** A request for each route that is asked something in JSON. */
const requests: Readonly<Record<string, object>> = {
  "/v1/route": { peer: "node-2", paths: 2 },
  "/v1/lookup": { target: "node-9" },
  "/v1/init": { trustDomain: "a.b", name: "n" },
  "/v1/join": { token: "t" },
  "/v1/tokens": { ttlSeconds: 60 },
  "/v1/entries": { spiffeId: "spiffe://a.b/web", parent: "*", selectors: ["unix:uid:1"] },
  "/v1/entries/delete": { id: "e1" },
  "/v1/authorities/activate": {},
  "/v1/authorities/taint": { id: "abcd" },
  "/v1/authorities/revoke": { id: "abcd" },
  "/v1/authorities/revoke-node": { peer: "node-2" },
  "/v1/issuers/grant": { peer: "node-2" },
  "/v1/issuers/withdraw": { peer: "node-2" },
  "/v1/federation/add": { trustDomain: "c.d", url: "https://c.d/bundle" },
  "/v1/federation/refresh": { trustDomain: "c.d" },
  "/v1/federation/remove": { trustDomain: "c.d" },
  "/v1/quarantine/release": { node: "node-2", reason: "a test" },
  "/v1/tunnels/expose": { port: 80, host: "localhost", targetPort: 8080 },
  "/v1/tunnels/forward": { peer: "node-2", host: "127.0.0.1", port: 0, remotePort: 80 },
  "/v1/tunnels/close": { kind: "forward", port: 80 },
  "/v1/fl/start": { model: "softmax", rounds: 1, aggregator: "mean" },
  "/v1/fl/run": { task: { rounds: 3 }, dryRun: true },
  "/v1/fl/stop": {},
  "/v1/fl/resume": { scope: "node" },
  "/v1/fl/explain": { round: 1 },
  "/v1/trainer/heartbeat": { lease: "l" },
  "/v1/healing/freeze": { frozen: true },
  "/v1/incidents/list": { limit: 10 },
  "/v1/incidents/show": { id: "a1b2c3d4-mabc-0" },
  "/v1/incidents/similar": { id: "a1b2c3d4-mabc-0" },
  "/v1/audit/list": { limit: 10 },
  "/v1/audit/verify": { heads: [] },
  "/v1/policy/check": { spiffeId: "local", right: "control.read" },
  "/v1/log": { level: "debug" },
  "/v1/backup": { header: "ab", key: "ab".repeat(32) },
};

/** `GET /v1/trainer/next` waits for a round. */
const WAITING = "/v1/trainer/next";

async function documentOf(socketPath: string): Promise<OpenApiDocument> {
  const { status, json } = await exchange(socketPath, "GET", "/v1/openapi.json");
  assert.equal(status, 200);
  return json as unknown as OpenApiDocument;
}

function callsOf({ paths }: OpenApiDocument): Call[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
    })),
  );
}

/** A schema that also refuses what it does not name: a field that the document forgot. */
function sealed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(sealed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, one]) => [key, sealed(one)]));
  return "properties" in schema && !("additionalProperties" in schema)
    ? { ...inner, additionalProperties: false }
    : inner;
}

/** Holds an answer against what the document says of it. */
function hold(document: OpenApiDocument, { method, path, operation }: Call, answer: Answer): void {
  const { content } = operation.responses[answer.status === 200 ? "200" : "default"];
  const name = content[JSON_TYPE]?.schema?.$ref?.replace("#/components/schemas/", "");
  assert.equal(answer.isJson, name !== undefined, `${method} ${path}`);
  if (name === undefined) return;
  const schema = JSON.stringify(sealed(document.components.schemas[name]));
  const alone = JSON.parse(schema.replaceAll(`#/components/schemas/${name}/`, "#/")) as JsonSchema;
  const checked = z.fromJSONSchema(alone).safeParse(answer.json);
  assert.deepEqual(checked.error?.issues ?? [], [], `${method} ${path}`);
}

const authorities = {
  ...{ sequence: 1, authorities: [], replaceAt: null, issuers: [], revokedNodes: [] },
};

describe("the OpenAPI document", () => {
  test("has every route that the client calls, once and by its own name", async (t) => {
    const { socketPath } = await serveNode(t);
    const document = await documentOf(socketPath);
    assert.equal(document.openapi, "3.1.0");
    for (const [, ref = ""] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = ref.split("/").reduce((at: unknown, key) => (at as Json)[key], document);
      assert.ok(found !== undefined, `#/${ref} leads nowhere`);
    }
    const calls = callsOf(document);
    const client = readFileSync("src/control/client.ts", "utf8");
    const called = [...client.matchAll(/"(GET|POST)",\s*"(\/v1\/[^"]+)"/g)];
    assert.ok(called.length > 50, `${called.length} calls found in the client`);
    const known = new Set(calls.map(({ method, path }) => `${method} ${path}`));
    for (const [, method, path] of called)
      assert.ok(known.has(`${method ?? ""} ${path ?? ""}`), path ?? "");
    assert.equal(new Set(calls.map(({ operation }) => operation.operationId)).size, calls.length);
  });

  test("says what a node answers, with no field more or less", async (t) => {
    const { socketPath } = await serveNode(t, {
      authorities: () => {
        const give = (): Promise<typeof authorities> => Promise.resolve(authorities);
        return {
          ...{ list: give, prepare: give, activate: give, taint: give, revoke: give },
          ...{ revokeNode: give, grant: give, withdraw: give },
        };
      },
    });
    const document = await documentOf(socketPath);
    for (const call of callsOf(document)) {
      const asked = call.operation.requestBody?.content[JSON_TYPE] !== undefined;
      assert.equal(asked, call.method === "POST" && call.path in requests, call.path);
      const body = asked ? JSON.stringify(requests[call.path]) : "";
      const answer = await exchange(socketPath, call.method, call.path, body);
      assert.equal(answer.status, 200, `${call.path}: ${JSON.stringify(answer.json)}`);
      hold(document, call, answer);
    }
  });

  test("takes the requests that the daemon takes, and refuses what it refuses", async (t) => {
    const { socketPath } = await serveNode(t);
    const document = await documentOf(socketPath);
    for (const call of callsOf(document)) {
      const schema = call.operation.requestBody?.content[JSON_TYPE]?.schema;
      if (schema === undefined) continue;
      const documented = z.fromJSONSchema(schema);
      const good = requests[call.path];
      assert.ok(documented.safeParse(good).success, call.path);
      for (const bad of [{ ...good, unheardOf: 1 }, "text"]) {
        assert.ok(!documented.safeParse(bad).success, call.path);
        const answer = await exchange(socketPath, call.method, call.path, JSON.stringify(bad));
        assert.equal(answer.status, 400, call.path);
        hold(document, call, answer);
      }
    }
  });

  test("says what a daemon in a mesh answers, and one that is in none", async (t) => {
    const [a, b, alone] = [await startDaemon(t), await startDaemon(t), await startDaemon(t)];
    await enrol({ a, b });
    for (const { directory } of [a, alone]) {
      const socketPath = join(directory, "c.sock");
      const document = await documentOf(socketPath);
      for (const call of callsOf(document)) {
        if (call.method !== "GET" || call.path === WAITING) continue;
        hold(document, call, await exchange(socketPath, "GET", call.path));
      }
    }
  });
});
