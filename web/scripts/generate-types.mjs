// Types of the API from its description: docs/openapi.json becomes src/api/schema.d.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const description = new URL('../../docs/openapi.json', import.meta.url);
const types = new URL('../src/api/schema.d.ts', import.meta.url);

// Amounts are numbers in JSON. The client hands them on as the text they were sent as, so that no digit is lost.
let found = false;

const api = JSON.parse(readFileSync(description, 'utf8'));
const ast = await openapiTS(api, {
  transform(_, { path }) {
    if (path !== '#/components/schemas/Amount') return undefined;
    found = true;
    return ts.factory.createKeywordTypeNode(ts.SyntaxKind.StringKeyword);
  },
});
if (!found) throw new Error('the description has no schema Amount any more');
// Each code of a problem has an example under its name.
const codes = Object.keys(api.components.examples).map((code) => `'${code}'`);
if (codes.length === 0) throw new Error('the description has no problems any more');
writeFileSync(types, `${astToString(ast)}\nexport type ProblemCode = ${codes.join(' | ')};\n`);
