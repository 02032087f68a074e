// A SPIFFE client that was not written here: `spiffe` from PyPI (py-spiffe, on grpc's C core) fetches and validates from our socket.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { enrol, scratch, startDaemon, TRUST_DOMAIN, until } from "../node/harness.ts";

/** A Python that has py-spiffe may be named; else the one in PATH is tried. */
const python = process.env["MESHD_TEST_PYTHON"] ?? "python3";

function hasPySpiffe(): boolean {
  try {
    execFileSync(python, ["-c", "import spiffe"], { stdio: "ignore" });
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

test("[W1] py-spiffe fetches and validates X.509-SVIDs and JWT-SVIDs", async (t) => {
  if (!hasPySpiffe()) {
    t.skip(`${python} has no module spiffe: pip install spiffe, or set MESHD_TEST_PYTHON`);
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
  const { stdout } = await promisify(execFile)(python, ["-c", PROGRAM, `unix://${socket}`], {
    timeout: 30_000,
  });
  const seen = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(
    [seen["x509"], seen["jwt"], seen["local"], seen["svids"]],
    [spiffeId, spiffeId, spiffeId, 1],
  );
  assert.notEqual(seen["refused"], "");
});
