// Nodes that join without a token: by a certificate, by a pod's token, by an instance's document. Real daemons; the API server and the
// metadata service are stand-ins, which see what they are asked.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { withoutOpenssl, Workshop } from "../../unit/adapters/attestors/authorities.ts";
import { signedMessage } from "../../unit/adapters/attestors/signed-messages.ts";
import { Client, fieldsOf, textValue } from "../workload/grpc-client.ts";
import { assertRefused, scratch, Stack, startDaemon, TRUST_DOMAIN, until } from "./harness.ts";

const DOCUMENT = {
  ...{ accountId: "123456789012", region: "eu-central-1", availabilityZone: "eu-central-1a" },
  ...{ instanceId: "i-0123456789abcdef0", imageId: "ami-0123456789abcdef0" },
};
const ACCOUNT = "system:serviceaccount:mesh:meshd";

const jwt = (claims: object): string =>
  ["{}", JSON.stringify(claims), "signature"]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".");

test("nodes join by what they have: certificate, pod, instance", {
  skip: withoutOpenssl,
}, async (t) => {
  // What was started last ends first: the daemons before the services that they ask.
  const stack = new Stack();
  t.after(() => stack.unwind());
  const shop = new Workshop();
  stack.after(() => shop.close());
  const ca = shop.authority("/CN=hosts");
  const aws = shop.make("/CN=aws", { kind: "rsa" });
  const web = shop.make("/CN=api", { extensions: ["subjectAltName=IP:127.0.0.1"] });
  const podToken = jwt({ sub: ACCOUNT, aud: ["meshd"] });

  const reviewed: unknown[] = [];
  const tls = { cert: readFileSync(web.certificate), key: readFileSync(web.key) };
  const apiServer = createServer(tls, (request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      const { spec } = JSON.parse(body) as { spec: { token: string } };
      reviewed.push(spec);
      const extra = { "authentication.kubernetes.io/pod-name": ["meshd-0"] };
      const user = { username: ACCOUNT, extra };
      const status = { authenticated: spec.token === podToken, audiences: ["meshd"], user };
      response.writeHead(201).end(JSON.stringify({ status }));
    });
  });
  const document = signedMessage(Buffer.from(JSON.stringify(DOCUMENT)), aws.key);
  const metadata = createHttpServer((request, response) => {
    const isToken = request.method === "PUT" && request.url === "/latest/api/token";
    if (isToken && request.headers["x-aws-ec2-metadata-token-ttl-seconds"] === "60")
      return response.end("session");
    const isGood =
      request.url === "/latest/dynamic/instance-identity/rsa2048" &&
      request.headers["x-aws-ec2-metadata-token"] === "session";
    return isGood
      ? response.end(Buffer.from(document).toString("base64"))
      : response.writeHead(401).end();
  });
  for (const server of [apiServer, metadata]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stack.after(() => void server.close());
  }
  const portOf = (server: typeof metadata | typeof apiServer): number =>
    (server.address() as { port: number }).port;

  const issuer = await startDaemon(stack, {
    attestors: {
      x509pop: { ca: ca.certificate },
      k8s_psat: {
        ...{ cluster: "lab", service_accounts: ["mesh:meshd"], ca: web.certificate },
        api_server: `https://127.0.0.1:${portOf(apiServer)}`,
        token: shop.write("issuer-token", "issuer's own"),
      },
      aws_iid: { certificates: aws.certificate, accounts: ["123456789012"] },
    },
  });
  await issuer.client.init({ trustDomain: TRUST_DOMAIN, name: "issuer" });
  const { anchor } = await issuer.client.anchor();

  // By itself, as soon as it starts.
  const host = shop.host("/CN=edge-1", ca);
  const pop = { attestor: "x509pop", certificate: host.certificate, key: host.key };
  await startDaemon(stack, { join: { ...pop, anchor } });
  await issuer.connected("x509-edge-1");

  // An instance; another one with its document is not let in, nor under a name of its own choice.
  const directory = scratch(stack);
  const socket = join(directory, "api.sock");
  const iid = { attestor: "aws_iid", metadata: `http://127.0.0.1:${portOf(metadata)}` };
  const instance = await startDaemon(stack, { join: iid, workload_api: { socket } }, directory);
  const { spiffeId } = await instance.client.join({ token: anchor });
  assert.equal(spiffeId, `spiffe://${TRUST_DOMAIN}/node/aws-i-0123456789abcdef0`);
  await issuer.connected("aws-i-0123456789abcdef0");
  const thief = await startDaemon(stack, { join: iid });
  await assertRefused(
    thief.client.join({ token: anchor }),
    "identity/evidence-used",
    /Another node has joined with this evidence/,
  );
  await assertRefused(
    thief.client.join({ token: anchor, name: "aws-mine" }),
    "identity/name-fixed",
    /Leave the name out/,
  );

  // What was found out of a node selects it for registration entries.
  const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
  const web1 = `spiffe://${TRUST_DOMAIN}/web`;
  const entry = { spiffeId: web1, parent: "aws_iid:region:eu-central-1", selectors };
  await issuer.client.createEntry(entry);
  const client = new Client(socket);
  stack.after(() => client.close());
  const reply = await until("the instance's workload to have its SVID", async () => {
    const call = client.call("FetchX509SVID");
    return Promise.race([call.reply(1).catch(() => undefined), call.ended.then(() => undefined)]);
  });
  assert.equal(textValue(fieldsOf(reply).get(1)?.[0] ?? reply, 1), web1);

  // A pod; the API server is asked about its token, for the issuer's audience, and not about one that is plainly no good.
  const tokenFile = shop.write("pod-token", jwt({ sub: ACCOUNT, aud: ["other"] }));
  const pod = await startDaemon(stack, { join: { attestor: "k8s_psat", token: tokenFile } });
  const joining = (): Promise<unknown> => pod.client.join({ token: anchor });
  await assertRefused(joining(), "identity/evidence-refused", /log says why/);
  assert.deepEqual(reviewed, []);
  shop.write("pod-token", podToken);
  await joining();
  assert.deepEqual(reviewed, [{ token: podToken, audiences: ["meshd"] }]);
  await issuer.connected("k8s-lab-meshd-0");

  const count = (type: string, result: string): Promise<number> =>
    issuer.metric("meshd_identity_node_attestations_total", { type, result });
  assert.equal(await count("x509pop", "ok"), 1);
  assert.equal(await count("aws_iid", "identity/evidence-used"), 1);
  assert.equal(await count("k8s_psat", "identity/evidence-refused"), 1);
  const { entries: log } = await issuer.client.audit({ limit: 100, event: "svid.issue" });
  assert.ok(log.some(({ fields }) => fields["cause"] === "attest"));
});

test("an anchor without anything to show, and one that is damaged, are refused with what to do", async (t) => {
  const alone = await startDaemon(t);
  const join = (token: string): Promise<unknown> => alone.client.join({ token });
  await assertRefused(join("x0a1.AAAA"), "identity/token-malformed", /meshctl token anchor/);
  const issuer = await startDaemon(t);
  await assertRefused(
    issuer.client.anchor(),
    "control/not-enrolled",
    /meshctl init or meshctl join/,
  );
  await issuer.client.init({ trustDomain: TRUST_DOMAIN, name: "issuer" });
  const { anchor } = await issuer.client.anchor();
  await assertRefused(join(anchor), "identity/attestor-unknown", /attestors in its meshd.yml/);
});
