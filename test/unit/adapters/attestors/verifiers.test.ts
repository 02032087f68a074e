// Each attestor with what is right and everything that is nearly right: certificates, identity documents, pods' tokens.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { AwsIidVerifier } from "../../../../src/adapters/attestors/aws-iid.ts";
import { octetsOf, readBer } from "../../../../src/adapters/attestors/ber.ts";
import { K8sPsatVerifier } from "../../../../src/adapters/attestors/k8s-psat.ts";
import { openSignedData } from "../../../../src/adapters/attestors/signed-data.ts";
import { provePossession, X509PopVerifier } from "../../../../src/adapters/attestors/x509pop.ts";
import { utf8Bytes } from "../../../../src/foundation/index.ts";
import type { Attested, Evidence } from "../../../../src/identity/index.ts";
import type { Result } from "../../../../src/foundation/index.ts";
import { derOf, type Pair, withoutOpenssl, Workshop } from "./authorities.ts";
import { der, endless, type MessageOptions, signedMessage } from "./signed-messages.ts";

const skip = withoutOpenssl;
const DAY_MS = 86_400_000;
const challenge = utf8Bytes("a challenge");
let shop: Workshop;
let ca: Pair;

before(() => {
  if (skip !== false) return;
  shop = new Workshop();
  ca = shop.authority("/CN=hosts");
});
after(() => {
  if (skip === false) shop.close();
});

const told = (result: Result<Attested, string>): string =>
  result.ok ? result.value.name : `${result.code}: ${result.detail}`;

describe("a certificate's possession", { skip }, () => {
  function judge(
    evidence: Partial<Extract<Evidence, { type: "x509pop" }>> & { readonly pair?: Pair },
    options: { readonly ca?: Pair; readonly atMs?: number } = {},
  ): Result<Attested, string> {
    const pair = evidence.pair ?? shop.host("/CN=edge-1", ca);
    const files = { certificateFile: pair.certificate, keyFile: pair.key };
    const shown = { ...provePossession(files, challenge), ...evidence };
    const wallMs = (): number => options.atMs ?? Date.now();
    const caFile = (options.ca ?? ca).certificate;
    return new X509PopVerifier({ caFile, wallMs }).verify(shown, challenge);
  }

  test("lets in what an authority of the operator's issued, named by its common name; RSA and ECDSA", () => {
    for (const kind of ["p256", "p384", "rsa"] as const) {
      const judged = judge({ pair: shop.host("/O=x/CN=edge-1", ca, { kind }) });
      assert.ok(judged.ok, told(judged));
      const fingerprint = new X509Certificate(derOf(ca)).fingerprint256.replaceAll(":", "");
      assert.deepEqual(judged.value, {
        name: "x509-edge-1",
        selectors: [
          "x509pop:subject:cn:edge-1",
          `x509pop:ca:fingerprint:${fingerprint.toLowerCase()}`,
        ],
      });
    }
  });

  test("needs the key: another challenge, another key, a changed signature are refused", () => {
    const pair = shop.host("/CN=edge-1", ca);
    const other = shop.host("/CN=edge-1", ca);
    const files = (of: Pair) => ({ certificateFile: of.certificate, keyFile: of.key });
    const refused = /evidence-refused: the challenge is not signed/;
    const { signature } = provePossession(files(pair), utf8Bytes("another challenge"));
    assert.match(told(judge({ pair, signature })), refused);
    assert.match(
      told(judge({ pair, signature: provePossession(files(other), challenge).signature })),
      refused,
    );
    assert.match(told(judge({ pair, signature: new Uint8Array(64) })), refused);
    assert.throws(
      () => provePossession({ certificateFile: pair.certificate, keyFile: other.key }, challenge),
      {
        code: "identity/evidence-missing",
      },
    );
  });

  test("follows authorities in between, as far as they may sign", () => {
    const usage = (path: string) => [
      `basicConstraints=critical,CA:TRUE${path}`,
      "keyUsage=critical,keyCertSign",
    ];
    const middle = shop.authority("/CN=middle", { issuer: ca, extensions: usage(",pathlen:0") });
    const pair = shop.host("/CN=edge-2", middle);
    assert.equal(told(judge({ pair, chain: [derOf(pair), derOf(middle)] })), "x509-edge-2");
    assert.match(told(judge({ pair })), /untrusted/);
    const below = shop.authority("/CN=below", { issuer: middle, extensions: usage("") });
    const deep = shop.host("/CN=edge-3", below);
    const chain = [derOf(deep), derOf(below), derOf(middle)];
    assert.match(told(judge({ pair: deep, chain })), /issuer-usage/);
  });

  test("refuses what is no host's certificate, weak, out of time, or of another authority", () => {
    const hour = 3_600_000;
    const host = (subject: string, options: Parameters<Workshop["host"]>[2] = {}) =>
      shop.host(subject, ca, options);
    const cases: [Parameters<typeof judge>[0], RegExp, Parameters<typeof judge>[1]?][] = [
      [{}, /untrusted/, { ca: shop.authority("/CN=hosts") }],
      [{ pair: shop.authority("/CN=edge-1", { issuer: ca }) }, /leaf-usage/],
      [
        { pair: host("/CN=edge-1", { extensions: ["keyUsage=critical,keyAgreement"] }) },
        /leaf-usage/,
      ],
      [{}, /validity/, { atMs: Date.now() + 3 * DAY_MS }],
      [{}, /validity/, { atMs: Date.now() - hour }],
      [{ pair: host("/CN=a b") }, /common name/],
      [{ pair: host("/CN=a/CN=b") }, /common name/],
      [{ pair: host("/O=none") }, /common name/],
      [{ chain: [] }, /chain-length/],
      [{ chain: [new Uint8Array(9)] }, /evidence-refused: certificate/],
    ];
    for (const [evidence, code, options] of cases)
      assert.match(told(judge(evidence, options)), code);
    const unread = [
      ...[host("/CN=edge-1", { hash: "sha1" }), host("/CN=edge-1", { kind: "rsa1024" })],
      ...[host("/CN=edge-1", { kind: "secp256k1" })],
      host("/CN=edge-1", { extensions: ["1.2.3.4=critical,DER:0500"] }),
    ];
    for (const pair of unread)
      assert.match(told(judge({ chain: [derOf(pair)] })), /evidence-refused: certificate/);
  });

  test("is not judged without authorities: that is the issuer's fault, and told so", () => {
    const missing = { ...ca, certificate: join(shop.directory, "missing.pem") };
    assert.match(told(judge({}, { ca: missing })), /attestor-unavailable/);
    const empty = { ...ca, certificate: shop.write("empty.pem", "nothing") };
    assert.match(told(judge({}, { ca: empty })), /attestor-unavailable/);
  });
});

const DOCUMENT = {
  accountId: "123456789012",
  region: "eu-central-1",
  availabilityZone: "eu-central-1a",
  instanceId: "i-0123456789abcdef0",
  imageId: "ami-0123456789abcdef0",
  billingProducts: null,
};

describe("an instance's identity document", { skip }, () => {
  let aws: Pair;
  before(() => {
    if (skip === false) aws = shop.make("/CN=aws", { kind: "rsa" });
  });

  function judge(
    document: object | string,
    options: MessageOptions & {
      readonly key?: string;
      readonly regions?: readonly string[];
      readonly accounts?: readonly string[];
    } = {},
  ): Result<Attested, string> {
    const content = utf8Bytes(typeof document === "string" ? document : JSON.stringify(document));
    const { regions = [], accounts = ["123456789012"] } = options;
    const verifier = new AwsIidVerifier({ certificatesFile: aws.certificate, accounts, regions });
    return verifier.verify({
      type: "aws_iid",
      document: signedMessage(content, options.key ?? aws.key, options),
    });
  }

  test("lets an instance of the accounts and regions in, in AWS's BER and in DER, with and without attributes", () => {
    for (const form of ["ber", "der"] as const) {
      for (const attributes of [true, false]) {
        const judged = judge(DOCUMENT, { form, attributes, regions: ["eu-central-1"] });
        assert.ok(judged.ok, told(judged));
        assert.equal(judged.value.name, "aws-i-0123456789abcdef0");
        assert.deepEqual(judged.value.selectors, [
          "aws_iid:account:123456789012",
          "aws_iid:region:eu-central-1",
          "aws_iid:az:eu-central-1a",
          "aws_iid:instance:id:i-0123456789abcdef0",
          "aws_iid:image:id:ami-0123456789abcdef0",
        ]);
      }
    }
  });

  test("reads what OpenSSL writes as well", () => {
    const content = shop.write("document.json", JSON.stringify(DOCUMENT));
    const written = execFileSync("openssl", [
      ...["cms", "-sign", "-in", content, "-signer", aws.certificate, "-inkey", aws.key],
      ...["-outform", "DER", "-nodetach", "-binary", "-md", "sha256"],
    ]);
    const verifier = new AwsIidVerifier({
      ...{ certificatesFile: aws.certificate, accounts: ["123456789012"], regions: [] },
    });
    const document = new Uint8Array(written);
    assert.equal(told(verifier.verify({ type: "aws_iid", document })), "aws-i-0123456789abcdef0");
  });

  test("of another account or region is genuine and not let in", () => {
    const not = (options: Parameters<typeof judge>[1]) => told(judge(DOCUMENT, options));
    assert.match(not({ accounts: ["210987654321"] }), /not-allowed: account 123456789012/);
    assert.match(not({ regions: ["us-east-1"] }), /not-allowed: region eu-central-1/);
  });

  test("that AWS has not signed so is refused", () => {
    const other = shop.make("/CN=aws", { kind: "rsa" });
    const none = Buffer.alloc(0);
    const sha1 = der(0x30, der(0x06, Buffer.from("2b0e03021a", "hex")));
    const cases: [MessageOptions & { key?: string }, RegExp][] = [
      [{ key: other.key }, /signature/],
      [{ digest: Buffer.alloc(32) }, /signed-attributes/],
      [{ digestAlgorithm: sha1 }, /digest-algorithm/],
      [{ signatureAlgorithm: sha1 }, /signature-algorithm/],
      [{ contentType: der(0x06, Buffer.from("2a03", "hex")) }, /no-signed-data/],
      [{ signers: 2 }, /content-or-signers/],
      [{ signers: 0 }, /content-or-signers/],
      [{ digest: none }, /signed-attributes/],
    ];
    for (const [options, code] of cases) assert.match(told(judge(DOCUMENT, options)), code);
    for (const document of [
      "",
      "[]",
      "{}",
      { ...DOCUMENT, instanceId: "i-1/../x" },
      { ...DOCUMENT, accountId: 123456789012 },
    ])
      assert.match(told(judge(document)), /no identity document/);
  });

  test("is refused when one byte of it is another", () => {
    const content = utf8Bytes(JSON.stringify(DOCUMENT));
    const message = signedMessage(content, aws.key);
    const keys = [
      createPublicKey(
        new X509Certificate(derOf(aws)).publicKey.export({ type: "spki", format: "pem" }),
      ),
    ];
    assert.ok(openSignedData(message, keys).ok);
    for (let at = 0; at < message.length; at += 1) {
      const changed = Uint8Array.from(message);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      const opened = openSignedData(changed, keys);
      // Version numbers and who signed are not covered and not looked at: the content stays.
      if (opened.ok) assert.deepEqual(opened.value, content, `byte ${at}`);
    }
    for (let length = 0; length < message.length; length += 1)
      assert.ok(!openSignedData(message.subarray(0, length), keys).ok);
  });
});

describe("BER", () => {
  test("is read with indefinite lengths and strings in pieces, to a depth and number", () => {
    const nested = (depth: number): Buffer =>
      depth === 0 ? der(0x04) : endless(0x30, nested(depth - 1));
    assert.ok(readBer(nested(16)));
    assert.equal(readBer(nested(17)), undefined);
    const many = (count: number): Buffer =>
      endless(0x30, ...Array.from({ length: count }, () => der(0x05)));
    assert.equal(readBer(many(511))?.parts.length, 511);
    assert.equal(readBer(many(512)), undefined);
    const pieces = readBer(endless(0x24, der(0x04, Buffer.from("a")), der(0x04, Buffer.from("b"))));
    assert.ok(pieces);
    assert.equal(Buffer.from(octetsOf(pieces) ?? []).toString(), "ab");
  });

  test("that is cut short, too long for its frame, or of unknown form is nothing", () => {
    for (const hex of [
      "",
      "30",
      "3080",
      "308000",
      "0480",
      "04810",
      "0405aa",
      "1f0100",
      "308104",
      "30850000000001",
      "0400ff",
    ])
      assert.equal(readBer(Buffer.from(hex, "hex")), undefined, hex);
  });
});

describe("a pod's token", { skip }, () => {
  let server: Server;
  let answer: (review: Review) => unknown;
  let asked: Review[] = [];
  let verifier: K8sPsatVerifier;

  interface Review {
    readonly path: string;
    readonly authorization: string;
    readonly body: {
      readonly kind: string;
      readonly spec: { readonly token: string; readonly audiences: string[] };
    };
  }

  /** A stand-in API server; it keeps what it was asked. */
  before(async () => {
    if (skip !== false) return;
    const web = shop.make("/CN=api", { extensions: ["subjectAltName=IP:127.0.0.1"] });
    server = createServer(
      { cert: readFileSync(web.certificate), key: readFileSync(web.key) },
      (request, response) => {
        let body = "";
        request.on("data", (part: Buffer) => (body += part.toString()));
        request.on("end", () => {
          const { url: path = "", headers } = request;
          const review = {
            path,
            authorization: headers.authorization ?? "",
            body: JSON.parse(body) as Review["body"],
          };
          asked.push(review);
          const said = answer(review);
          response.writeHead(typeof said === "number" ? said : 201);
          response.end(typeof said === "string" ? said : JSON.stringify(said));
        });
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    verifier = new K8sPsatVerifier({
      ...{ cluster: "prod", audience: "meshd", serviceAccounts: ["mesh:meshd"] },
      ...{ apiServer: `https://127.0.0.1:${port}`, caFile: web.certificate },
      tokenFile: shop.write("own-token", "the issuer's\n"),
    });
  });
  after(() => {
    if (skip === false) server.close();
  });

  const ACCOUNT = "system:serviceaccount:mesh:meshd";
  const token = (claims: object = {}): string => {
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "RS256" })}.${part({ sub: ACCOUNT, aud: ["meshd"], ...claims })}.c2ln`;
  };
  const reviewed = (change: object = {}, user: object = {}): object => ({
    status: {
      ...{ authenticated: true, audiences: ["meshd"] },
      user: {
        username: ACCOUNT,
        extra: {
          "authentication.kubernetes.io/pod-name": ["meshd-x7k2p"],
          "authentication.kubernetes.io/node-name": ["worker-3"],
        },
        ...user,
      },
      ...change,
    },
  });
  async function judge(said: unknown, claims?: object): Promise<string> {
    asked = [];
    answer = () => said;
    return told(await verifier.verify({ type: "k8s_psat", token: token(claims) }));
  }

  test("is shown to the API server, for the audience and with the issuer's own token; the pod is named by its answer", async () => {
    answer = () => reviewed();
    asked = [];
    const judged = await verifier.verify({ type: "k8s_psat", token: token() });
    assert.ok(judged.ok, told(judged));
    assert.deepEqual(judged.value, {
      name: "k8s-prod-meshd-x7k2p",
      selectors: [
        ...["k8s_psat:cluster:prod", "k8s_psat:agent_ns:mesh", "k8s_psat:agent_sa:meshd"],
        ...["k8s_psat:agent_pod_name:meshd-x7k2p", "k8s_psat:agent_node_name:worker-3"],
      ],
    });
    const [review] = asked;
    assert.equal(review?.path, "/apis/authentication.k8s.io/v1/tokenreviews");
    assert.equal(review.authorization, "Bearer the issuer's");
    assert.equal(review.body.kind, "TokenReview");
    assert.deepEqual(review.body.spec, { token: token(), audiences: ["meshd"] });
  });

  test("that is plainly for others is refused without a question", async () => {
    assert.match(
      await judge(reviewed(), { aud: ["api"] }),
      /evidence-refused: no token for this audience/,
    );
    assert.match(
      await judge(reviewed(), { sub: "system:serviceaccount:mesh:other" }),
      /not-allowed/,
    );
    assert.match(await judge(reviewed(), { sub: "mesh:meshd" }), /not-allowed/);
    assert.deepEqual(asked, []);
    const verified = await verifier.verify({ type: "k8s_psat", token: "a.b.c" });
    assert.match(told(verified), /evidence-refused/);
  });

  test("counts as the API server says, not as it says itself", async () => {
    assert.match(await judge(reviewed({ authenticated: false })), /does not know/);
    assert.match(await judge(reviewed({ authenticated: undefined })), /does not know/);
    assert.match(await judge(reviewed({ audiences: ["api"] })), /does not know/);
    assert.match(await judge(reviewed({ audiences: undefined })), /does not know/);
    assert.match(
      await judge(reviewed({}, { username: "system:serviceaccount:mesh:other" })),
      /not-allowed/,
    );
    assert.match(await judge(reviewed({}, { username: "admin" })), /not-allowed/);
    assert.match(await judge(reviewed({}, { extra: {} })), /of no pod/);
  });

  test("cannot be judged while the API server gives no answer, or no good one", async () => {
    for (const said of [500, 403, "no json", {}, [], "x".repeat(65 * 1024)])
      assert.match(await judge(said), /attestor-unavailable/);
    const { caFile } = { caFile: ca.certificate };
    const { port } = server.address() as { port: number };
    const stranger = new K8sPsatVerifier({
      ...{ cluster: "prod", audience: "meshd", serviceAccounts: ["mesh:meshd"], caFile },
      ...{ apiServer: `https://127.0.0.1:${port}`, tokenFile: shop.write("t", "x") },
    });
    asked = [];
    assert.match(told(await stranger.verify({ type: "k8s_psat", token: token() })), /unavailable/);
    assert.deepEqual(asked, [], "the issuer's token goes to no server that is not the cluster's");
  });
});
