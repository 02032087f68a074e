// What the five dashboards show: rows of panels, each with the question it answers. build-dashboards.mjs makes Grafana's JSON of it.
//
// A panel is { title, unit, description, queries: { legend: PromQL }, type?, w?, thresholds? }. `type` is timeseries when left out, `w` is
// its width of 24. `$i` stands for the matcher of the chosen nodes, `$r` for the window of a rate.

/** One series for each node. */
const node = "{{instance}}";

/** From this value on a panel shows the colour. */
const bad = (value) => [
  ["green", null],
  ["red", value],
];
const good = (value) => [
  ["red", null],
  ["green", value],
];
const zeroIsBad = good(1);

export const dashboards = [
  {
    uid: "meshd-mesh",
    title: "meshd / Mesh",
    description: "Is the mesh whole? Who is in it, who is suspected, and what is refused.",
    rows: [
      [
        "At a glance",
        {
          title: "Nodes that answer",
          type: "stat",
          unit: "none",
          description: "Daemons that Prometheus could scrape. Compare with the number of hosts.",
          queries: { up: 'sum(up{job="meshd"})' },
          w: 4,
        },
        {
          title: "Nodes away",
          type: "stat",
          unit: "none",
          description: "Daemons that do not answer or are in no mesh. Runbook: MeshdDown.",
          queries: {
            away: 'count(up{job="meshd"}) - sum(instance:meshd_node_running:bool)',
          },
          w: 4,
          thresholds: bad(1),
        },
        {
          title: "Members held for dead",
          type: "stat",
          unit: "none",
          description:
            "The largest number any node counts. Runbook: MeshdPeersDead. Forgotten after an hour.",
          queries: { dead: 'max(meshd_mesh_peers{$i,state="dead"})' },
          w: 4,
          thresholds: bad(1),
        },
        {
          title: "Members in quarantine",
          type: "stat",
          unit: "none",
          description: "Members that contradicted themselves. Runbook: MeshdEquivocation.",
          queries: { quarantined: 'max(meshd_mesh_peers{$i,state="quarantined"})' },
          w: 4,
          thresholds: bad(1),
        },
        {
          title: "Smallest view",
          type: "stat",
          unit: "none",
          description:
            "Members that the node with the smallest view sees, itself included. Below the nodes that answer, the mesh is split: MeshdPartitioned.",
          queries: { smallest: "min(instance:meshd_mesh_peers_present:sum{$i}) + 1" },
          w: 4,
        },
        {
          title: "Contradictions proven",
          type: "stat",
          unit: "none",
          description:
            "Equivocations in the chosen time, on any node, and releases by operators. Each one is worth a look.",
          queries: {
            proven: "sum(increase(meshd_mesh_equivocations_total{$i}[$__range]))",
            released: "sum(increase(meshd_mesh_releases_total{$i}[$__range]))",
          },
          w: 4,
          thresholds: bad(0.5),
        },
      ],
      [
        "Members",
        {
          title: "Members by state, seen by each node",
          unit: "none",
          description:
            "Lines of one state should lie upon each other: nodes that disagree are on two sides of a split.",
          queries: { "{{instance}} {{state}}": "meshd_mesh_peers{$i} > 0" },
          w: 12,
        },
        {
          title: "Authenticated connections",
          unit: "none",
          description:
            "Members to which each node is connected. mesh.connections_target bounds it.",
          queries: { [node]: "meshd_mesh_connections{$i}" },
          w: 6,
        },
        {
          title: "Connections by what the peer has proven",
          unit: "none",
          description:
            "svid are members, joining and unanchored are on their way in, interop are foreign stacks that the policy lets in.",
          queries: { "{{peer}}": "sum by (peer) (meshd_network_connections{$i})" },
          w: 6,
        },
        {
          title: "Links through relays",
          unit: "none",
          description:
            "Members reached through a relay only, reservations held at relays and granted as one, connections carried for others.",
          queries: {
            links: "sum(meshd_network_relayed_links{$i})",
            "reservations {{side}}": "sum by (side) (meshd_network_relay_reservations{$i})",
            carried: "sum(meshd_network_relay_circuits{$i})",
          },
          w: 6,
        },
        {
          title: "Records of the DHT",
          unit: "none",
          description: "Records of nodes that each node keeps, two for a node; 512 at most.",
          queries: { [node]: "meshd_network_records{$i}" },
          w: 6,
        },
        {
          title: "Relayed links made direct",
          unit: "cpm",
          description: "Tried and achieved a minute. None achieved: both ends are behind NATs.",
          queries: {
            "{{outcome}}":
              "60 * sum by (outcome) (rate(meshd_network_direct_upgrades_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Members change their state",
          unit: "cpm",
          description: "Changes a minute over all nodes. A quiet mesh has none.",
          queries: {
            "{{to}}": "60 * sum by (to) (rate(meshd_mesh_member_transitions_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Suspicions",
          unit: "cpm",
          description:
            "Raised, refuted by a sign of life, or ended in death; back are those that were held for dead. Many refuted ones: MeshdSuspicionsFlapping.",
          queries: {
            "{{outcome}}": "60 * sum by (outcome) (rate(meshd_mesh_suspicions_total{$i}[$r]))",
            back: "60 * sum(rate(meshd_mesh_flaps_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Offences of peers",
          unit: "cpm",
          description:
            "What lowers the reputation of peers: forgeries and false evidence that they hand over, more than their rate, returns from the dead.",
          queries: {
            "{{offence}}": "60 * sum by (offence) (rate(meshd_mesh_offences_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Trust in itself (local health)",
          unit: "none",
          description:
            "0 is healthy. A node with 3 and more finds failures late: MeshdLocalHealthPoor.",
          queries: { [node]: "meshd_mesh_local_health_score{$i}" },
          w: 8,
          thresholds: bad(3),
        },
      ],
      [
        "Links",
        {
          title: "Round trips of probes",
          unit: "s",
          description: "Median and 99th percentile. A probe over 500 ms counts as failed.",
          queries: {
            "{{instance}} p50": "instance:meshd_mesh_probe_rtt_seconds:p50_rate5m{$i}",
            "{{instance}} p99": "instance:meshd_mesh_probe_rtt_seconds:p99_rate5m{$i}",
          },
          w: 8,
        },
        {
          title: "Probes that fail",
          unit: "percentunit",
          description: "Share of direct probes without an answer. Runbook: MeshdProbesFailing.",
          queries: { [node]: "instance:meshd_mesh_probes_failed:ratio_rate5m{$i}" },
          w: 8,
          thresholds: bad(0.1),
        },
        {
          title: "Stalls of the node itself",
          unit: "cpm",
          description:
            "Timers so late that silence was not held against others: the host stood still. Runbook: MeshdOwnStalls.",
          queries: { [node]: "60 * rate(meshd_mesh_own_stalls_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Usable links",
          unit: "none",
          description: "Links of the topology when routes were last computed.",
          queries: { [node]: "meshd_mesh_topology_links{$i}" },
          w: 12,
        },
        {
          title: "Routes computed",
          unit: "cpm",
          description: "Computations a minute: they come with changes only.",
          queries: { [node]: "60 * rate(meshd_mesh_route_computations_total{$i}[$r])" },
          w: 12,
        },
      ],
      [
        "Zones",
        {
          title: "Zones known",
          unit: "none",
          description:
            "The own one included. Nodes that differ for minutes are cut off from a part of the mesh.",
          queries: { [node]: "meshd_mesh_zones{$i}" },
          w: 6,
        },
        {
          title: "Members of the own zone",
          unit: "none",
          description: "Present ones. What a node costs grows with this, not with the mesh.",
          queries: { [node]: "meshd_mesh_zone_members{$i}" },
          w: 6,
        },
        {
          title: "Speakers and moves",
          unit: "none",
          description:
            "Nodes that publish their zone's summary, one a zone; and moves between automatic zones an hour.",
          queries: {
            speakers: "sum(meshd_mesh_zone_speaker{$i})",
            "moves an hour": "3600 * sum(rate(meshd_mesh_zone_changes_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Summaries",
          unit: "cpm",
          description: "A minute, of all nodes: accepted, and refused by reason.",
          queries: {
            accepted: "60 * sum(rate(meshd_mesh_zone_summaries_accepted_total{$i}[$r]))",
            "{{code}}":
              "60 * sum by (code) (rate(meshd_mesh_zone_summaries_refused_total{$i}[$r]))",
          },
          w: 6,
        },
      ],
      [
        "Gossip",
        {
          title: "Published",
          unit: "cps",
          description:
            "Messages a second of all nodes. Each node sends one heartbeat an interval; a node at 0 is MeshdBeaconsNotPublished.",
          queries: {
            "{{kind}}": "sum by (kind) (rate(meshd_mesh_beacons_published_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Accepted by each node",
          unit: "cps",
          description: "A node at 0 hears nothing: MeshdBeaconsSilent.",
          queries: { [node]: "instance:meshd_mesh_beacons_accepted:rate5m{$i}" },
          w: 8,
        },
        {
          title: "Accepted by kind",
          unit: "cps",
          description: "State beacons are signed and rare, heartbeats small and steady.",
          queries: {
            "{{kind}}": "sum by (kind) (rate(meshd_mesh_beacons_accepted_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Refused, by reason",
          unit: "cps",
          description:
            "duplicate, old-sequence, own and heartbeat-replayed are gossip's everyday work; the rest deserves its runbook: MeshdBeaconsForged, MeshdBeaconsRefused, MeshdBeaconsRateLimited.",
          queries: {
            "{{code}}": "sum by (code) (rate(meshd_mesh_beacons_rejected_total{$i}[$r])) > 0",
          },
          w: 12,
        },
        {
          title: "Signatures of beacons",
          unit: "cps",
          description: "ML-DSA-65 verifications of state beacons. Invalid ones are forgeries.",
          queries: {
            "{{result}}": "sum by (result) (rate(meshd_mesh_beacon_signatures_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Heartbeats checked",
          unit: "cps",
          description: "late and gap happen under load; wrong is a forgery or a fault.",
          queries: {
            "{{result}}":
              "sum by (result) (rate(meshd_mesh_heartbeat_verifications_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Messages that wait for an identity",
          unit: "cps",
          description:
            "The origin's certificate chain was not known yet. Steady: MeshdIdentitiesUnknown.",
          queries: { [node]: "rate(meshd_mesh_identity_requests_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Streams refused",
          unit: "cpm",
          description:
            "A peer asked for a protocol it has no right to. Runbook: MeshdStreamsRefused.",
          queries: { [node]: "60 * rate(meshd_network_streams_refused_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Connections refused",
          unit: "cpm",
          description:
            "One address had too many unauthenticated connections. Runbook: MeshdConnectionsRefused.",
          queries: { [node]: "60 * rate(meshd_network_connections_refused_total{$i}[$r])" },
          w: 8,
        },
      ],
      [
        "Gossip",
        {
          title: "Members by standing",
          unit: "none",
          description:
            "What gossip still does with connected members: unmeshed ones are in no mesh, ungossiped hear no lazy gossip, unpublished get none of our messages, graylisted are not read and disconnected. See docs/gossip.md.",
          queries: { "{{standing}}": "sum by (standing) (meshd_network_gossip_peers{$i})" },
          w: 8,
        },
        {
          title: "Lowest score",
          unit: "none",
          description: "Of the connected members. 0 and above is good, below -80 graylisted.",
          queries: { [node]: "meshd_network_gossip_score_min{$i}" },
          w: 8,
        },
        {
          title: "Members graylisted and penalties",
          unit: "cpm",
          description:
            "Penalties are for more messages than an honest node has, and for replays; graylisted members stay away for five minutes.",
          queries: {
            graylisted: "60 * sum(rate(meshd_network_gossip_graylisted_total{$i}[$r]))",
            "{{reason}}":
              "60 * sum by (reason) (rate(meshd_network_gossip_penalties_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Dropped before parsing",
          unit: "cps",
          description:
            "Messages that nobody looked into, by reason: of strangers, too many, on a topic not joined, too long, or with a field that ours do not have.",
          queries: {
            "{{reason}}": "sum by (reason) (rate(meshd_network_gossip_dropped_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Dropped in front of the signatures",
          unit: "cps",
          description: "The queue of messages to verify was full. It should not happen.",
          queries: {
            "{{reason}}": "sum by (reason) (rate(meshd_mesh_validation_dropped_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Wait for signatures, p99",
          unit: "s",
          description: "From a message's arrival to the verdict; queue: how many wait now.",
          queries: {
            [node]:
              "histogram_quantile(0.99, sum by (instance, le) (rate(meshd_mesh_validation_wait_seconds_bucket{$i}[$r])))",
            "queue {{instance}}": "meshd_mesh_validation_queue_messages{$i}",
          },
          w: 6,
        },
        {
          title: "Signatures verified together",
          unit: "none",
          description: "Median size of a batch. It grows with the load.",
          queries: {
            [node]:
              "histogram_quantile(0.5, sum by (instance, le) (rate(meshd_mesh_validation_batch_signatures_bucket{$i}[$r])))",
          },
          w: 6,
        },
      ],
      [
        "Tunnels",
        {
          title: "Connections relayed",
          unit: "none",
          description:
            "TCP connections through the mesh now: inbound ones lead to a port exposed here, outbound ones come from a forward.",
          queries: { "{{instance}} {{direction}}": "meshd_tunnel_connections{$i}" },
          w: 8,
        },
        {
          title: "Bytes relayed",
          unit: "Bps",
          description: "To peers and from them, over all tunnels.",
          queries: { "{{instance}} {{direction}}": "rate(meshd_tunnel_bytes_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Tunnels opened, refused and failed",
          unit: "none",
          description:
            "What peers that asked for a port here were answered; and connections of programs here that could not be led to a peer.",
          queries: {
            "{{instance}} {{answer}}": "increase(meshd_tunnel_opened_total{$i}[$r])",
            "{{instance}} failed": "increase(meshd_tunnel_failures_total{$i}[$r])",
          },
          w: 8,
        },
      ],
    ],
  },
  {
    uid: "meshd-crypto",
    title: "meshd / Crypto and handshakes",
    description: "Which engine runs, how much it does, and how handshakes end.",
    rows: [
      [
        "Handshakes",
        {
          title: "Begun",
          unit: "cps",
          description: "By suite and role. A settled mesh begins hardly any.",
          queries: {
            "{{suite}} {{role}}":
              "sum by (suite, role) (rate(meshd_handshake_attempts_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Failed, by reason",
          unit: "cps",
          description:
            "bad-tag, bad-signature, downgrade: MeshdHandshakeTampering. limited-*: MeshdHandshakesLimited. bad-chain, not-allowed: certificates and policy.",
          queries: {
            "{{code}}": "sum by (code) (rate(meshd_handshake_failures_total{$i}[$r])) > 0",
          },
          w: 8,
        },
        {
          title: "Share that fails",
          unit: "percentunit",
          description:
            "Of the handshakes begun by or at each node. Runbook: MeshdHandshakeFailures.",
          queries: { [node]: "instance:meshd_handshake_failures:ratio_rate5m{$i}" },
          w: 8,
          thresholds: bad(0.5),
        },
        {
          title: "Duration",
          unit: "s",
          description: "Of successful handshakes over all nodes; the objective is 250 ms.",
          queries: {
            p50: "histogram_quantile(0.5, sum by (le) (rate(meshd_handshake_duration_seconds_bucket{$i}[$r])))",
            p99: "job:meshd_handshake_duration_seconds:p99_rate5m",
          },
          w: 8,
        },
        {
          title: "Not authenticated yet",
          unit: "none",
          description:
            "Inbound connections whose handshake has not ended. Runbook: MeshdUnauthenticatedConnections.",
          queries: { [node]: "meshd_handshake_unauthenticated_connections{$i}" },
          w: 8,
          thresholds: bad(100),
        },
        {
          title: "Forgotten budgets of addresses",
          unit: "cpm",
          description: "The limiter's table was full: a flood. Runbook: MeshdHandshakeMemoryFull.",
          queries: { [node]: "60 * rate(meshd_handshake_limiter_forgotten_total{$i}[$r])" },
          w: 8,
        },
      ],
      [
        "Engine",
        {
          title: "Engine in use",
          type: "stat",
          unit: "none",
          description: "Nodes by engine. noble is about a hundred times slower: MeshdSlowEngine.",
          queries: { "{{engine}}": "sum by (engine) (meshd_crypto_engine_info{$i})" },
          w: 6,
        },
        {
          title: "Operations",
          unit: "ops",
          description: "Operations on keys a second, over all nodes.",
          queries: {
            "{{operation}}": "sum by (operation) (rate(meshd_crypto_operations_total{$i}[$r])) > 0",
          },
          w: 18,
        },
        {
          title: "Prepared keys: found in memory",
          unit: "percentunit",
          description:
            "Share of uses that found their key prepared; a miss costs four times as much.",
          queries: {
            "{{kind}}":
              'sum by (kind) (rate(meshd_crypto_prepared_keys_total{$i,result="hit"}[$r])) / sum by (kind) (rate(meshd_crypto_prepared_keys_total{$i}[$r]))',
          },
          w: 8,
        },
        {
          title: "Prepared keys pushed out",
          unit: "cps",
          description: "The set is full. Steady: MeshdPreparedKeysThrashing.",
          queries: {
            "{{kind}}": "sum by (kind) (rate(meshd_crypto_prepared_key_evictions_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Public keys imported",
          unit: "cps",
          description: "Imports because the cache did not hold the key.",
          queries: {
            "{{algorithm}}":
              "sum by (algorithm) (rate(meshd_crypto_public_key_imports_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Public keys pushed out",
          unit: "cps",
          description: "The cache is full. Steady: MeshdPublicKeysThrashing.",
          queries: {
            "{{algorithm}}":
              "sum by (algorithm) (rate(meshd_crypto_public_key_evictions_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Verification pool: calls refused",
          unit: "cps",
          description:
            "Too many jobs or bytes wait for the verifying threads. 0 while the mesh verifies on the main thread.",
          queries: {
            "{{limit}}":
              "sum by (limit) (rate(meshd_crypto_verification_pool_refusals_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Verification pool: threads that ended",
          unit: "cpm",
          description: "Each one is a fault. 0 while the mesh verifies on the main thread.",
          queries: {
            [node]: "60 * rate(meshd_crypto_verification_pool_failures_total{$i}[$r])",
          },
          w: 8,
        },
      ],
    ],
  },
  {
    uid: "meshd-identity",
    title: "meshd / Identity",
    description: "How long certificates last, and whether they are renewed, issued and verified.",
    rows: [
      [
        "Validity",
        {
          title: "Shortest life left of an SVID",
          type: "stat",
          unit: "percentunit",
          description:
            "Over the chosen nodes. Renewal comes at half; below 35 % it fails: MeshdSvidExpiringSoon.",
          queries: { left: "min(instance:meshd_identity_svid_life_left:ratio{$i})" },
          w: 6,
          thresholds: good(0.35),
        },
        {
          title: "Intermediate expires in",
          type: "stat",
          unit: "s",
          description: "The first of the chosen nodes. Runbook: MeshdIntermediateExpiring.",
          queries: {
            left: 'min(meshd_identity_authority_expiry_timestamp_seconds{$i,authority="intermediate"} > 0) - time()',
          },
          w: 6,
          thresholds: good(5 * 86_400),
        },
        {
          title: "Root expires in",
          type: "stat",
          unit: "s",
          description: "The last root of the trust bundle. Runbook: MeshdRootExpiring.",
          queries: {
            left: 'min(meshd_identity_authority_expiry_timestamp_seconds{$i,authority="root"} > 0) - time()',
          },
          w: 6,
          thresholds: good(180 * 86_400),
        },
        {
          title: "Largest clock offset",
          type: "stat",
          unit: "s",
          description:
            "Against Prometheus. Certificates are judged by the clock; beyond 60 s peers refuse each other. Runbook: MeshdClockSkew.",
          queries: {
            offset: "max(abs(instance:meshd_process_clock_offset_seconds:difference{$i}))",
          },
          w: 6,
          thresholds: bad(10),
        },
        {
          title: "Life left of each SVID",
          unit: "percentunit",
          description:
            "A saw-tooth between 1 and about 0.5. A line that goes on falling is not renewed.",
          queries: { [node]: "instance:meshd_identity_svid_life_left:ratio{$i}" },
          w: 12,
          thresholds: good(0.35),
        },
        {
          title: "Time without an issuer that is left",
          unit: "s",
          description:
            "Until peers drop the node if nobody renews its SVID: the rest of its life and identity.issuer_grace.",
          queries: {
            [node]:
              "(meshd_identity_svid_grace_end_timestamp_seconds{$i} - time()) * (meshd_identity_svid_grace_end_timestamp_seconds{$i} > bool 0)",
          },
          w: 12,
        },
        {
          title: "SVIDs: issued, and valid until",
          type: "table",
          unit: "dateTimeAsIso",
          description: "When each node's SVID was issued and when it expires.",
          queries: {
            issued: "meshd_identity_svid_issue_timestamp_seconds{$i} * 1000 > 0",
            expires: "meshd_identity_svid_expiry_timestamp_seconds{$i} * 1000 > 0",
          },
          w: 12,
        },
        {
          title: "Renewals",
          unit: "cpm",
          description: "Finished attempts. Failed ones are repeated: MeshdSvidRenewalFailing.",
          queries: {
            "{{instance}} {{result}}": "60 * rate(meshd_identity_svid_renewals_total{$i}[$r])",
          },
          w: 12,
        },
        {
          title: "Nodes that joined or tried to, by what they showed",
          unit: "cpm",
          description:
            "Tokens and evidence at issuers; the issuer's log names the cause of a refusal.",
          queries: {
            "{{type}} {{result}}":
              "60 * sum by (type, result) (rate(meshd_identity_node_attestations_total{$i}[$r]))",
          },
          w: 12,
        },
        {
          title: "Requests to issuers, by answer",
          unit: "cpm",
          description: "Bundles, joins and renewals. Refused joins: MeshdJoinsRefused.",
          queries: {
            "{{operation}} {{result}}":
              "60 * sum by (operation, result) (rate(meshd_identity_attestations_total{$i}[$r])) > 0",
          },
          w: 12,
        },
      ],
      [
        "Verification",
        {
          title: "Chains judged",
          unit: "cps",
          description: "Verified with signatures, known already, or refused: MeshdChainsRefused.",
          queries: {
            "{{result}}":
              "sum by (result) (rate(meshd_identity_chain_verifications_total{$i}[$r]))",
          },
          w: 12,
        },
        {
          title: "Rights denied by the policy",
          unit: "cpm",
          description:
            "By the right that was missing; meshctl audit list --event access.deny tells whom.",
          queries: {
            "{{right}}": "60 * sum by (right) (rate(meshd_identity_denials_total{$i}[$r]))",
          },
          w: 12,
        },
        {
          title: "Trust bundle",
          unit: "none",
          description:
            "Its sequence at each node: one that stays behind was away, and does not know the newest authority.",
          queries: { [node]: "meshd_identity_bundle_sequence{$i}" },
          w: 12,
        },
        {
          title: "Chains in memory",
          unit: "none",
          description: "About 20 KiB each, 1,024 at most.",
          queries: { [node]: "meshd_identity_chain_cache_entries{$i}" },
          w: 12,
        },
      ],
      [
        "Federation",
        {
          title: "Fetches of other trust domains' bundles",
          unit: "cpm",
          description: "Failed ones are repeated; after three in a row: MeshdFederationStale.",
          queries: {
            "{{instance}} {{result}}": "60 * rate(meshd_federation_fetches_total{$i}[$r])",
          },
          w: 12,
        },
        {
          title: "Age of other trust domains' bundles",
          unit: "s",
          description: "Since the last fetch; empty without any federation.",
          queries: {
            "{{instance}} {{trust_domain}}":
              "time() - (meshd_federation_bundle_fetch_timestamp_seconds{$i} > 0)",
          },
          w: 12,
        },
      ],
      [
        "Audit log",
        {
          title: "Security events written down",
          unit: "cpm",
          description: "By event; meshctl audit list shows them.",
          queries: { "{{event}}": "60 * sum by (event) (rate(meshd_audit_entries_total{$i}[$r]))" },
          w: 12,
        },
        {
          title: "Entries lost",
          unit: "cpm",
          description:
            "Not writable: MeshdAuditWriteFailed. Above the rate: somebody tries often; the next entry says how often.",
          queries: {
            "{{instance}} {{reason}}":
              "60 * sum by (instance, reason) (rate(meshd_audit_lost_total{$i}[$r]))",
          },
          w: 6,
        },
        {
          title: "Newest entry",
          unit: "none",
          description: "Never falls: MeshdAuditBroken.",
          queries: { [node]: "meshd_audit_last_sequence{$i}" },
          w: 6,
        },
      ],
      [
        "Workloads",
        {
          title: "First SVID of a workload expires in",
          unit: "s",
          description:
            "A saw-tooth above half of the shortest life; 0 without any. One that goes on falling: MeshdWorkloadIssuerSilent.",
          queries: {
            [node]:
              "(meshd_identity_workload_svid_expiry_timestamp_seconds{$i} - time()) * (meshd_identity_workload_svid_expiry_timestamp_seconds{$i} > bool 0)",
          },
          w: 8,
        },
        {
          title: "SVIDs held, entries, calls under way",
          unit: "none",
          description: "Entries are an issuer's; all else is of the nodes with the Workload API.",
          queries: {
            "{{instance}} SVIDs": "meshd_identity_workload_svids{$i}",
            "{{instance}} entries": "meshd_identity_workload_entries{$i}",
            "{{instance}} calls": "meshd_identity_workload_streams{$i}",
          },
          w: 8,
        },
        {
          title: "Issuer answers about workloads",
          type: "state-timeline",
          unit: "none",
          description: "0 where the Workload API is off. MeshdWorkloadIssuerSilent.",
          queries: { [node]: "meshd_identity_workload_issuer_reachable{$i}" },
          w: 8,
        },
        {
          title: "Calls of the Workload API, by status",
          unit: "cpm",
          description: "permissionDenied: no entry describes the caller, or it was not identified.",
          queries: {
            "{{method}} {{status}}":
              "60 * sum by (method, status) (rate(meshd_identity_workload_calls_total{$i}[$r]))",
            "connections refused":
              "60 * sum(rate(meshd_identity_workload_connections_refused_total{$i}[$r]))",
          },
          w: 12,
        },
        {
          title: "Callers identified, and SVIDs asked for",
          unit: "cpm",
          description: "What is not ok says why; docs/workloads.md lists the codes.",
          queries: {
            "caller {{result}}":
              "60 * sum by (result) (rate(meshd_identity_workload_attestations_total{$i}[$r]))",
            "rotation {{result}}":
              "60 * sum by (result) (rate(meshd_identity_workload_rotations_total{$i}[$r]))",
            "issuer {{kind}} {{result}}":
              "60 * sum by (kind, result) (rate(meshd_identity_workload_issues_total{$i}[$r]))",
          },
          w: 12,
        },
      ],
    ],
  },
  {
    uid: "meshd-learning",
    title: "meshd / Learning",
    description: "Does the training converge, and who is in its way?",
    rows: [
      [
        "Progress",
        {
          title: "Nodes in a task",
          type: "stat",
          unit: "none",
          description: "Nodes that train now.",
          queries: { training: "sum(meshd_learning_tasks_running{$i})" },
          w: 4,
        },
        {
          title: "Round",
          unit: "none",
          description: "The last finished round of each node; lines should rise together.",
          queries: { [node]: "meshd_learning_round{$i}" },
          w: 10,
        },
        {
          title: "Accuracy",
          unit: "percentunit",
          description:
            "Of each node's own model on the test samples. Wide apart: MeshdLearningDisagreement.",
          queries: { [node]: "meshd_learning_accuracy_ratio{$i}" },
          w: 10,
        },
        {
          title: "Loss",
          unit: "none",
          description: "Mean cross-entropy in nats; it falls while a task goes well.",
          queries: { [node]: "meshd_learning_loss{$i}" },
          w: 8,
        },
        {
          title: "Anomaly of the nodes",
          unit: "percentunit",
          description:
            "What a trained telemetry model cannot reproduce of a node's last seconds; 0 without one. Far above the others: meshctl fl status there names the channel.",
          queries: { [node]: "meshd_learning_anomaly_ratio{$i}" },
          w: 8,
        },
        {
          title: "Duration of rounds",
          unit: "s",
          description:
            "90th percentile; a slow participant holds all. Runbook: MeshdLearningRoundsSlow.",
          queries: { [node]: "instance:meshd_learning_round_duration_seconds:p90_rate15m{$i}" },
          w: 8,
        },
      ],
      [
        "Rounds and updates",
        {
          title: "Rounds closed",
          unit: "cpm",
          description:
            "aggregated took a new model, held kept the own for want of a quorum (MeshdLearningRoundsHeld), caught-up took the peers' newest.",
          queries: {
            "{{result}}": "60 * sum by (result) (rate(meshd_learning_rounds_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Rounds held",
          unit: "percentunit",
          description: "Share without a quorum. Runbook: MeshdLearningRoundsHeld.",
          queries: { [node]: "instance:meshd_learning_rounds_held:ratio_rate30m{$i}" },
          w: 8,
          thresholds: bad(0.5),
        },
        {
          title: "Updates received",
          unit: "cpm",
          description: "Updates of peers that entered an aggregation.",
          queries: { [node]: "60 * rate(meshd_learning_updates_received_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Updates refused, by reason",
          unit: "cpm",
          description:
            "outlier: lies far off the others (MeshdLearningOutliersHigh). The rest does not fit the task: MeshdLearningUpdatesMalformed.",
          queries: {
            "{{code}}":
              "60 * sum by (code) (rate(meshd_learning_updates_rejected_total{$i}[$r])) > 0",
          },
          w: 8,
        },
        {
          title: "Share of outliers",
          unit: "percentunit",
          description: "Of the updates that each node received. A liar shows on all honest nodes.",
          queries: { [node]: "instance:meshd_learning_outliers:ratio_rate15m{$i}" },
          w: 8,
          thresholds: bad(0.05),
        },
        {
          title: "Pulls that brought nothing",
          unit: "cpm",
          description:
            "The peer was unreachable, gone or too slow. Runbook: MeshdLearningPullsFailing.",
          queries: { [node]: "60 * rate(meshd_learning_pulls_failed_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Local trainers",
          unit: "none",
          description:
            "1 while a program is attached as trainer. Losses: it was not heard of any more.",
          queries: {
            [`${node} attached`]: "meshd_learning_trainer_attached{$i}",
            [`${node} lost`]: "increase(meshd_learning_trainers_lost_total{$i}[$r])",
          },
          w: 8,
        },
        {
          title: "Updates of local trainers",
          unit: "cpm",
          description: "What the programs sent, by what became of it: docs/trainers.md.",
          queries: {
            "{{result}}":
              "60 * sum by (result) (rate(meshd_learning_trainer_updates_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Rounds without an own update",
          unit: "cpm",
          description:
            "The node's trainer gave none in time, or none that can be used. The round went on with the peers' updates.",
          queries: {
            [`${node} {{code}}`]: "60 * rate(meshd_learning_trainer_failures_total{$i}[$r])",
          },
          w: 8,
        },
      ],
      [
        "Certified rounds",
        {
          title: "Rounds certified",
          unit: "cpm",
          description:
            "set took a new model, void kept the old one: too few updates came before the deadline.",
          queries: {
            "{{result}}": "60 * sum by (result) (rate(meshd_learning_certificates_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Views of agreements",
          unit: "cpm",
          description:
            "One a round is right. More: proposers are slow, silent or lie, or messages take longer than a view.",
          queries: { [node]: "60 * rate(meshd_learning_views_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Messages refused, by reason",
          unit: "cpm",
          description:
            "doubled, past and future ones are everyday. bad-signature, bad-proposal, wrong-chain: somebody lies or runs another version.",
          queries: {
            "{{code}}": "60 * sum by (code) (rate(meshd_learning_messages_refused_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Participants proven to equivocate",
          type: "stat",
          unit: "none",
          description: "Each signed two things where it may sign one, and is out of its task.",
          queries: { [node]: "increase(meshd_learning_equivocations_total{$i}[$__range])" },
          w: 6,
        },
        {
          title: "Own results that differ from the certified",
          type: "stat",
          unit: "none",
          description:
            "Rounds. Must be 0: this node computes something else than the quorum, by a fault here.",
          queries: { [node]: "increase(meshd_learning_divergences_total{$i}[$__range])" },
          w: 6,
        },
        {
          title: "Rounds without a quorum for any result",
          type: "stat",
          unit: "none",
          description:
            "Must be 0: participants compute unlike. meshctl status says learning/split.",
          queries: { [node]: "increase(meshd_learning_splits_total{$i}[$__range])" },
          w: 6,
        },
        {
          title: "Void rounds in a row",
          unit: "none",
          description: "Newest rounds without a new model. From 3 on: learning/rounds-void.",
          queries: { [node]: "meshd_learning_void_rounds{$i}" },
          w: 6,
        },
        {
          title: "Phases of rounds",
          unit: "s",
          description:
            "Mean time that a round is in each phase. collecting waits for trainers and transfers, agreeing for messages.",
          queries: {
            "{{phase}}":
              "sum by (phase) (rate(meshd_learning_phase_duration_seconds_sum{$i}[$r])) / sum by (phase) (rate(meshd_learning_phase_duration_seconds_count{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Transfers of updates and models",
          unit: "cpm",
          description:
            "whole brought all that was lacking; bad-chunk: a holder sent something else; broken: too slow, or cut off.",
          queries: {
            "{{result}}": "60 * sum by (result) (rate(meshd_learning_transfers_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Participants by the DHT",
          unit: "cpm",
          description:
            "Announcements and searches. A search is the last resort when no known holder gives a content; refused: a provider that may not be asked.",
          queries: {
            "announced {{result}}":
              "60 * sum by (result) (rate(meshd_learning_announcements_total{$i}[$r]))",
            "search {{result}}":
              "60 * sum by (result) (rate(meshd_learning_provider_searches_total{$i}[$r]))",
            refused: "60 * rate(meshd_learning_providers_refused_total{$i}[$r])",
          },
          w: 8,
        },
        {
          title: "Bytes of updates and models received",
          unit: "Bps",
          description: "What came whole from other participants.",
          queries: { [node]: "rate(meshd_learning_transfer_bytes_total{$i}[$r])" },
          w: 8,
        },
        {
          title: "Memory of updates and models",
          unit: "bytes",
          description: "Of learning.memory_mebibytes.",
          queries: { [node]: "meshd_learning_memory_bytes{$i}" },
          w: 8,
        },
        {
          title: "Refused for want of memory",
          type: "stat",
          unit: "none",
          description: "Updates and models without room in learning.memory_mebibytes: raise it.",
          queries: { [node]: "increase(meshd_learning_memory_refusals_total{$i}[$__range])" },
          w: 8,
        },
        {
          title: "Pauses for want of disk",
          type: "stat",
          unit: "none",
          description:
            "Rounds stop where the disk refuses what must be kept, and go on from what it has.",
          queries: { [node]: "increase(meshd_learning_pauses_total{$i}[$__range])" },
          w: 8,
        },
      ],
    ],
  },
  {
    uid: "meshd-system",
    title: "meshd / System health",
    description: "Start here: what fires, which node is ill, and whether its host is the cause.",
    rows: [
      [
        "What is wrong",
        {
          title: "Alerts that fire",
          type: "table",
          unit: "none",
          description: "Each has a runbook: docs/runbooks/<alert>.md.",
          queries: {
            firing:
              'sort_desc(count by (severity, alertname, instance) (ALERTS{alertstate="firing",alertname=~"Meshd.*"}))',
          },
          w: 12,
        },
        {
          title: "Conditions of meshctl status",
          type: "table",
          unit: "none",
          description: "What the daemons say about themselves; empty is good.",
          queries: { condition: "meshd_health_issue{$i} == 1" },
          w: 12,
        },
        {
          title: "Answers its scrape",
          type: "state-timeline",
          unit: "none",
          description: "0 does not answer, 1 answers. Runbook: MeshdDown.",
          queries: { [node]: 'up{job="meshd",$i}' },
          w: 8,
          thresholds: zeroIsBad,
        },
        {
          title: "In the mesh",
          type: "state-timeline",
          unit: "none",
          description: "1 answers and runs in the mesh, 0 does not.",
          queries: { [node]: "instance:meshd_node_running:bool{$i}" },
          w: 8,
          thresholds: zeroIsBad,
        },
        {
          title: "State of the node",
          type: "state-timeline",
          unit: "none",
          description:
            "1 for the state each node is in. Long unenrolled: MeshdUnenrolled; long starting: MeshdStartStuck.",
          queries: { "{{instance}} {{state}}": "meshd_node_state{$i} == 1" },
          w: 8,
        },
        {
          title: "Error budgets: how fast they burn",
          unit: "none",
          description:
            "1 uses up the 30 days' budget in 30 days, 14.4 a fiftieth of it in an hour. docs/slo.md.",
          queries: {
            availability: "job:slo_availability_errors:ratio_1h / 0.001",
            responsiveness: "job:slo_responsiveness_errors:ratio_1h / 0.01",
            links: "job:slo_links_errors:ratio_1h / 0.01",
            handshakes: "job:slo_handshakes_errors:ratio_1h / 0.05",
          },
          w: 24,
          thresholds: bad(14.4),
        },
      ],
      [
        "Process",
        {
          title: "Event-loop lag",
          unit: "s",
          description: "Objective: p99 under 50 ms. Above 100 ms: MeshdEventLoopLag.",
          queries: {
            "{{instance}} {{percentile}}":
              'meshd_process_event_loop_lag_seconds{$i,percentile=~"p50|p99"}',
          },
          w: 12,
          thresholds: bad(0.1),
        },
        {
          title: "Longest stop of the event loop",
          unit: "s",
          description: "The worst turn since the scrape before.",
          queries: { [node]: 'meshd_process_event_loop_lag_seconds{$i,percentile="max"}' },
          w: 12,
        },
        {
          title: "CPU",
          unit: "percentunit",
          description:
            "Of one core. Idle is 2 to 3 %; without a task at a whole core: MeshdCpuHigh.",
          queries: { [node]: "instance:meshd_process_cpu_seconds:rate5m{$i}" },
          w: 8,
        },
        {
          title: "Resident memory",
          unit: "bytes",
          description: "Idle is about 100 MB. Runbook: MeshdMemoryHigh.",
          queries: { [node]: "meshd_process_resident_memory_bytes{$i}" },
          w: 8,
          thresholds: bad(300e6),
        },
        {
          title: "Heap and buffers",
          unit: "bytes",
          description: "JavaScript objects, and what they hold outside of the heap.",
          queries: {
            "{{instance}} heap": "meshd_process_heap_used_bytes{$i}",
            "{{instance}} external": "meshd_process_external_memory_bytes{$i}",
          },
          w: 8,
        },
        {
          title: "File descriptors in use",
          unit: "percentunit",
          description: "Of what the process may open. Runbook: MeshdFileDescriptorsLow.",
          queries: { [node]: "meshd_process_open_fds{$i} / (meshd_process_max_fds{$i} > 0)" },
          w: 8,
          thresholds: bad(0.8),
        },
        {
          title: "Uptime",
          unit: "s",
          description:
            "Since the process started. A line that falls to 0 again and again: MeshdCrashLooping.",
          queries: { [node]: "time() - meshd_process_start_time_seconds{$i}" },
          w: 8,
        },
        {
          title: "Clock offset",
          unit: "s",
          description:
            "The host's clock against Prometheus's; ahead is positive. Runbook: MeshdClockSkew.",
          queries: {
            [node]:
              "meshd_process_wall_clock_seconds{$i} - timestamp(meshd_process_wall_clock_seconds{$i})",
          },
          w: 8,
        },
        {
          title: "Service manager: watchdog not fed, messages lost",
          unit: "none",
          description:
            "Under systemd only. A watchdog that is not fed for 30 s ends in a restart; the reason says what made no progress.",
          queries: {
            "{{instance}} {{reason}}": "increase(meshd_process_watchdog_withheld_total{$i}[$r])",
            "{{instance}} messages lost": "increase(meshd_process_notify_failures_total{$i}[$r])",
          },
          w: 8,
        },
      ],
      [
        "Healing",
        {
          title: "Incidents: opened and closed, by outcome",
          unit: "none",
          description:
            "open counts those that began. Self-mended ones went without an action. meshctl incidents list.",
          queries: {
            "{{outcome}}": "sum by (outcome) (increase(meshd_healing_incidents_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Actions by what came of them",
          unit: "none",
          description: "worse is an alarm: MeshdHealingHarm. refused-by-guard was not done.",
          queries: {
            "{{outcome}}": "sum by (outcome) (increase(meshd_healing_actions_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Actions by kind",
          unit: "none",
          description: "What was begun: meshctl audit list --event heal.action has each of them.",
          queries: {
            "{{action}}":
              'sum by (action) (increase(meshd_healing_actions_total{$i,outcome="running"}[$r]))',
          },
          w: 8,
        },
        {
          title: "Open incidents",
          unit: "none",
          description: "Unmended ones wait for a person: MeshdIncidentUnmended.",
          queries: {
            "{{instance}} open": "meshd_healing_incidents_open{$i}",
            "{{instance}} unmended": "meshd_healing_incidents_unmended{$i}",
          },
          w: 8,
        },
        {
          title: "Budget left, and others under repair",
          unit: "none",
          description:
            "Actions that may still begin (at 0: MeshdHealingBudgetSpent), and tokens of the mesh that others hold.",
          queries: {
            "{{instance}} budget": "meshd_healing_budget_left{$i}",
            "{{instance}} claims": "meshd_healing_claims{$i}",
          },
          w: 8,
        },
        {
          title: "Claims and lessons of other nodes",
          unit: "none",
          description:
            "Taken, passed over (old, too many, of strangers) or refused: not as its author signed it.",
          queries: {
            "{{decision}}": "sum by (decision) (increase(meshd_healing_notices_total{$i}[$r]))",
          },
          w: 8,
        },
        {
          title: "Looks of the loop",
          unit: "cps",
          description: "One a second. At 0: MeshdHealingStopped.",
          queries: { [node]: "rate(meshd_healing_looks_total{$i}[$r])" },
          w: 8,
        },
      ],
      [
        "Configuration and disk",
        {
          title: "Versions",
          type: "table",
          unit: "none",
          description: "Version and Node.js of each daemon. Mixed for long: MeshdVersionSkew.",
          queries: { node: "meshd_build_info{$i}" },
          w: 12,
        },
        {
          title: "Disk left for state_dir",
          unit: "percentunit",
          description: "Under 10 %: MeshdStateDiskFilling.",
          queries: {
            [node]:
              "meshd_node_state_disk_free_bytes{$i} / (meshd_node_state_disk_size_bytes{$i} > 0)",
          },
          w: 12,
          thresholds: good(0.1),
        },
        {
          title: "Last reload taken",
          type: "state-timeline",
          unit: "none",
          description:
            "0: the file was refused, the old configuration is in force. MeshdConfigReloadFailed.",
          queries: { [node]: "meshd_node_config_reload_successful{$i}" },
          w: 8,
          thresholds: zeroIsBad,
        },
        {
          title: "Age of the configuration in force",
          unit: "s",
          description: "Since it was read, at the start or by a reload.",
          queries: { [node]: "time() - meshd_node_config_load_timestamp_seconds{$i}" },
          w: 8,
        },
        {
          title: "Keys that wait for a restart",
          unit: "none",
          description: "Changed in the file, not in force. Runbook: MeshdRestartPending.",
          queries: { [node]: "meshd_node_config_restart_keys{$i}" },
          w: 4,
        },
        {
          title: "Values folded together",
          unit: "cpm",
          description:
            "A metric reached its cap of series: MeshdSeriesDropped. None of today's can.",
          queries: {
            "{{metric}}":
              "60 * sum by (metric) (rate(meshd_telemetry_series_dropped_total{$i}[$r]))",
          },
          w: 4,
        },
        {
          title: "Trace spans",
          unit: "cpm",
          description: "All 0 while tracing is off. Lost spans hurt nothing else: docs/tracing.md.",
          queries: {
            taken: "60 * sum(rate(meshd_telemetry_spans_exported_total{$i}[$r]))",
            "lost: {{reason}}":
              "60 * sum by (reason) (rate(meshd_telemetry_spans_dropped_total{$i}[$r]))",
            "failed attempts": "60 * sum(rate(meshd_telemetry_span_exports_failed_total{$i}[$r]))",
          },
          w: 24,
        },
      ],
    ],
  },
];
