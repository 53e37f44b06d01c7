-- SPDX-License-Identifier: Apache-2.0
--
-- bearer.lua: bearer tokens for nginx with Lua, as fast as we know to write it: the key imported once, libcrypto called
-- through the FFI, verified tokens remembered by lua-resty-lrucache until they expire, 20,000 at most.

local ffi = require 'ffi'
local json = require 'cjson.safe'
local base64 = require 'ngx.base64'
local lrucache = require 'resty.lrucache'

ffi.cdef [[
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
typedef struct bio_st BIO;
BIO *BIO_new_mem_buf(const void *buf, int len);
int BIO_free(BIO *bio);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bio, EVP_PKEY **x, void *cb, void *u);
EVP_MD *EVP_MD_fetch(void *ctx, const char *algorithm, const char *properties);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const char *sig, size_t siglen, const char *tbs, size_t tbslen);
]]
local crypto = ffi.load('crypto.so.3')

local bearer = {}
local key, md, alg, issuer, audience, cache

function bearer.setup(given)
    local file = assert(io.open(given.pem))
    local pem = file:read('*a')
    file:close()
    local bio = crypto.BIO_new_mem_buf(pem, #pem)
    key = crypto.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
    crypto.BIO_free(bio)
    assert(key ~= nil, 'the key cannot be read')
    md = given.alg ~= 'EdDSA' and crypto.EVP_MD_fetch(nil, 'SHA256', nil) or nil
    alg, issuer, audience = given.alg, given.issuer, given.audience
    cache = given.cache and assert(lrucache.new(20000))
end

-- r || s as DER (ES256)
local function integer(bytes)
    bytes = bytes:gsub('^%z+', '')
    if bytes == '' or bytes:byte() >= 128 then bytes = '\0' .. bytes end
    return '\2' .. string.char(#bytes) .. bytes
end

local function der(raw)
    if #raw ~= 64 then return nil end
    local body = integer(raw:sub(1, 32)) .. integer(raw:sub(33))
    return '\48' .. string.char(#body) .. body
end

local function signed(input, signature)
    local ctx = crypto.EVP_MD_CTX_new()
    local good = crypto.EVP_DigestVerifyInit(ctx, nil, md, nil, key) == 1
        and crypto.EVP_DigestVerify(ctx, signature, #signature, input, #input) == 1
    crypto.EVP_MD_CTX_free(ctx)
    return good
end

local function verify(token)
    local head, payload, sig = token:match('^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$')
    if not head then return nil end
    local header = json.decode(base64.decode_base64url(head) or '')
    local signature = base64.decode_base64url(sig)
    if not header or header.alg ~= alg or not signature then return nil end
    if alg == 'ES256' then signature = der(signature) end
    if not signature or not signed(head .. '.' .. payload, signature) then return nil end
    local claims = json.decode(base64.decode_base64url(payload) or '')
    if not claims or claims.iss ~= issuer or claims.aud ~= audience then return nil end
    return claims
end

function bearer.check()
    local value = ngx.var.http_authorization
    local token = value and value:match('^Bearer (.+)$')
    if not token then return ngx.exit(401) end
    local claims = cache and cache:get(token)
    if not claims then
        claims = verify(token)
        local left = claims and (tonumber(claims.exp) or 0) - ngx.time() or 0
        if left <= 0 then return ngx.exit(401) end
        if cache then cache:set(token, claims, left) end
    end
    ngx.ctx.sub = claims.sub
end

return bearer
