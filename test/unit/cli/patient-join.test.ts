// When a join is tried again, and when not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { joinPatiently } from "../../../src/cli/patient-join.ts";
import type { Enrolled } from "../../../src/control/index.ts";
import { MeshError } from "../../../src/foundation/index.ts";

const request = { token: "x0t1", name: "second" };
const joined = { nodeId: "n", spiffeId: "s", trustDomain: "d" } as unknown as Enrolled;

/** A daemon that answers with these codes first, and then joins. */
function daemon(...codes: readonly string[]): { tries: number; join: () => Promise<Enrolled> } {
  const answers = [...codes];
  const client = {
    tries: 0,
    join: (): Promise<Enrolled> => {
      client.tries++;
      const code = answers.shift();
      return code === undefined
        ? Promise.resolve(joined)
        : Promise.reject(new MeshError(code, code));
    },
  };
  return client;
}

test("an issuer that cannot be reached yet is tried again", async () => {
  const client = daemon("network/dial-failed");
  assert.equal(await joinPatiently(client, request, 60_000), joined);
  assert.equal(client.tries, 2);
});

test("without patience there is one try", async () => {
  const client = daemon("network/dial-failed");
  await assert.rejects(joinPatiently(client, request, 0), { code: "network/dial-failed" });
  assert.equal(client.tries, 1);
});

test("an issuer that answers with a refusal is not asked again", async () => {
  const client = daemon("identity/token-expired");
  await assert.rejects(joinPatiently(client, request, 60_000), { code: "identity/token-expired" });
  assert.equal(client.tries, 1);
});
