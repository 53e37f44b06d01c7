// SPDX-License-Identifier: Apache-2.0
//
// verify.js TOKEN KEY ALG ISSUER AUDIENCE: verifies a token with npm's jose, which shares no code with the
// gateway; prints { header, claims }. KEY is a PEM of the public key, or the URL of a key set.

import { createRemoteJWKSet, importSPKI, jwtVerify } from 'jose';

const [token, key, algorithm, issuer, audience] = process.argv.slice(2);
const keys = key.startsWith('http') ? createRemoteJWKSet(new URL(key)) : await importSPKI(key, algorithm);
const verified = await jwtVerify(token, keys, { algorithms: [algorithm], issuer, audience });

console.log(JSON.stringify({ header: verified.protectedHeader, claims: verified.payload }));
