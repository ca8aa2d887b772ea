// SPDX-License-Identifier: Apache-2.0
// The document of the bus is valid AsyncAPI 3, says @asyncapi/parser; and it is no empty one.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
const wrong = diagnostics.filter((one) => one.severity === 0);
for (const one of wrong) console.error(`${one.path.join('.')}: ${one.message}`);
const counts = { messages: document?.messages().length ?? 0, operations: document?.operations().length ?? 0 };
console.log(`${counts.operations} operations, ${counts.messages} messages`);
process.exit(wrong.length > 0 || counts.operations < 60 ? 1 : 0);
