// What workloads get of other trust domains: the issuer federates, an entry names whom with, and a node far from the issuer hands the
// bundles out and validates by them.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { nativeEs256 } from "../../../src/adapters/crypto/es256.ts";
import { systemRandom } from "../../../src/adapters/random.ts";
import { bytesField, textField } from "../../../src/adapters/workload-api/protobuf.ts";
import { concatBytes } from "../../../src/foundation/index.ts";
import { bundleOfRoots, bundleToJson } from "../../../src/identity/index.ts";
import { signJwtSvid } from "../../../src/identity/workload/jwt-svid.ts";
import type { WallMs } from "../../../src/ports/index.ts";
import {
  converged,
  enrol,
  scratch,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "../node/harness.ts";
import { Client, fieldsOf, textValue, valueOf } from "./grpc-client.ts";
import { Authority } from "./stand-in-agent.ts";

const PARTNER = "partner.example";
const OURS = `spiffe://${TRUST_DOMAIN}`;
const THEIRS = `spiffe://${PARTNER}`;

/** The entries of a map field by their key. */
function mapOf(reply: Uint8Array, number: number): Map<string, Buffer> {
  const entries = fieldsOf(reply).get(number) ?? [];
  return new Map(entries.map((entry) => [textValue(entry, 1), Buffer.from(valueOf(entry, 2))]));
}

test("[F14][W9] bundles of other trust domains reach the workloads whose entries name them, apart from ours, and go again", async (t) => {
  const stack = new Stack();
  t.after(() => stack.unwind());
  const authority = new Authority(PARTNER);
  const jwtSigner = nativeEs256.signer(systemRandom.bytes(32)) ?? assert.fail("no scalar");
  const document = bundleToJson({
    ...bundleOfRoots(PARTNER, [authority.root], 1),
    jwtAuthorities: [{ keyId: "k1", publicKey: jwtSigner.publicKey }],
  });
  const { chain, key } = authority.issue("/bundle");
  const pkcs8 = createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" });
  const tls = {
    cert: `-----BEGIN CERTIFICATE-----\n${Buffer.from(chain).toString("base64")}\n-----END CERTIFICATE-----\n`,
    key: pkcs8.export({ format: "pem", type: "pkcs8" }),
  };
  const endpoint = createServer(tls, (_, response) => response.end(document));
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  stack.after(() => void endpoint.close());

  const directory = scratch(stack);
  const socket = join(directory, "api.sock");
  const bundleFile = join(directory, "first.json");
  writeFileSync(bundleFile, document);
  const issuer = await startDaemon(stack);
  const rack = await startDaemon(stack, { workload_api: { socket } }, directory);
  await enrol({ issuer, rack });
  await converged({ issuer, rack });
  const { port } = endpoint.address() as { port: number };
  await issuer.client.federate({
    ...{ trustDomain: PARTNER, url: `https://127.0.0.1:${port}/` },
    endpoint: { spiffeId: `${THEIRS}/bundle`, bundleFile },
  });
  const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
  const entry = { spiffeId: `${OURS}/web`, parent: "rack", selectors };
  await issuer.client.createEntry({ ...entry, federatesWith: [PARTNER, "nobody.example"] });

  const client = new Client(socket);
  stack.after(() => client.close());
  const first = async (method: string): Promise<Buffer | undefined> => {
    const call = client.call(method);
    const reply = await Promise.race([
      call.reply(1).catch(() => undefined),
      call.ended.then(() => undefined),
    ]);
    call.stream.close();
    return reply;
  };
  const root = Buffer.from(authority.root);
  const svids = await until("the foreign bundle beside the SVID", async () => {
    const reply = await first("FetchX509SVID");
    return reply !== undefined && mapOf(reply, 3).size > 0 && reply;
  });
  assert.deepEqual([...mapOf(svids, 3)], [[THEIRS, root]]);
  const own = Buffer.from(valueOf(fieldsOf(svids).get(1)?.[0] ?? svids, 4));
  assert.ok(own.length > 0 && !own.includes(root), "bundles are not merged");

  const x509 = mapOf((await first("FetchX509Bundles")) ?? assert.fail(), 2);
  assert.deepEqual([...x509.keys()].sort(), [OURS, THEIRS]);
  assert.deepEqual(x509.get(THEIRS), root);
  const jwt = mapOf((await first("FetchJWTBundles")) ?? assert.fail(), 1);
  const { keys } = JSON.parse(String(jwt.get(THEIRS))) as { keys: { kid: string; use: string }[] };
  assert.deepEqual(
    keys.map(({ kid, use }) => [kid, use]),
    [["k1", "jwt-svid"]],
  );

  const token = signJwtSvid(
    { keyId: "k1", signer: jwtSigner },
    {
      ...{ spiffeId: `${THEIRS}/db`, audience: ["web"] },
      ...{ nowMs: Date.now() as WallMs, lifetimeMs: 60_000 },
    },
  );
  const validate = async (text: string): Promise<string> => {
    const request = concatBytes(textField(1, "web"), bytesField(2, Buffer.from(text)));
    const { replies, message } = await client.call("ValidateJWTSVID", request).ended;
    return replies[0] === undefined ? message : textValue(replies[0], 1);
  };
  assert.equal(await validate(token), `${THEIRS}/db`);
  assert.match(await validate(`${token.slice(0, -4)}AAAA`), /not valid/);

  // Who follows the stream is told when the trust domain is federated with no longer.
  const stream = client.call("FetchX509Bundles");
  await stream.reply(1);
  await issuer.client.unfederate({ trustDomain: PARTNER });
  assert.deepEqual([...mapOf(await stream.reply(2), 2).keys()], [OURS]);
  assert.match(await validate(token), /not valid/);
  stream.stream.close();
});
