// Reads declarations from TypeScript sources, for tests that compare them with other data.

import { readFileSync } from "node:fs";
import ts from "typescript";

export interface Field {
  name: string;
  isOptional: boolean;
  /** The alternatives of its type, in alphabetical order. */
  types: string[];
}

/** The exported interfaces of a file by name, each with its fields and those of the interfaces that it extends. */
export function interfaces(file: string): Map<string, Field[]> {
  const found = new Map<string, Field[]>();
  for (const statement of sourceOf(file).statements.filter(ts.isInterfaceDeclaration)) {
    const parents = (statement.heritageClauses ?? []).flatMap(({ types }) => types.map((type) => type.getText()));
    const own = statement.members.filter(ts.isPropertySignature).map((member) => ({
      name: member.name.getText(),
      isOptional: member.questionToken !== undefined,
      types: alternatives(member.type),
    }));
    found.set(statement.name.text, [...parents.flatMap((parent) => found.get(parent) ?? []), ...own]);
  }
  return found;
}

/** The type arguments of the descriptors in a file, `new RequestType<…>("method")`, by method. */
export function genericsOfMethods(file: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const visit = (node: ts.Node): void => {
    const [method] = ts.isNewExpression(node) ? (node.arguments ?? []) : [];
    if (ts.isNewExpression(node) && method !== undefined && ts.isStringLiteral(method)) {
      found.set(
        method.text,
        (node.typeArguments ?? []).map((argument) => argument.getText()),
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(sourceOf(file));
  return found;
}

function sourceOf(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, true);
}

function alternatives(type: ts.TypeNode | undefined): string[] {
  const parts = type !== undefined && ts.isUnionTypeNode(type) ? [...type.types] : [type];
  return parts.map((part) => part?.getText() ?? "unknown").sort();
}
