// The playbooks that every node has: one for each symptom that a node can mend by itself. An operator's file comes before
// them, and a playbook of the same name replaces one of these. Text, so that it is read, checked and shown as theirs is.

export const shippedPlaybooks = `
playbooks:
  # Every known address again, without the wait between tries that has grown meanwhile.
  - name: rejoin
    for: [mesh/isolated, mesh/peers-lost]
    unless: [identity/expired]
    radius: none
    cooldown: 30s
    steps:
      - { action: rejoin, time_limit: 20s, check_within: 10s }
      - { action: fetch-bundle, time_limit: 20s, check_within: 10s }

  # With tables or keys gone bad in memory every signature looks wrong: one that passes its self-test takes over.
  - name: sound-engine
    for: [crypto/engine-unsound, crypto/engine-fallback, handshake/failing]
    radius: none
    cooldown: 5m
    steps:
      - { action: change-engine, time_limit: 10s, check_within: 30s }

  # By another of its addresses, or through a relay; a link that carries nothing is replaced.
  - name: redial
    for: [mesh/peer-unreachable]
    radius: none
    cooldown: 30s
    steps:
      - { action: redial-peer, time_limit: 20s, check_within: 5s }
      - { action: change-relay, time_limit: 15s, check_within: 5s }

  # The relayed link that loses most, or is slowest, through another relay.
  - name: other-relay
    for: [mesh/links-slow]
    when: { relayedLinks: { min: 1 } }
    radius: none
    cooldown: 2m
    steps:
      - { action: change-relay, time_limit: 15s, check_within: 30s }

  - name: resync
    for: [mesh/view-stale]
    unless: [mesh/isolated]
    when: { connections: { min: 1 } }
    radius: none
    cooldown: 1m
    steps:
      - { action: resync-beacons, time_limit: 15s, check_within: 15s }
      - { action: rejoin, time_limit: 20s, check_within: 15s }

  - name: renew
    for: [identity/renewal-overdue, identity/expired]
    radius: none
    cooldown: 30s
    steps:
      - { action: renew-svid, time_limit: 30s, check_within: 10s, check: { svidLeftRatio: { min: 0.4 } } }
      - { action: rejoin, time_limit: 20s, check_within: 10s }

  # The issuers may have a newer bundle, without which nobody's chain is good.
  - name: newer-bundle
    for: [handshake/failing, federation/stale, workload/issuer-silent]
    radius: none
    cooldown: 2m
    steps:
      - { action: fetch-bundle, time_limit: 20s, check_within: 60s }

  - name: compact
    for: [node/disk-filling, state/write-failed]
    radius: none
    cooldown: 30m
    steps:
      - { action: compact-store, time_limit: 60s, check_within: 10s }

  # Of the main thread's heap, if it is that: what is left after a collection is known at the next look.
  - name: free-memory
    for: [node/memory-growing]
    when: { heapRatio: { min: 0.2 } }
    radius: none
    cooldown: 5m
    steps:
      - { action: free-memory, time_limit: 10s, check_within: 500ms }

  # A trainer that leaks gives all back when it is started anew; its round goes on from the disk.
  - name: restart-trainer
    for: [node/memory-growing]
    radius: node
    cooldown: 30m
    steps:
      - { action: restart-part, target: trainer, time_limit: 60s, check_within: 60s }

  # The server listens, but its file was removed: it makes another.
  - name: listen-again
    for: [node/socket-gone]
    radius: node
    cooldown: 1m
    steps:
      - { action: restart-part, time_limit: 10s, check_within: 5s }

  - name: shed
    for: [mesh/overloaded]
    when: { loopLagMs: { min: 100 } }
    radius: node
    cooldown: 10m
    steps:
      - { action: shed-load, time_limit: 5s, check_within: 30s }
`;
