// SPDX-License-Identifier: Apache-2.0
// Gitea's API as JSON Schema, read out of the type declarations of npm gitea-js, which are made
// from the server's own Swagger file. Run alone it prints the schema: `node check/gitea-schema.mjs`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

const require = createRequire(import.meta.url);
const FILE = require.resolve('gitea-js').replace(/index\.js$/, 'index.d.ts');
const { SyntaxKind: K } = ts;

const literal = (node) => node.literal.text ?? (node.literal.kind === K.TrueKeyword ? true : null);

function typeOf(node) {
  switch (node?.kind) {
    case K.StringKeyword:
      return { type: 'string' };
    case K.NumberKeyword:
      return { type: 'number' };
    case K.BooleanKeyword:
      return { type: 'boolean' };
    case K.ArrayType:
      return { type: 'array', items: typeOf(node.elementType) };
    case K.TypeLiteral:
      return objectOf(node.members);
    case K.LiteralType:
      return { const: literal(node) };
    case K.UnionType:
      return { anyOf: node.types.map(typeOf) };
    case K.ParenthesizedType:
      return typeOf(node.type);
    case K.TypeReference:
      return referenceOf(node);
    default:
      return {};
  }
}

function referenceOf(node) {
  const name = node.typeName.text;
  if (name === 'Record')
    return { type: 'object', additionalProperties: typeOf(node.typeArguments[1]) };
  if (name === 'File') return { file: true };
  if (name === 'Array') return { type: 'array', items: typeOf(node.typeArguments[0]) };
  return { $ref: `gitea:${name}` };
}

function objectOf(members) {
  const properties = {},
    required = [];
  for (const m of members.filter((m) => m.kind === K.PropertySignature)) {
    const name = m.name.text;
    properties[name] = typeOf(m.type);
    if (!m.questionToken) required.push(name);
  }
  return {
    type: 'object',
    properties,
    ...(required.length && { required }),
    additionalProperties: false,
  };
}

// The body has a name of its own in some methods (`content`), but only it has a named type.
function bodyOf(parameters) {
  const found = parameters.find(
    (p) => p.type.kind === K.TypeReference && p.type.typeName.text !== 'RequestParams',
  );
  return found && typeOf(found.type);
}

// The client's methods: `@request POST:/repos/{owner}/...` above a function type.
function operationOf(source, member) {
  const comment = source.text.slice(member.getFullStart(), member.getStart(source));
  const request = /@request (\w+):(\S+)/.exec(comment);
  if (!request || member.type?.kind !== K.FunctionType) return undefined;
  const parameters = Object.fromEntries(member.type.parameters.map((p) => [p.name.text, p.type]));
  const answer = member.type.type.typeArguments?.[0]?.typeArguments?.[0];
  return {
    method: request[1],
    path: request[2],
    body: bodyOf(member.type.parameters),
    form: parameters.data && typeOf(parameters.data),
    query: parameters.query && typeOf(parameters.query),
    reply: answer && typeOf(answer),
  };
}

export function giteaSchema() {
  const source = ts.createSourceFile(
    FILE,
    readFileSync(FILE, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const types = {},
    operations = [];
  const visit = (node) => {
    if (ts.isInterfaceDeclaration(node)) types[node.name.text] = objectOf(node.members);
    if (ts.isTypeAliasDeclaration(node)) types[node.name.text] = typeOf(node.type);
    if (node.kind === K.PropertySignature || node.kind === K.PropertyDeclaration) {
      const operation = operationOf(source, node);
      if (operation) operations.push(operation);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { types, operations };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(giteaSchema(), null, 1));
}
