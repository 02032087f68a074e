// The Workload API of real daemons over its real socket. The caller is this process, whose user, executable and digest are known. Each
// test is named by the line of the checklist that it shows (docs/identity.md has the table).

import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { workloadApiLimits } from "../../../src/adapters/workload-api/server.ts";
import type { EntryCreateRequest } from "../../../src/control/index.ts";
import { bytesField, textField } from "../../../src/adapters/workload-api/protobuf.ts";
import { concatBytes } from "../../../src/foundation/index.ts";
import {
  assertRefused,
  converged,
  enrol,
  type InProcessDaemon,
  scratch,
  Stack,
  startDaemon,
  TRUST_DOMAIN,
  until,
} from "../node/harness.ts";
import { type Call, Client, type Ended, fieldsOf, textValue, valueOf } from "./grpc-client.ts";

const stack = new Stack();
const UID = process.getuid?.() ?? 0;
const ME = `unix:uid:${UID}`;
const WEB = `spiffe://${TRUST_DOMAIN}/web`;
const DOMAIN = `spiffe://${TRUST_DOMAIN}`;
const [OK, INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE] = [
  0, 3, 7, 8, 12, 14,
];
/** The node of most tests is the issuer itself, which hears of new entries at once; `remote` asks it every five seconds. */
let issuer: InProcessDaemon;
let remote: InProcessDaemon;
let client: Client;
let stranger: Client;
let socket: string;
let web: string;

/** The remote node has a socket of its own, for which there is no entry: there, this process is nobody. */
before(async () => {
  const [one, two] = [scratch(stack), scratch(stack)];
  socket = join(one, "api.sock");
  const nobodys = join(two, "api.sock");
  issuer = await startDaemon(stack, { workload_api: { socket } }, one);
  remote = await startDaemon(stack, { workload_api: { socket: nobodys } }, two);
  await enrol({ issuer, remote });
  await converged({ issuer, remote });
  client = new Client(socket);
  stranger = new Client(nobodys);
  web = await create({ profile: "both", dnsNames: ["web.example.org"] });
  await until("the first SVIDs", () => firstReply("FetchX509SVID"));
});
after(async () => {
  await client.close();
  await stranger.close();
  await stack.unwind();
});

async function create(more: Partial<EntryCreateRequest>): Promise<string> {
  const entry = { spiffeId: WEB, parent: "issuer", selectors: [ME], ...more };
  return (await issuer.client.createEntry(entry)).entries[0]?.id ?? assert.fail("no entry");
}

/** The first reply of a stream, or undefined when it ends without one. */
async function firstReply(method: string, from = client): Promise<Buffer | undefined> {
  const call = from.call(method);
  const reply = await Promise.race([
    call.reply(1).catch(() => undefined),
    call.ended.then(() => undefined),
  ]);
  call.stream.close();
  return reply;
}

const svidsOf = (reply: Uint8Array): readonly Uint8Array[] => fieldsOf(reply).get(1) ?? [];
const idsOf = (reply: Uint8Array): string[] => svidsOf(reply).map((svid) => textValue(svid, 1));
const all = async (): Promise<Buffer> =>
  (await firstReply("FetchX509SVID")) ?? assert.fail("no SVIDs");

/** The entries of a map field by their key. */
function mapOf(reply: Uint8Array, number: number): Map<string, Uint8Array> {
  const entries = fieldsOf(reply).get(number) ?? [];
  return new Map(entries.map((entry) => [textValue(entry, 1), valueOf(entry, 2)]));
}

/** DER certificates that stand one after another. */
function certificates(der: Uint8Array): X509Certificate[] {
  const found: X509Certificate[] = [];
  for (let at = 0; at < der.length; ) {
    const length = 4 + ((der[at + 2] ?? 0) << 8) + (der[at + 3] ?? 0);
    found.push(new X509Certificate(der.subarray(at, at + length)));
    at += length;
  }
  return found;
}

const jwtRequest = (audience: readonly string[], spiffeId = ""): Uint8Array =>
  concatBytes(...audience.map((text) => bytesField(1, Buffer.from(text))), textField(2, spiffeId));
const validateRequest = (audience: string, token: string): Uint8Array =>
  concatBytes(textField(1, audience), textField(2, token));
const end = (
  method: string,
  message?: Uint8Array,
  headers?: Record<string, string>,
): Promise<Ended> => client.call(method, message, headers).ended;

async function tokenFor(audience: string): Promise<string> {
  const { status, replies } = await end("FetchJWTSVID", jwtRequest([audience]));
  assert.equal(status, OK);
  return textValue(svidsOf(replies[0] ?? Buffer.alloc(0))[0] ?? Buffer.alloc(0), 2);
}

describe("the endpoint", () => {
  test("[E1] speaks gRPC, and refuses what is none", async () => {
    assert.ok((await all()).length > 0);
    const { status } = await end("FetchX509SVID", undefined, {
      "workload.spiffe.io": "true",
      "content-type": "application/json",
    });
    assert.equal(status, -1, "HTTP 415 has no gRPC status");
    const raw = connect(socket);
    raw.write("GET / HTTP/1.1\r\n\r\n");
    raw.resume();
    await once(raw, "close");
  });

  test("[E2] is a Unix socket that every user may open, and no network address", async () => {
    const { mode } = statSync(socket);
    assert.equal(mode & 0o777, 0o666);
    const { node: status } = await issuer.status();
    assert.ok(status.addresses.every((address) => address.startsWith("/ip4/")));
  });

  test("[E3] refuses calls without the security header, before it asks who calls", async () => {
    const before = await issuer.metric("meshd_identity_workload_attestations_total");
    for (const headers of [
      {},
      { "workload.spiffe.io": "false" },
      { "workload.spiffe.io": "" },
    ] as Record<string, string>[])
      assert.equal((await end("FetchX509SVID", undefined, headers)).status, INVALID_ARGUMENT);
    assert.equal(await issuer.metric("meshd_identity_workload_attestations_total"), before);
  });

  test("[E4][E5][E6] needs neither TLS nor anything else of the workload but the header", async () => {
    assert.deepEqual(idsOf(await all()), [WEB, WEB]);
  });

  test("[E8][W3] has no other services and methods", async () => {
    for (const path of [
      "/Other/FetchX509SVID",
      "/SpiffeWorkloadAPI/Other",
      "/SpiffeWorkloadAPI/__proto__",
      "/SpiffeWorkloadAPI/",
      "/",
    ])
      assert.equal((await end(path)).status, UNIMPLEMENTED, path);
  });

  test("[E9] tells by reflection what it serves, also to who has no identity, and never without the security header", async () => {
    for (const version of ["v1", "v1alpha"]) {
      const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
      const asked = [textField(7, "*"), textField(4, "SpiffeWorkloadAPI")];
      const frames = asked.map((message) =>
        concatBytes(Buffer.of(0, 0, 0, 0), Buffer.of(message.length), message),
      ); // prettier-ignore
      const { status, replies } = await stranger.raw(path, concatBytes(...frames)).ended;
      assert.equal(status, OK);
      const [list = Buffer.alloc(0), file = Buffer.alloc(0)] = replies;
      const services = fieldsOf(valueOf(list, 6)).get(1) ?? [];
      assert.equal(textValue(services[0] ?? Buffer.alloc(0), 1), "SpiffeWorkloadAPI");
      const definitions = fieldsOf(valueOf(file, 4)).get(1) ?? [];
      assert.equal(textValue(definitions[0] ?? Buffer.alloc(0), 1), "workload.proto");
      assert.equal((await end(path, asked[0], {})).status, INVALID_ARGUMENT);
      assert.equal((await end(path, Buffer.of(0xff))).status, INVALID_ARGUMENT);
    }
  });

  test("[E10] is unavailable until it knows what there is", async (t) => {
    const directory = scratch(t);
    const path = join(directory, "api.sock");
    const fresh = await startDaemon(t, { workload_api: { socket: path } }, directory);
    // Not enrolled: it serves no socket at all, which clients take for unavailable.
    await assert.rejects(() => once(connect(path), "connect"));
    const { token } = await issuer.client.createToken({ ttlSeconds: 3_600, name: "late" });
    await fresh.client.join({ token, name: "late" });
    const late = new Client(path);
    t.after(() => late.close());
    const { status } = await until("an answer that is not unavailable", async () => {
      const ended = await late.call("FetchX509SVID").ended;
      return ended.status !== UNAVAILABLE && ended;
    });
    assert.equal(status, PERMISSION_DENIED, "it knows now that there is no entry for it");
  });

  test("[E11] is not served where it was not asked for", async (t) => {
    const off = await startDaemon(t);
    assert.equal(
      (await off.client.config()).keys.find(({ key }) => key === "workload_api.socket")?.value,
      "off",
    );
  });
});

describe("X.509-SVIDs", () => {
  test("[W7] come with the leaf first, an unencrypted PKCS#8 key and the bundle; OpenSSL verifies both chains", async () => {
    const svids = svidsOf(await all());
    assert.equal(svids.length, 2);
    for (const svid of svids) {
      const chain = certificates(valueOf(svid, 2));
      const [leaf] = chain;
      assert.ok(leaf !== undefined);
      assert.ok(leaf.subjectAltName?.includes(`URI:${WEB}`));
      const key = createPrivateKey({
        key: Buffer.from(valueOf(svid, 3)),
        format: "der",
        type: "pkcs8",
      });
      assert.deepEqual(
        createPublicKey(key).export({ type: "spki", format: "der" }),
        leaf.publicKey.export({ type: "spki", format: "der" }),
      );
      const roots = certificates(valueOf(svid, 4));
      const root = roots.find((candidate) => candidate.subject === chain.at(-1)?.issuer);
      assert.ok(root !== undefined && root.verify(root.publicKey));
      for (const [index, certificate] of chain.entries()) {
        const above: X509Certificate = chain[index + 1] ?? root;
        assert.ok(certificate.verify(above.publicKey) && certificate.checkIssued(above));
      }
    }
    assert.throws(() =>
      createPrivateKey({ key: Buffer.from(valueOf(svids[0]!, 2)), format: "der", type: "pkcs8" }),
    );
  });

  test("[W1][W14] are of both kinds, P-256 first, which most software reads", async () => {
    const kinds = svidsOf(await all()).map(
      (svid) => certificates(valueOf(svid, 2))[0]?.publicKey.asymmetricKeyType,
    );
    assert.deepEqual(kinds, ["ec", "ml-dsa-65"]);
  });

  test("[W8] have hints that differ", async () => {
    const hints = svidsOf(await all()).map((svid) => textValue(svid, 5));
    assert.deepEqual(hints, ["es256", "ml-dsa-65"]);
    const twin = await create({ spiffeId: `${DOMAIN}/twin`, hint: "es256" });
    const reply = await until("the twin", async () => {
      const next = await all();
      return idsOf(next).length === 3 && next;
    });
    assert.deepEqual(
      svidsOf(reply).map((svid) => textValue(svid, 5)),
      ["es256", "ml-dsa-65", ""],
      "a hint is given once",
    );
    await issuer.client.deleteEntry({ id: twin });
    await until("the twin to go", async () => idsOf(await all()).length === 2);
  });

  test("[W9][W16] bundles hold the own trust domain, X.509 roots and nothing else", async () => {
    const reply = (await firstReply("FetchX509Bundles")) ?? assert.fail("no bundles");
    const bundles = mapOf(reply, 2);
    assert.deepEqual([...bundles.keys()], [DOMAIN]);
    const roots = certificates(bundles.get(DOMAIN) ?? new Uint8Array(0));
    assert.deepEqual(
      roots.map(({ ca }) => ca),
      [true, true],
    );
  });

  test("[W4][W5][W6] stream all there is at once, and again when an entry comes or goes", async () => {
    const call = client.call("FetchX509SVID");
    assert.deepEqual(idsOf(await call.reply(1)), [WEB, WEB]);
    const id = await create({ spiffeId: `${DOMAIN}/second` });
    assert.deepEqual(idsOf(await call.reply(2)), [WEB, WEB, `${DOMAIN}/second`]);
    await issuer.client.deleteEntry({ id });
    assert.deepEqual(idsOf(await call.reply(3)), [WEB, WEB]);
    assert.equal(call.replies.length, 3, "nothing is sent that says the same");
    call.stream.close();
  });

  test("[W13] are refused to a process that no entry describes, by every method", async () => {
    for (const method of ["FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"])
      assert.equal((await stranger.call(method).ended).status, PERMISSION_DENIED, method);
    assert.equal(
      (await stranger.call("FetchJWTSVID", jwtRequest(["db"])).ended).status,
      PERMISSION_DENIED,
    );
    assert.equal(
      (await stranger.call("ValidateJWTSVID", validateRequest("db", "x")).ended).status,
      PERMISSION_DENIED,
    );
    assert.equal(
      (await end("FetchJWTSVID", jwtRequest(["db"], `${DOMAIN}/other`))).status,
      PERMISSION_DENIED,
    );
  });
});

describe("selectors of a process", () => {
  const cases: Record<string, [string[], boolean]> = {
    "by its executable's path": [[`unix:path:${realpathSync("/proc/self/exe")}`], true],
    "by another path": [["unix:path:/usr/bin/other"], false],
    "by user and group": [[ME, `unix:gid:${process.getgid?.() ?? 0}`], true],
    "by user and another group": [[ME, "unix:gid:64999"], false],
    "by another user": [["unix:uid:64999"], false],
  };
  for (const [name, [selectors, expected]] of Object.entries(cases)) {
    test(`describe it ${name}: ${expected ? "it is" : "it is not"}`, async () => {
      const spiffeId = `${DOMAIN}/by`;
      const id = await create({ spiffeId, selectors });
      // A second entry, which this process has in any case, tells that the node knows of both.
      const mark = await create({ spiffeId: `${DOMAIN}/mark` });
      const ids = await until("the mark", async () => {
        const found = idsOf(await all());
        return found.includes(`${DOMAIN}/mark`) && found;
      });
      assert.equal(ids.includes(spiffeId), expected);
      for (const one of [id, mark]) await issuer.client.deleteEntry({ id: one });
      await until("both to go", async () => idsOf(await all()).length === 2);
    });
  }

  test("describe it by its executable's digest, and by no other digest", async () => {
    const digest = createHash("sha256").update(readFileSync("/proc/self/exe")).digest("hex");
    const other = await create({
      spiffeId: `${DOMAIN}/other`,
      selectors: [`unix:sha256:${"0".repeat(64)}`],
    });
    const mine = await create({ spiffeId: `${DOMAIN}/mine`, selectors: [`unix:sha256:${digest}`] });
    await until("the one", async () => idsOf(await all()).includes(`${DOMAIN}/mine`));
    assert.ok(!idsOf(await all()).includes(`${DOMAIN}/other`));
    for (const id of [other, mine]) await issuer.client.deleteEntry({ id });
    await until("both to go", async () => idsOf(await all()).length === 2);
  });
});

describe("JWT-SVIDs", () => {
  test("[W10] need an audience, and are given for each identity or the one that is named", async () => {
    for (const request of [
      jwtRequest([]),
      jwtRequest([""]),
      jwtRequest(["x".repeat(1025)]),
      jwtRequest(Array.from({ length: 17 }, (_, i) => `a${i}`)),
      Buffer.from([0xff]),
    ])
      assert.equal((await end("FetchJWTSVID", request)).status, INVALID_ARGUMENT);
    const second = await create({ spiffeId: `${DOMAIN}/second`, hint: "two" });
    const both = await until("two tokens", async () => {
      const { replies } = await end("FetchJWTSVID", jwtRequest(["db"]));
      return replies[0] !== undefined && idsOf(replies[0]).length === 2 && replies[0];
    });
    assert.deepEqual(idsOf(both), [WEB, `${DOMAIN}/second`]);
    const { replies } = await end("FetchJWTSVID", jwtRequest(["db"], `${DOMAIN}/second`));
    assert.deepEqual(idsOf(replies[0] ?? Buffer.alloc(0)), [`${DOMAIN}/second`]);
    await issuer.client.deleteEntry({ id: second });
    await until("the second to go", async () => idsOf(await all()).length === 2);
  });

  test("[W11] bundles are keyed by trust domain and hold the keys that the tokens are by", async () => {
    const reply = (await firstReply("FetchJWTBundles")) ?? assert.fail("no bundles");
    const bundles = mapOf(reply, 1);
    assert.deepEqual([...bundles.keys()], [DOMAIN]);
    const { keys } = JSON.parse(Buffer.from(bundles.get(DOMAIN) ?? []).toString()) as {
      keys: Record<string, string>[];
    };
    assert.ok(keys.every((key) => key["use"] === "jwt-svid" && !("x5c" in key)));
    const header = JSON.parse(
      Buffer.from((await tokenFor("db")).split(".")[0] ?? "", "base64url").toString(),
    ) as { kid: string };
    assert.ok(keys.some(({ kid }) => kid === header.kid));
  });

  test("[W12] are validated with all claims told, and refused for another audience or a changed byte", async () => {
    const token = await tokenFor("db");
    const { status, replies } = await end("ValidateJWTSVID", validateRequest("db", token));
    assert.equal(status, OK);
    const reply = replies[0] ?? Buffer.alloc(0);
    assert.equal(textValue(reply, 1), WEB);
    assert.deepEqual([...mapOf(valueOf(reply, 2), 1).keys()], ["sub", "aud", "exp", "iat"]);
    const changed = token.slice(0, -2) + (token.endsWith("AA") ? "BB" : "AA");
    for (const [audience, text] of [
      ["web", token],
      ["db", changed],
      ["db", "x"],
      ["", token],
      ["db", ""],
    ] as const)
      assert.equal(
        (await end("ValidateJWTSVID", validateRequest(audience, text))).status,
        INVALID_ARGUMENT,
      );
  });

  test("are used again for the same audience, and asked for once by many at a time", async () => {
    const before = await issuer.metric("meshd_identity_workload_issues_total", { kind: "jwt" });
    const tokens = await Promise.all(Array.from({ length: 40 }, () => tokenFor("many")));
    assert.equal(new Set(tokens).size, 1);
    assert.equal(
      await issuer.metric("meshd_identity_workload_issues_total", { kind: "jwt" }),
      before + 1,
    );
  });
});

describe("[W2] WIT-SVIDs", () => {
  test("are not implemented, and say so", async () => {
    for (const method of ["FetchWITSVID", "FetchWITBundles"])
      assert.equal((await end(method)).status, UNIMPLEMENTED);
  });
});

describe("a hostile or clumsy client", () => {
  test("that sends no message, two, half of one, a compressed or a huge one, is refused each time", async () => {
    const frame = (flag: number, length: number, body = ""): Buffer => {
      const head = Buffer.from([flag, 0, 0, 0, 0]);
      head.writeUInt32BE(length, 1);
      return Buffer.concat([head, Buffer.from(body)]);
    };
    const cases: [Buffer, number][] = [
      [Buffer.alloc(0), INVALID_ARGUMENT],
      [frame(0, 9), INVALID_ARGUMENT],
      [Buffer.concat([frame(0, 0), frame(0, 0)]), INVALID_ARGUMENT],
      [frame(1, 0), UNIMPLEMENTED],
      [frame(0, 200_000, "x".repeat(200_000)), RESOURCE_EXHAUSTED],
    ];
    for (const [body, status] of cases)
      assert.equal((await client.raw("FetchX509SVID", body).ended).status, status);
    const good = client.raw("FetchX509SVID", frame(0, 0));
    assert.ok((await good.reply(1)).length > 0);
    good.stream.close();
  });

  test("that opens more connections than a user may is cut off, and counted; others go on", async () => {
    const refused = (): Promise<number> =>
      issuer.metric("meshd_identity_workload_connections_refused_total");
    const before = await refused();
    const sockets = Array.from({ length: workloadApiLimits.connectionsPerUserMax + 5 }, () =>
      connect(socket),
    );
    for (const one of sockets) one.on("error", () => undefined).resume();
    await until("connections to be cut off", async () => (await refused()) > before);
    assert.deepEqual(idsOf(await all()), [WEB, WEB], "the connection that was there is served");
    for (const one of sockets) one.destroy();
    await until("room for a new connection", async () => {
      const again = new Client(socket);
      const reply = await firstReply("FetchX509SVID", again);
      await again.close();
      return reply;
    });
  });

  test("a thousand fetches at a time are all answered", async () => {
    const clients = Array.from({ length: 10 }, () => new Client(socket));
    const calls = clients.flatMap((one) =>
      Array.from({ length: 100 }, () => one.call("FetchX509SVID")),
    );
    const replies = await Promise.all(calls.map((call) => call.reply(1)));
    assert.equal(replies.length, 1_000);
    assert.equal(new Set(replies.map((reply) => reply.toString("base64"))).size, 1);
    for (const one of clients) await one.close();
    await until(
      "the streams to end",
      async () => (await issuer.metric("meshd_identity_workload_streams")) === 0,
    );
  });
});

describe("an operator", () => {
  test("is refused a bad, a double and an unknown entry, each with its code", async () => {
    await assertRefused(
      create({ spiffeId: "spiffe://other/x" }),
      "identity/entry-invalid",
      /docs\/workloads\.md/,
    );
    await assertRefused(create({ selectors: ["k8s:ns:x"] }), "identity/entry-invalid", /unix:uid/);
    await assertRefused(create({}), "identity/entry-exists", /Delete/);
    await assertRefused(
      issuer.client.deleteEntry({ id: "00" }),
      "identity/entry-unknown",
      /entry list/,
    );
    await assertRefused(remote.client.entries(), "control/not-issuer", /issuer/);
  });

  test("sees entries with what was issued for them", async () => {
    const { entries } = await issuer.client.entries();
    const entry = entries.find(({ id }) => id === web) ?? assert.fail("no entry");
    assert.ok(entry.issued >= 3 && entry.lastIssuedAt !== null);
  });
});

describe("a stream whose last entry is deleted", () => {
  test("[W13] ends as refused", async () => {
    const call: Call = client.call("FetchX509SVID");
    await call.reply(1);
    await issuer.client.deleteEntry({ id: web });
    assert.equal((await call.ended).status, PERMISSION_DENIED);
  });
});

describe("a node that is no issuer", () => {
  test("has what its entries say, and outlasts its issuer", async () => {
    const alone = `${DOMAIN}/alone`;
    const of = (): Promise<Buffer | undefined> => firstReply("FetchX509SVID", stranger);
    await create({ spiffeId: alone, parent: "rem*", profile: "both" });
    assert.deepEqual(idsOf(await until("SVIDs", of)), [alone, alone]);
    const jwt = (audience: string): Promise<Ended> =>
      stranger.call("FetchJWTSVID", jwtRequest([audience])).ended;
    const { replies } = await jwt("kept");
    await issuer.stop();
    await until(
      "the node to notice",
      async () => (await remote.metric("meshd_identity_workload_issuer_reachable")) === 0,
    );
    assert.deepEqual(idsOf((await of()) ?? assert.fail("no SVIDs")), [alone, alone]);
    assert.deepEqual((await jwt("kept")).replies, replies);
    assert.equal((await jwt("new")).status, UNAVAILABLE);
    const expiry = await remote.metric("meshd_identity_workload_svid_expiry_timestamp_seconds");
    assert.ok(expiry > Date.now() / 1000);
  });
});
