// gRPC server reflection: tells clients which services there are and how they are defined, so that a tool needs no .proto file
// (SPIFFE_Workload_Endpoint.md section 7). It tells the standards' own definitions to whoever asks, and nothing about anybody.
// https://github.com/grpc/grpc/blob/master/doc/server-reflection.md

import { concatBytes } from "../../foundation/index.ts";
import { encodeFile, fullName, type ProtoFile, symbolsOf } from "./descriptors.ts";
import { type GrpcCall, GrpcError } from "./grpc.ts";
import { bytesField, readMessage, textField, textOf, varintField } from "./protobuf.ts";

const STRUCT = "google/protobuf/struct.proto";
/** gRPC's code for what is asked for and is not there. */
const NOT_FOUND = 5;

const struct: ProtoFile = {
  ...{ name: STRUCT, package: "google.protobuf", imports: [], services: {} },
  messages: {
    Struct: ["map<string, Value> fields = 1"],
    Value: [
      "kind: NullValue null_value = 1",
      "kind: double number_value = 2",
      "kind: string string_value = 3",
      "kind: bool bool_value = 4",
      "kind: Struct struct_value = 5",
      "kind: ListValue list_value = 6",
    ],
    ListValue: ["repeated Value values = 1"],
  },
  enums: { NullValue: ["NULL_VALUE"] },
};

const workload: ProtoFile = {
  ...{ name: "workload.proto", package: "", imports: [STRUCT] },
  messages: {
    X509SVIDRequest: [],
    X509SVIDResponse: [
      "repeated X509SVID svids = 1",
      "repeated bytes crl = 2",
      "map<string, bytes> federated_bundles = 3",
    ],
    X509SVID: [
      "string spiffe_id = 1",
      "bytes x509_svid = 2",
      "bytes x509_svid_key = 3",
      "bytes bundle = 4",
      "string hint = 5",
    ],
    X509BundlesRequest: [],
    X509BundlesResponse: ["repeated bytes crl = 1", "map<string, bytes> bundles = 2"],
    JWTSVIDRequest: ["repeated string audience = 1", "string spiffe_id = 2"],
    JWTSVIDResponse: ["repeated JWTSVID svids = 1"],
    JWTSVID: ["string spiffe_id = 1", "string svid = 2", "string hint = 3"],
    JWTBundlesRequest: [],
    JWTBundlesResponse: ["map<string, bytes> bundles = 1"],
    ValidateJWTSVIDRequest: ["string audience = 1", "string svid = 2"],
    ValidateJWTSVIDResponse: ["string spiffe_id = 1", "google.protobuf.Struct claims = 2"],
  },
  services: {
    SpiffeWorkloadAPI: [
      "FetchX509SVID(X509SVIDRequest) returns (stream X509SVIDResponse)",
      "FetchX509Bundles(X509BundlesRequest) returns (stream X509BundlesResponse)",
      "FetchJWTSVID(JWTSVIDRequest) returns (JWTSVIDResponse)",
      "FetchJWTBundles(JWTBundlesRequest) returns (stream JWTBundlesResponse)",
      "ValidateJWTSVID(ValidateJWTSVIDRequest) returns (ValidateJWTSVIDResponse)",
    ],
  },
};

/** Reflection itself, of which old clients know the version before the first. */
const reflection = (version: "v1" | "v1alpha"): ProtoFile => ({
  ...{ name: `grpc/reflection/${version}/reflection.proto`, imports: [] },
  package: `grpc.reflection.${version}`,
  messages: {
    ServerReflectionRequest: [
      "string host = 1",
      "message_request: string file_by_filename = 3",
      "message_request: string file_containing_symbol = 4",
      "message_request: ExtensionRequest file_containing_extension = 5",
      "message_request: string all_extension_numbers_of_type = 6",
      "message_request: string list_services = 7",
    ],
    ExtensionRequest: ["string containing_type = 1", "int32 extension_number = 2"],
    ServerReflectionResponse: [
      "string valid_host = 1",
      "ServerReflectionRequest original_request = 2",
      "message_response: FileDescriptorResponse file_descriptor_response = 4",
      "message_response: ExtensionNumberResponse all_extension_numbers_response = 5",
      "message_response: ListServiceResponse list_services_response = 6",
      "message_response: ErrorResponse error_response = 7",
    ],
    FileDescriptorResponse: ["repeated bytes file_descriptor_proto = 1"],
    ExtensionNumberResponse: ["string base_type_name = 1", "repeated int32 extension_number = 2"],
    ListServiceResponse: ["repeated ServiceResponse service = 1"],
    ServiceResponse: ["string name = 1"],
    ErrorResponse: ["int32 error_code = 1", "string error_message = 2"],
  },
  services: {
    ServerReflection: [
      "ServerReflectionInfo(stream ServerReflectionRequest) returns (stream ServerReflectionResponse)",
    ],
  },
});

const files: readonly ProtoFile[] = [workload, struct, reflection("v1"), reflection("v1alpha")];

/** The paths under which it is called. */
export const REFLECTION_PATHS: ReadonlySet<string> = new Set(
  ["v1", "v1alpha"].map((one) => `/grpc.reflection.${one}.ServerReflection/ServerReflectionInfo`),
);

/** Answers each request of a stream, until the client ends it. */
export async function reflect(call: GrpcCall): Promise<void> {
  for await (const request of call.requests()) await call.send(reflectionResponse(request));
}

/** The response to one request. @throws GrpcError when it is none */
export function reflectionResponse(request: Uint8Array): Uint8Array {
  const fields = readMessage(request);
  if (fields === undefined) throw new GrpcError("invalidArgument", "this is no reflection request");
  const text = (number: number): string | undefined => textOf(fields.get(number)?.at(-1) ?? EMPTY);
  const echo = concatBytes(textField(1, text(1) ?? ""), bytesField(2, request));
  return concatBytes(echo, fields.has(7) ? services() : definition(text(3) ?? "", text(4) ?? ""));
}

const EMPTY = new Uint8Array(0);

function services(): Uint8Array {
  const names = files.flatMap((file) =>
    Object.keys(file.services).map((service) => fullName(file, service)),
  );
  return bytesField(6, concatBytes(...names.map((name) => bytesField(1, textField(1, name)))));
}

/** A file by its name or by what it defines, with those that it imports. Extensions, which proto3 has none of, are asked for otherwise. */
function definition(name: string, symbol: string): Uint8Array {
  const found = files.find((file) => file.name === name || symbolsOf(file).includes(symbol));
  if (found === undefined)
    return bytesField(7, concatBytes(varintField(1, NOT_FOUND), textField(2, "not found")));
  const all = [found, ...files.filter((file) => found.imports.includes(file.name))];
  return bytesField(4, concatBytes(...all.map((file) => bytesField(1, encodeFile(file)))));
}
