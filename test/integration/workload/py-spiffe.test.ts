// Clients that were not written here, on grpc's C core: `spiffe` from PyPI (py-spiffe) fetches and validates from our socket, and
// `grpcio-reflection` learns from it alone what can be called there.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { enrol, scratch, startDaemon, TRUST_DOMAIN, until } from "../node/harness.ts";

/** A Python that has py-spiffe may be named; else the one in PATH is tried. */
const python = process.env["MESHD_TEST_PYTHON"] ?? "python3";

function hasModules(): boolean {
  try {
    execFileSync(python, ["-c", "import spiffe, grpc_reflection"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const PROGRAM = `
import json, sys
from spiffe import WorkloadApiClient
with WorkloadApiClient(sys.argv[1]) as client:
    svid = client.fetch_x509_svid()
    svids = client.fetch_x509_svids()
    roots = client.fetch_x509_bundles()
    jwt = client.fetch_jwt_svid(["db"])
    keys = client.fetch_jwt_bundles()
    valid = client.validate_jwt_svid(jwt.token, "db")
    refused = ""
    try:
        client.validate_jwt_svid(jwt.token, "other")
    except Exception as error:
        refused = type(error).__name__
    domain = svid.spiffe_id.trust_domain
    root = next(r for r in roots.get_bundle_for_trust_domain(domain).x509_authorities if r.subject == svid.cert_chain[-1].issuer)
    svid.leaf.verify_directly_issued_by(root)
    from spiffe import JwtSvid
    local = JwtSvid.parse_and_validate(jwt.token, keys.get_bundle_for_trust_domain(domain), {"db"})
    print(json.dumps({
        "x509": str(svid.spiffe_id), "svids": len(svids), "hint": svids[0].hint if hasattr(svids[0], "hint") else None,
        "jwt": str(valid.spiffe_id), "local": str(local.spiffe_id), "refused": refused,
    }))
`;

/** Knows no definition of the service: what it calls, and what it reads of the answer, reflection told it. */
const REFLECTED = `
import grpc, json, sys
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
class Header(grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    def _with(self, details):
        return details._replace(metadata=[("workload.spiffe.io", "true")])
    def intercept_unary_stream(self, go, details, request):
        return go(self._with(details), request)
    def intercept_stream_stream(self, go, details, requests):
        return go(self._with(details), requests)
with grpc.intercept_channel(grpc.insecure_channel(sys.argv[1]), Header()) as channel:
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("SpiffeWorkloadAPI")
    method = service.FindMethodByName("FetchX509SVID")
    request, response = (GetMessageClass(one) for one in (method.input_type, method.output_type))
    call = channel.unary_stream(f"/{service.full_name}/{method.name}", request.SerializeToString, response.FromString)
    print(json.dumps({
        "services": list(database.get_services()), "methods": [one.name for one in service.methods],
        "x509": next(call(request())).svids[0].spiffe_id,
        "claims": service.FindMethodByName("ValidateJWTSVID").output_type.fields_by_name["claims"].message_type.full_name,
    }))
`;

test("[W1][E9] py-spiffe fetches and validates X.509-SVIDs and JWT-SVIDs, and reflection tells a client without definitions how to", async (t) => {
  if (!hasModules()) {
    t.skip(
      `${python} has no modules: pip install spiffe grpcio-reflection, or set MESHD_TEST_PYTHON`,
    );
    return;
  }
  const directory = scratch(t);
  const socket = join(directory, "api.sock");
  const daemon = await startDaemon(t, { workload_api: { socket } }, directory);
  await enrol({ one: daemon });
  const spiffeId = `spiffe://${TRUST_DOMAIN}/py`;
  await daemon.client.createEntry({
    spiffeId,
    parent: "*",
    selectors: [`unix:uid:${process.getuid?.() ?? 0}`],
  });
  await until("the SVID", async () => (await daemon.metric("meshd_identity_workload_svids")) === 1);
  const run = async (program: string): Promise<Record<string, unknown>> => {
    const args = ["-c", program, `unix://${socket}`];
    const { stdout } = await promisify(execFile)(python, args, { timeout: 30_000 });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const seen = await run(PROGRAM);
  assert.deepEqual(
    [seen["x509"], seen["jwt"], seen["local"], seen["svids"]],
    [spiffeId, spiffeId, spiffeId, 1],
  );
  assert.notEqual(seen["refused"], "");
  const reflected = await run(REFLECTED);
  assert.deepEqual((reflected["services"] as string[])[0], "SpiffeWorkloadAPI");
  assert.equal((reflected["methods"] as string[]).length, 5);
  assert.deepEqual([reflected["x509"], reflected["claims"]], [spiffeId, "google.protobuf.Struct"]);
});
