// The extension's declarations against contract.json, which the server writes from its own: methods, shapes, commands, notices,
// codes and settings.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NotificationType, RequestType, RequestType0 } from "vscode-languageserver-protocol";
import * as protocol from "../../src/protocol";
import { serverKeys } from "../../src/settings";
import { genericsOfMethods, interfaces, type Field } from "./declarations";
import { properties } from "./manifest";

interface Schema {
  type?: string;
  $ref?: string;
  enum?: string[];
  anyOf?: Schema[];
  items?: Schema;
  additionalProperties?: Schema;
}

interface Struct {
  properties: Record<string, Schema>;
  required: string[];
}

interface Method {
  name: string;
  sender: string;
  kind: string;
  params: string | null;
  result: string | null;
}

interface Setting extends Record<string, unknown> {
  name: string;
  type: string;
}

interface Contract {
  methods: Method[];
  commands: { names: string[]; argument: string; result: string };
  notices: { kinds: string[]; severities: string[] };
  settings: Setting[];
  exitCodes: Record<string, number>;
  structs: Record<string, Struct>;
}

const contract = JSON.parse(readFileSync("contract.json", "utf8")) as Contract;
const declared = interfaces("src/structs.ts");

// --- Methods, commands, kinds, codes ------------------------------------------------------------------

const descriptors = Object.values<unknown>(protocol).filter(
  (value) => value instanceof RequestType || value instanceof RequestType0 || value instanceof NotificationType,
);
const generics = genericsOfMethods("src/protocol.ts");

test("every method is declared", () => {
  assert.ok(descriptors.length >= 9);
  assert.equal(generics.size, descriptors.length);
});

for (const descriptor of descriptors.filter(({ method }) => method.startsWith("kato/"))) {
  const method = contract.methods.find(({ name }) => name === descriptor.method);

  test(`${descriptor.method} is a method of the server, of the same kind`, () => {
    assert.equal(method?.kind, descriptor instanceof NotificationType ? "notification" : "request");
  });

  test(`${descriptor.method} has the server's parameters and result`, () => {
    const expected = [method?.params, method?.kind === "request" ? method.result : null].filter(
      (name) => name !== null,
    );
    const found = generics.get(descriptor.method)?.filter((name) => name !== "void");
    assert.deepEqual(found, expected);
  });
}

test("every command that this client runs is one of the server's", () => {
  const names = protocol.COMMAND_NAMES.map((name) => `kato.${name}`);
  assert.deepEqual(
    names.filter((name) => !contract.commands.names.includes(name)),
    [],
  );
  assert.deepEqual([contract.commands.argument, contract.commands.result], ["CommandParams", "CommandOutcome"]);
});

test("every kind of notice that this client treats in its own way is a kind of the server's", () => {
  assert.deepEqual(
    Object.values(protocol.NoticeKind).filter((kind) => !contract.notices.kinds.includes(kind)),
    [],
  );
});

test("the exit codes are the server's", () => {
  for (const [name, code] of Object.entries(protocol.ExitCode)) {
    assert.equal(code, contract.exitCodes[name], name);
  }
});

// --- Shapes -------------------------------------------------------------------------------------------

/** The alternatives of a type, as TypeScript writes them. A struct that this client does not declare is any object. */
function alternatives(schema: Schema): string[] {
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.flatMap(alternatives))].sort();
  }
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => JSON.stringify(value)).sort();
  }
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/structs/", "");
    return [declared.has(name) ? name : "Record<string, unknown>"];
  }
  switch (schema.type) {
    case "integer":
      return ["number"];
    case "array":
      return [`${alternatives(schema.items ?? {}).join(" | ")}[]`];
    case "object":
      return [`Record<string, ${alternatives(schema.additionalProperties ?? {}).join(" | ")}>`];
    default:
      return [schema.type ?? "unknown"];
  }
}

/** Whether a type with these alternatives holds every value of one with those. */
function holds(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((one) => wide.includes(one) || (one.startsWith('"') && wide.includes("string")));
}

const isSent = (name: string): boolean => name.endsWith("Params");

/** What the shapes about one session have in common; no message has this shape alone. */
const BASES = ["SessionParams"];

for (const [name, fields] of [...declared].filter(([one]) => !BASES.includes(one))) {
  test(`${name} has the fields of the server's struct`, () => {
    const struct = contract.structs[name] ?? assert.fail(`no struct ${name}`);
    for (const field of fields) {
      checkField(name, field, struct);
    }
    if (isSent(name)) {
      const given = fields.filter(({ isOptional }) => !isOptional).map((field) => field.name);
      assert.ok(holds(given, struct.required), `all that the server requires is given: ${struct.required.join(", ")}`);
    }
  });
}

function checkField(name: string, field: Field, struct: Struct): void {
  const schema = struct.properties[field.name] ?? assert.fail(`no field ${name}.${field.name}`);
  const known = alternatives(schema);
  const [wide, narrow] = isSent(name) ? [known, field.types] : [field.types, known];
  assert.ok(
    holds(wide, narrow),
    `${name}.${field.name} is ${field.types.join(" | ")} here, ${known.join(" | ")} there`,
  );
  if (!isSent(name) && !field.isOptional) {
    assert.ok(struct.required.includes(field.name), `${name}.${field.name} may be absent`);
  }
}

// --- Settings -----------------------------------------------------------------------------------------

test("the extension contributes every setting of the server, and no other that it sends", () => {
  assert.deepEqual(serverKeys(Object.keys(properties)).sort(), contract.settings.map(({ name }) => name).sort());
});

for (const { name, default: value, items, environment, needsRestart, ...expected } of contract.settings) {
  test(`kato.${name} has the server's type, bounds, default, scope and description (npm run settings)`, () => {
    const found = properties[`kato.${name}`] ?? {};
    // VS Code has no default of null for a text: an empty text stands for it.
    assert.deepEqual(found.default, value ?? "");
    for (const [key, expectedValue] of Object.entries(expected)) {
      assert.deepEqual(found[key], expectedValue, key);
    }
    for (const [key, expectedValue] of Object.entries((items ?? {}) as Record<string, unknown>)) {
      assert.deepEqual((found.items as Record<string, unknown>)[key], expectedValue, `items.${key}`);
    }
  });
}

test("every setting of the extension's own has a description and a scope", () => {
  for (const [name, setting] of Object.entries(properties)) {
    assert.ok(setting.markdownDescription, `${name} is described`);
    assert.ok(setting.scope, `${name} has a scope`);
  }
});
