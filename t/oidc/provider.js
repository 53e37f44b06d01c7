// SPDX-License-Identifier: Apache-2.0
//
// provider.js PORT LOG TTL: an OAuth 2.0 authorization server for tests: client credentials, by basic and by
// post. Writes a line to LOG for every request of its token endpoint.

import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [port, log, ttl] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const client = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'read write' };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: 'by basic', client_secret: 'basic-secret: +/%', token_endpoint_auth_method: 'client_secret_basic' },
    { ...client, client_id: 'by-post', client_secret: 'post-secret-0123456789', token_endpoint_auth_method: 'client_secret_post' },
  ],
  scopes: ['read', 'write'],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false }, introspection: { enabled: true } },
  ttl: { ClientCredentials: ttl },
});

const answer = provider.callback();
createServer((request, response) => {
  if (request.url === '/token') {
    response.on('finish', () => appendFileSync(log, `${response.statusCode}\n`));
  }
  answer(request, response);
}).listen(port, '127.0.0.1');
