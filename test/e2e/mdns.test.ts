// Multicast DNS on a bridge of network namespaces: a node without any address finds a mesh of its trust domain.

import assert from "node:assert/strict";
import { test } from "node:test";
import { enrol, type FileOptions, scratch, spawnDaemon } from "../integration/node/harness.ts";
import { NatLab, natLabMissing } from "./nat-lab.ts";

const DEADLINE_MS = 45_000;

test("on a LAN a node finds its mesh by multicast DNS when it knows no address", {
  skip: natLabMissing() ?? false,
}, async (t) => {
  const lab = new NatLab(t);
  const hosts = [lab.host(), lab.host(), lab.host()] as const;
  const directories = hosts.map(() => scratch(t));
  const start = (at: 0 | 1 | 2) => {
    const options: FileOptions = { mesh: { listen: ["/ip4/0.0.0.0/tcp/4001"], mdns: true } };
    const daemon = spawnDaemon(t, options, directories[at], lab.command(hosts[at]));
    return daemon.answers(DEADLINE_MS);
  };
  const [issuer, late] = await Promise.all([start(0), start(1)]);
  await enrol({ issuer, late });
  await late.connected("issuer", DEADLINE_MS);
  // The issuer's own address goes with it; the third joins while the second is away, so neither knows the other.
  await late.end("SIGTERM");
  const third = await start(2);
  const { token } = await issuer.client.createToken({ ttlSeconds: 600, name: "third" });
  await third.client.join({ token, name: "third" });
  await issuer.end("SIGKILL");
  const again = await start(1);
  const peer = await again.connected("third", DEADLINE_MS);
  assert.equal(peer.suite, "xxhfs-mldsa65");
});
