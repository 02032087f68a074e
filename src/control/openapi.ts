// The control API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from the table that the server serves and the
// schemas that it and its client check with, so that it cannot say anything else than they do.

import * as z from "zod";
import { CONTROL_SCHEMA_VERSION, errorSchema } from "./contract.ts";
import { FILE, type Route, routes } from "./routes.ts";

type Json = Readonly<Record<string, unknown>>;

/** Where the document is served. It says nothing of itself, and carries no `schemaVersion`: OpenAPI has no room for one. */
export const OPENAPI_ROUTE = "GET /v1/openapi.json";

/** The document. */
export function openApi(): Json {
  const schemas = new Map<z.ZodType, string>([[errorSchema, "Error"]]);
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, route] of routes) {
    const [method = "", path = ""] = name.split(" ");
    if (route.answer !== FILE && !schemas.has(route.answer))
      schemas.set(route.answer, wordsOf(path));
    (paths[path] ??= {})[method.toLowerCase()] = operation(name, route, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "meshd control API",
      version: String(CONTROL_SCHEMA_VERSION),
      description:
        "What meshctl uses. Fields are only ever added to answers within one schemaVersion: ignore those you do not know. " +
        "Requests with a field that the daemon does not know are refused.",
    },
    servers: [
      { url: "http://localhost", description: "Over the daemon's Unix socket (control.socket)." },
    ],
    paths,
    components: {
      schemas: Object.fromEntries(
        [...schemas].map(([schema, id]) => [
          id,
          rooted(answerSchema(schema), `#/components/schemas/${id}`),
        ]),
      ),
    },
  };
}

function operation(name: string, route: Route, ids: ReadonlyMap<z.ZodType, string>): Json {
  const { summary, right, request, answer } = route;
  const [method = "", path = ""] = name.split(" ");
  const refOf = (schema: z.ZodType): Json => ({
    $ref: `#/components/schemas/${ids.get(schema) ?? ""}`,
  });
  return {
    operationId: method.toLowerCase() + wordsOf(path),
    summary,
    description: `Needs the right ${right}.`,
    ...(request !== undefined && {
      requestBody: {
        required: true,
        content: request === FILE ? file : json(requestSchema(request)),
      },
    }),
    responses: {
      200: { description: "Done.", content: answer === FILE ? file : json(refOf(answer)) },
      default: { description: "Refused: `code` says why.", content: json(refOf(errorSchema)) },
    },
  };
}

const file = { "application/octet-stream": {} };

function json(schema: Json): Json {
  return { "application/json": { schema } };
}

/** What a client may send: defaults may be left out. */
function requestSchema(schema: z.ZodType): Json {
  return bare(z.toJSONSchema(schema, { io: "input" }));
}

/** What this daemon answers: nothing is left out, and a later one may say more. */
function answerSchema(schema: z.ZodType): Json {
  return bare(
    z.toJSONSchema(schema, {
      io: "output",
      override: ({ jsonSchema }) => {
        if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        // Which days February has is nothing to tell a client.
        if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
      },
    }),
  );
}

/** OpenAPI says for the whole document which dialect of JSON Schema it is. */
function bare({ $schema: _, ...schema }: Json): Json {
  return schema;
}

/** A schema that holds itself refers to its own root: here that is a place in the document. */
function rooted(schema: Json, at: string): Json {
  return JSON.parse(
    JSON.stringify(schema).replaceAll('"$ref":"#/', () => `"$ref":"${at}/`),
  ) as Json;
}

/** `/v1/authorities/revoke-node` -> `AuthoritiesRevokeNode` */
function wordsOf(path: string): string {
  return path
    .replace("/v1/", "")
    .split(/[/-]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
