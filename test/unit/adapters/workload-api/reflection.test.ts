import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { GrpcError } from "../../../../src/adapters/workload-api/grpc.ts";
import {
  bytesField,
  readMessage,
  textField,
  varintField,
} from "../../../../src/adapters/workload-api/protobuf.ts";
import { reflectionResponse } from "../../../../src/adapters/workload-api/reflection.ts";
import { concatBytes } from "../../../../src/foundation/index.ts";

const [BY_NAME, BY_SYMBOL, EXTENSION, LIST] = [3, 4, 5, 7];
const one = (message: Uint8Array, number: number): Uint8Array | undefined =>
  readMessage(message)?.get(number)?.at(-1);
const many = (message: Uint8Array | undefined, number: number): readonly Uint8Array[] =>
  readMessage(message ?? new Uint8Array())?.get(number) ?? [];
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

/** The files of an answer. */
function filesOf(request: Uint8Array): readonly Uint8Array[] {
  return many(one(reflectionResponse(request), 4), 1);
}
const namesOf = (request: Uint8Array): string[] =>
  filesOf(request).map((file) => text(one(file, 1)));

describe("server reflection", () => {
  it("[E9] defines the services byte by byte as protoc does, from the standards' files", () => {
    // SHA-256 of FileDescriptorProto as protoc writes it, without options and json_name.
    for (const [name, digest] of [
      ["workload.proto", "13cb4c71982cbf004d8961fb110b37f5efa137e1f65b1c9dd6c604eaaea461d1"],
      [
        "google/protobuf/struct.proto",
        "ceed0c20af3b9eca8580d3f74a41919aaa71c7978b0471fa5470895f634a9691",
      ],
      [
        "grpc/reflection/v1alpha/reflection.proto",
        "43789c95ed8814c6d5c30211643bb2a660d8c48c178fd8e7a1a53a73b86b3963",
      ],
    ] as const) {
      const [file = new Uint8Array()] = filesOf(textField(BY_NAME, name));
      assert.equal(createHash("sha256").update(file).digest("hex"), digest, name);
    }
  });

  it("[E9] finds a file by service, method, message or enum in it, and gives what it imports", () => {
    for (const symbol of [
      "SpiffeWorkloadAPI",
      "SpiffeWorkloadAPI.FetchJWTSVID",
      "ValidateJWTSVIDResponse",
    ])
      assert.deepEqual(namesOf(textField(BY_SYMBOL, symbol)), [
        "workload.proto",
        "google/protobuf/struct.proto",
      ]);
    for (const symbol of ["google.protobuf.NullValue", "google.protobuf.Struct"])
      assert.deepEqual(namesOf(textField(BY_SYMBOL, symbol)), ["google/protobuf/struct.proto"]);
    const v1 = "grpc/reflection/v1/reflection.proto";
    assert.deepEqual(
      namesOf(textField(BY_SYMBOL, "grpc.reflection.v1.ServerReflection.ServerReflectionInfo")),
      [v1],
    );
  });

  it("[E9] says what it does not know, beside the request that it answers", () => {
    for (const request of [
      textField(BY_NAME, "other.proto"),
      textField(BY_SYMBOL, "Struct"),
      textField(BY_SYMBOL, "SpiffeWorkloadAPI."),
      bytesField(BY_SYMBOL, new Uint8Array()),
      bytesField(EXTENSION, concatBytes(textField(1, "X509SVID"), varintField(2, 1))),
      new Uint8Array(),
    ]) {
      const response = reflectionResponse(concatBytes(textField(1, "host"), request));
      assert.equal(text(one(response, 1)), "host");
      assert.deepEqual(one(response, 2), concatBytes(textField(1, "host"), request));
      const error = one(response, 7) ?? assert.fail("no error");
      assert.deepEqual([...error.subarray(0, 2)], [8, 5], "NOT_FOUND");
      assert.equal(text(one(error, 2)), "not found");
    }
    assert.throws(() => reflectionResponse(Uint8Array.of(0xff)), GrpcError);
  });

  it("[E9] lists the services", () => {
    const list = one(reflectionResponse(textField(LIST, "*")), 6);
    assert.deepEqual(
      many(list, 1).map((service) => text(one(service, 1))),
      [
        "SpiffeWorkloadAPI",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
      ],
    );
  });
});
