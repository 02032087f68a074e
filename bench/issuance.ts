// What a workload's SVID costs its node: the key, the proof that the node has it, and the issuer's answer over a real connection, with
// the log of issuances on the disk (fsync) before it. One at a time, thirty-two at once as after a start, and at random times (Poisson) so
// many a second, whether or not those before are answered. Node and issuer share one thread here. The objective: 100 ms at the 99th percentile.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newWorkloadKey } from "../src/adapters/crypto/workload-key.ts";
import { StateStore } from "../src/adapters/sqlite/state-store.ts";
import {
  type CertificateAlgorithm,
  encodeSvidMessage,
  parseSvidResponse,
  possessionMessage,
  SVID_PROTOCOL,
  SVID_REQUEST_BYTES_MAX,
  SVID_RESPONSE_BYTES_MAX,
  type SvidRequest,
} from "../src/identity/index.ts";
import { linked } from "../test/integration/adapters/test-network.ts";
import { Stack } from "../test/integration/node/harness.ts";
import { engine, NOW, seededRandom } from "../test/unit/identity/support.ts";
import { at, makeWorkloadDomain, nodeCalled } from "../test/unit/identity/workload/support.ts";
import { type BenchSuite, summarize } from "./measure.ts";

const AT_ONCE = 32;
/** Arrivals a second, of all three kinds in turn. */
const RATES = [10, 20, 40, 80];
const random = seededRandom("issuance");

export const suite: BenchSuite = async (report, { seconds }) => {
  const stack = new Stack();
  const directory = mkdtempSync(join(tmpdir(), "issuance-"));
  stack.after(() => rmSync(directory, { recursive: true }));
  try {
    const store = new StateStore(directory);
    stack.after(() => store.close());
    const [near, far] = await linked(stack, "issuance");
    const { desk, book } = makeWorkloadDomain("root", (issuance) =>
      store.workloads.record(issuance),
    );
    const draft = { parent: "*", selectors: ["unix:uid:1"], profile: "both" as const };
    const entry = book.create({ spiffeId: "spiffe://mesh.example/web", ...draft }, NOW);
    const node = { ...nodeCalled("near"), nodeId: near.nodeId };
    let asked = 0;
    await far.network.serve(
      SVID_PROTOCOL,
      { requestBytesMax: SVID_REQUEST_BYTES_MAX, streamsPerPeerMax: AT_ONCE },
      // A second for each request: the limit of one node is not what is measured.
      (_peer, request) =>
        Promise.resolve(desk.handle(request, node, { ...at(1_000 * asked++), wallMs: NOW })),
    );
    const ask = async (request: SvidRequest): Promise<void> => {
      const answer = await near.network.request(
        far.nodeId,
        SVID_PROTOCOL,
        encodeSvidMessage(request),
        { timeoutMs: 10_000, responseBytesMax: SVID_RESPONSE_BYTES_MAX },
      );
      const parsed = parseSvidResponse(answer);
      if (!parsed.ok || parsed.value.result === "refused")
        throw new Error(`no SVID: ${JSON.stringify(parsed)}`);
    };
    const x509 = (algorithm: CertificateAlgorithm) => (): Promise<void> => {
      const key = newWorkloadKey({ engine, random }, algorithm);
      const { publicKey } = key;
      const proof = key.prove(
        possessionMessage({ node: near.nodeId, entry: entry.id, algorithm, publicKey }),
      );
      return ask({ op: "x509", entry: entry.id, algorithm, publicKey, proof });
    };
    const kinds = {
      "x509-es256": x509("es256"),
      "x509-ml-dsa-65": x509("ml-dsa-65"),
      jwt: () => ask({ op: "jwt", entry: entry.id, audience: [`${asked}`] }),
    };
    for (const [name, issue] of Object.entries(kinds)) {
      for (const atOnce of [1, AT_ONCE]) {
        const samples: number[] = [];
        await Promise.all(Array.from({ length: atOnce }, issue)); // warm
        for (const end = performance.now() + seconds * 1_000; performance.now() < end; )
          await Promise.all(
            Array.from({ length: atOnce }, async () => {
              const start = performance.now();
              await issue();
              samples.push(performance.now() - start);
            }),
          );
        report(summarize(`issuance/${name}${atOnce === 1 ? "" : "/32-at-once"}`, "ms", samples));
      }
    }
    for (const rate of RATES)
      report(
        summarize(`issuance/all/${rate}-a-second`, "ms", await arrivals(kinds, rate, seconds)),
      );
  } finally {
    await stack.unwind();
  }
};

/** Times from when a request was due, so that waiting for others counts. */
async function arrivals(
  kinds: Readonly<Record<string, () => Promise<void>>>,
  rate: number,
  seconds: number,
): Promise<number[]> {
  const samples: number[] = [];
  const all = Object.values(kinds);
  const underWay: Promise<void>[] = [];
  const end = performance.now() + seconds * 1_000;
  for (let due = performance.now(), turn = 0; due < end; turn++) {
    due += (-Math.log(1 - random.fraction()) / rate) * 1_000;
    const waitMs = due - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const dueMs = due;
    const issued = all[turn % all.length]?.().then(
      () => void samples.push(performance.now() - dueMs),
    );
    if (issued !== undefined) underWay.push(issued);
  }
  await Promise.all(underWay);
  return samples;
}
