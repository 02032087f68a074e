// What one member can do to another by libp2p's DHT, over real sockets: little.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Stream } from "@libp2p/interface";
import { byteStream, type ByteStream } from "@libp2p/utils";
import { multiaddr } from "@multiformats/multiaddr";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import { Network } from "../../../src/adapters/libp2p/network.ts";
import { concatBytes, utf8Bytes } from "../../../src/foundation/index.ts";
import { engine, seededRandom } from "../../unit/handshake/fixture.ts";
import { linked } from "./test-network.ts";

const RECORDS = "/x0tta6bl4/kad/1.0.0";
/** Of kad-dht's message: its types, and the numbers of its fields. */
const PUT_VALUE = 0;
const ADD_PROVIDER = 2;
const GET_PROVIDERS = 3;
const KEY = 2;
const RECORD = 3;
const PROVIDER = 9;

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Uint8Array.from([...bytes, value]);
}

const framed = (bytes: Uint8Array): Uint8Array => concatBytes(varint(bytes.length), bytes);
const field = (number: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(varint((number << 3) | 2), framed(bytes));
const message = (type: number, ...fields: Uint8Array[]): Uint8Array =>
  framed(concatBytes(varint(1 << 3), varint(type), ...fields));

const address = (port: number): Uint8Array => multiaddr(`/ip4/127.0.0.1/tcp/${port}`).bytes;
const addresses = (count: number, from = 1): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => field(2, address(from + at)));
const idOf = (seed: string): Uint8Array =>
  Network.peerIdOf(
    engine.ed25519.signer(seededRandom(`${seed}/ed25519`).bytes(32)).publicKey,
  ).toMultihash().bytes;
const content = (digest: Uint8Array, hash = 0x12): Uint8Array =>
  CID.createV1(0x55, Digest.create(hash, digest)).bytes;
const DIGEST = new Uint8Array(32).fill(7);

const put = (key: Uint8Array, value: Uint8Array): Uint8Array =>
  message(PUT_VALUE, field(KEY, key), field(RECORD, concatBytes(field(1, key), field(2, value))));

/** A member with a stream of the DHT to another. */
class Member {
  readonly #stream: Stream;
  readonly #bytes: ByteStream<Stream>;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.#bytes = byteStream(stream);
  }

  send(bytes: Uint8Array): Promise<void> {
    return this.#bytes.write(bytes, soon());
  }

  /** The fields of the next answer. */
  async answer(): Promise<[number, Uint8Array][]> {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const [byte = 0] = (await this.#bytes.read({ bytes: 1, ...soon() })).subarray();
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return fieldsOf((await this.#bytes.read({ bytes: length, ...soon() })).subarray());
  }

  /** That the other side ends the stream instead of an answer. */
  async isRefused(): Promise<void> {
    await assert.rejects(this.answer());
    assert.equal(this.#stream.status, "reset");
  }
}

const soon = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) });

/** Of a protobuf message those that are bytes. */
function fieldsOf(bytes: Uint8Array): [number, Uint8Array][] {
  const found: [number, Uint8Array][] = [];
  let at = 0;
  const number = (): number => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const value = number();
    if ((tag & 7) !== 2) continue;
    found.push([tag >> 3, bytes.subarray(at, at + value)]);
    at += value;
  }
  return found;
}

async function member(t: TestContext, seed: string): Promise<Member> {
  const [a, b] = await linked(t, seed);
  return new Member(await a.network.openStream(b.nodeId, RECORDS, soon().signal));
}

test("the DHT keeps records of this mesh, and no public keys, which cost their maker nothing", async (t) => {
  const flooder = await member(t, "dht/pk");
  await flooder.send(put(utf8Bytes("/x0id/a"), utf8Bytes("record")));
  assert.ok((await flooder.answer()).some(([number]) => number === RECORD));
  const id = idOf("somebody new");
  await flooder.send(put(concatBytes(utf8Bytes("/pk/"), id), id.subarray(2)));
  await flooder.isRefused();
});

test("a message of the longest length is taken, and one byte more ends the stream", async (t) => {
  const longest = 64 * 1024;
  const key = utf8Bytes("/x0id/a");
  const overhead = put(key, new Uint8Array(60_000)).length - 3 - 60_000;
  const ofLength = (length: number): Uint8Array => put(key, new Uint8Array(length - overhead));
  const flooder = await member(t, "dht/long");
  const message = ofLength(longest);
  assert.equal(message.length, longest + 3);
  await flooder.send(message);
  assert.ok((await flooder.answer()).some(([number]) => number === RECORD));
  await flooder.send(ofLength(longest + 1));
  await flooder.isRefused();
});

test("a length that never ends is not read on", async (t) => {
  const flooder = await member(t, "dht/length");
  await flooder.send(new Uint8Array(1_000).fill(0x80));
  await flooder.isRefused();
});

test("of a peer's addresses some are kept, however many it tells and however often", async (t) => {
  const flooder = await member(t, "dht/addresses");
  const provide = (from: number): Uint8Array =>
    message(
      ADD_PROVIDER,
      field(KEY, content(DIGEST)),
      field(PROVIDER, concatBytes(field(1, idOf("dht/addresses/a")), ...addresses(500, from))),
    );
  for (const from of [1, 1_001, 2_001]) await flooder.send(provide(from));
  await flooder.send(message(GET_PROVIDERS, field(KEY, content(DIGEST))));
  const provider = (await flooder.answer()).find(([number]) => number === PROVIDER)?.[1];
  assert.ok(provider);
  const kept = fieldsOf(provider).filter(([number]) => number === 2);
  assert.equal(kept.length, 16);
});

test("a content's name is as long as a digest, or nobody provides it", async (t) => {
  const flooder = await member(t, "dht/name");
  const self = concatBytes(field(1, idOf("dht/name/a")), ...addresses(1));
  const provide = (name: Uint8Array): Uint8Array =>
    message(ADD_PROVIDER, field(KEY, name), field(PROVIDER, self));
  await flooder.send(provide(content(DIGEST)));
  await flooder.send(message(GET_PROVIDERS, field(KEY, content(DIGEST))));
  assert.ok((await flooder.answer()).some(([number]) => number === PROVIDER));
  await flooder.send(provide(content(new Uint8Array(10_000), 0)));
  await flooder.isRefused();
});
