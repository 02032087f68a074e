// Definitions of gRPC services as bytes: a FileDescriptorProto of each file, from lines that read like the .proto files which they
// stand for. https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto has the field numbers.

import { concatBytes } from "../../foundation/index.ts";
import { bytesField, textField, varintField } from "./protobuf.ts";

/** A .proto file of syntax proto3. Types of its own package stand there without it, those of others with it. */
export interface ProtoFile {
  readonly name: string;
  /** Empty: none. */
  readonly package: string;
  readonly imports: readonly string[];
  /** Fields by message: `repeated Type name = 1`, `map<string, Type> name = 2`; in front of one that belongs to the message's oneof stands its name: `kind: double number = 2`. */
  readonly messages: Readonly<Record<string, readonly string[]>>;
  /** Names of values by enum, from 0 on. */
  readonly enums?: Readonly<Record<string, readonly string[]>>;
  /** Methods by service: `Name(stream Request) returns (Response)`. */
  readonly services: Readonly<Record<string, readonly string[]>>;
}

const scalars: Readonly<Record<string, number>> = {
  ...{ double: 1, int32: 5, bool: 8, string: 9, bytes: 12 },
};
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
const LABEL_OPTIONAL = 1;
const LABEL_REPEATED = 3;

/** The FileDescriptorProto of a file. */
export function encodeFile(file: ProtoFile): Uint8Array {
  return concatBytes(
    textField(1, file.name),
    textField(2, file.package),
    ...file.imports.map((name) => textField(3, name)),
    ...Object.entries(file.messages).map(([name, fields]) =>
      bytesField(4, encodeMessage(file, name, fields)),
    ),
    ...Object.entries(file.enums ?? {}).map(([name, values]) =>
      bytesField(5, encodeEnum(name, values)),
    ),
    ...Object.entries(file.services).map(([name, methods]) =>
      bytesField(6, encodeService(file, name, methods)),
    ),
    textField(12, "proto3"),
  );
}

/** Full names of everything that a file defines. */
export function symbolsOf(file: ProtoFile): string[] {
  const own = [file.messages, file.enums ?? {}, file.services].flatMap(Object.keys);
  const methods = Object.entries(file.services).flatMap(([service, list]) =>
    list.map((method) => `${service}.${method.replace(/\(.*/, "")}`),
  );
  return [...own, ...methods].map((name) => fullName(file, name));
}

/** The full name of what stands in a file. */
export function fullName(file: ProtoFile, name: string): string {
  return file.package === "" ? name : `${file.package}.${name}`;
}

function encodeMessage(file: ProtoFile, message: string, fields: readonly string[]): Uint8Array {
  const read = fields.map(readField);
  const nested = read.flatMap(({ key, type, name }) =>
    key === undefined ? [] : [encodeMapEntry(file, entryName(name), key, type)],
  );
  const encoded = read.map((field) =>
    field.key === undefined
      ? encodeField(file, field)
      : encodeField(file, { ...field, type: `${message}.${entryName(field.name)}` }),
  );
  const oneof = read.find((field) => field.oneof !== undefined)?.oneof;
  return concatBytes(
    textField(1, message),
    ...encoded.map((field) => bytesField(2, field)),
    ...nested.map((entry) => bytesField(3, entry)),
    ...(oneof === undefined ? [] : [bytesField(8, textField(1, oneof))]),
  );
}

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  /** Of a map. */
  readonly key?: string | undefined;
  readonly isRepeated: boolean;
  readonly oneof?: string | undefined;
}

function readField(line: string): Field {
  const match = /^(?:(\w+): )?(repeated )?(?:map<(\w+), ([\w.]+)>|([\w.]+)) (\w+) = (\d+)$/.exec(
    line,
  );
  const [, oneof, repeated, key, value, plain, name = "", number] = match ?? [];
  const type = value ?? plain ?? "";
  const isRepeated = repeated !== undefined || key !== undefined;
  return { name, number: Number(number), type, key, isRepeated, oneof };
}

function encodeField(file: ProtoFile, field: Field): Uint8Array {
  const { name, number, type, isRepeated, oneof } = field;
  const scalar = scalars[type];
  const isEnum = Object.hasOwn(file.enums ?? {}, type);
  return concatBytes(
    textField(1, name),
    varintField(3, number),
    varintField(4, isRepeated ? LABEL_REPEATED : LABEL_OPTIONAL),
    varintField(5, scalar ?? (isEnum ? TYPE_ENUM : TYPE_MESSAGE)),
    ...(scalar === undefined ? [textField(6, typeName(file, type))] : []),
    ...(oneof === undefined ? [] : [varintField(9, 0)]),
  );
}

/** A map is a repeated message of key and value, which is marked as such. */
function encodeMapEntry(file: ProtoFile, name: string, key: string, value: string): Uint8Array {
  const field = { isRepeated: false };
  return concatBytes(
    textField(1, name),
    bytesField(2, encodeField(file, { ...field, name: "key", number: 1, type: key })),
    bytesField(2, encodeField(file, { ...field, name: "value", number: 2, type: value })),
    bytesField(7, varintField(7, 1)),
  );
}

/** As protoc names it: the field's name in CamelCase. */
function entryName(field: string): string {
  const words = field.split("_").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `${words.join("")}Entry`;
}

function encodeEnum(name: string, values: readonly string[]): Uint8Array {
  const encoded = values.map((value, number) =>
    bytesField(2, concatBytes(textField(1, value), varintField(2, number))),
  );
  return concatBytes(textField(1, name), ...encoded);
}

function encodeService(file: ProtoFile, name: string, methods: readonly string[]): Uint8Array {
  const encoded = methods.map((line) => {
    const match = /^(\w+)\((stream )?([\w.]+)\) returns \((stream )?([\w.]+)\)$/.exec(line);
    const [, method = "", clientStreams, input = "", serverStreams, output = ""] = match ?? [];
    return concatBytes(
      textField(1, method),
      textField(2, typeName(file, input)),
      textField(3, typeName(file, output)),
      ...(clientStreams === undefined ? [] : [varintField(5, 1)]),
      ...(serverStreams === undefined ? [] : [varintField(6, 1)]),
    );
  });
  return concatBytes(textField(1, name), ...encoded.map((method) => bytesField(2, method)));
}

function typeName(file: ProtoFile, type: string): string {
  return type.startsWith("google.") ? `.${type}` : `.${fullName(file, type)}`;
}
