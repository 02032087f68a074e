// What a message takes on the wire beside its own bytes, so that a simulated node's traffic can be put beside the counters
// of a real network interface. Model, from the outside in:
//
//   Ethernet 14 + IPv4 20 + TCP 20 with timestamps 12 = 66 bytes a segment of up to 1,448 bytes of payload;
//   half a pure acknowledgement (66 / 2) a segment, from the receiver: every second segment is acknowledged alone;
//   PQ channel record: length 2 + tag 16;   yamux frame: 12;
//   gossipsub RPC: length 2 + publish field 3 + data field 3 + topic field 2 and the topic's name;
//   IHAVE and IWANT: ids of 16 bytes with 2 bytes of framing each, behind the same 8 bytes and the topic's name.
//
// IDONTWANT is left out: here a node passes a message on the moment it has it, so what the announcement would save is sent by
// then. A real node that takes time to verify a state beacon sends fewer copies of it than this model.
// One message is one RPC, one record and one write: no batching, no retransmission, no stream set-up, no discovery.

/** Per segment, headers of all layers below the channel. */
export const SEGMENT_HEADER_BYTES = 66;
/** Payload of a segment at an MTU of 1,500. */
export const SEGMENT_PAYLOAD_BYTES = 1_448;
/** What the receiver of a segment sends back for it. */
export const SEGMENT_ACK_BYTES = SEGMENT_HEADER_BYTES / 2;
const RECORD_BYTES = 2 + 16;
const YAMUX_BYTES = 12;
const RPC_BYTES = 10;
const MESSAGE_ID_BYTES = 18;
/** What the daemon puts before a zone's topic: `/x0tta6bl4/1/<trust domain>/zone/`. */
const TOPIC_PREFIX_BYTES = 28;

/** TCP segments that a frame of so many bytes takes. */
export function segmentsOf(frameBytes: number): number {
  return Math.ceil(frameBytes / SEGMENT_PAYLOAD_BYTES);
}

/** Bytes of a frame on the channel: yamux and record around a payload. */
export function frameBytes(payloadBytes: number): number {
  return payloadBytes + RECORD_BYTES + YAMUX_BYTES;
}

/** Bytes of one frame as an interface counts them, without the acknowledgements. */
export function wireBytes(frame: number): number {
  return frame + segmentsOf(frame) * SEGMENT_HEADER_BYTES;
}

/** The payload of an RPC with one gossip message. */
export function gossipBytes(topic: string, messageBytes: number): number {
  return RPC_BYTES + TOPIC_PREFIX_BYTES + topic.length + messageBytes;
}

/** The payload of an RPC that offers or asks for messages by their ids. */
export function messageIdsBytes(topic: string, ids: number): number {
  return RPC_BYTES + TOPIC_PREFIX_BYTES + topic.length + ids * MESSAGE_ID_BYTES;
}
