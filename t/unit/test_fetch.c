/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fetch.c: rr_fetch against a server that says what the case has it say.
 *
 * TLS is tested where certificates can be made (t/jwt/keyserver.t).
 */
#include "rr_fetch.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    int listener, port;
    char answer[8192]; /* sent to whoever asks */
    size_t len;
    int stay;          /* then keep the connection open until the client leaves */
    char got[4096];    /* the last request */
} server;

static void serve_one(int fd)
{
    char rest[256];
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(server.got) - 1 && (n = read(fd, server.got + len, sizeof(server.got) - 1 - len)) > 0) {
        len += (size_t)n;
        server.got[len] = '\0';
        if (strstr(server.got, "\r\n\r\n") && (strncmp(server.got, "POST", 4) != 0 || strstr(server.got, "grant=x"))) {
            break;
        }
    }
    if (write(fd, server.answer, server.len) < 0) {
        perror("write");
    }
    while (server.stay && read(fd, rest, sizeof(rest)) > 0) {
    }
    close(fd);
}

static void *serve(void *unused)
{
    int fd;

    (void)unused;
    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        serve_one(fd);
    }
    return NULL;
}

static void start_server(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    pthread_t thread;

    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&at, sizeof(at)) || listen(server.listener, 8)
        || getsockname(server.listener, (struct sockaddr *)&at, &len)
        || pthread_create(&thread, NULL, serve, NULL)) {
        perror("server");
        exit(1);
    }
    pthread_detach(thread);
    server.port = ntohs(at.sin_port);
}

#define OK200 "HTTP/1.1 200 OK\r\nConnection: close\r\n"

static const struct {
    const char *name, *answer;
    apr_status_t rv;
    int status;
    const char *body;
    int max_age; /* seconds; -1: not said */
    const char *says; /* part of err->text */
} answers[] = {
    { "an answer", OK200 "\r\nhello", APR_SUCCESS, 200, "hello", -1, NULL },
    { "an empty one", OK200 "Content-Length: 0\r\n\r\n", APR_SUCCESS, 200, "", -1, NULL },
    { "chunks", OK200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", APR_SUCCESS, 200, "hello", -1,
      NULL },
    { "not found is an answer", "HTTP/1.1 404 No\r\nConnection: close\r\n\r\nno", APR_SUCCESS, 404, "no", -1, NULL },
    { "max-age", OK200 "Cache-Control: public, max-age=600\r\n\r\n", APR_SUCCESS, 200, "", 600, NULL },
    { "max-age in quotes and capitals", OK200 "CACHE-CONTROL: Max-Age=\"600\"\r\n\r\n", APR_SUCCESS, 200, "", 600, NULL },
    { "max-age less Age", OK200 "Cache-Control: max-age=600\r\nAge: 100\r\n\r\n", APR_SUCCESS, 200, "", 500, NULL },
    { "Age past max-age", OK200 "Age: 700\r\nCache-Control: max-age=600\r\n\r\n", APR_SUCCESS, 200, "", 0, NULL },
    { "two max-age: the shorter", OK200 "Cache-Control: max-age=60\r\nCache-Control: max-age=600\r\n\r\n", APR_SUCCESS, 200,
      "", 60, NULL },
    { "no-store", OK200 "Cache-Control: max-age=600, no-store\r\n\r\n", APR_SUCCESS, 200, "", 0, NULL },
    { "s-maxage is not max-age", OK200 "Cache-Control: s-maxage=9\r\n\r\n", APR_SUCCESS, 200, "", -1, NULL },
    { "max-age of no number", OK200 "Cache-Control: max-age=soon\r\n\r\n", APR_SUCCESS, 200, "", -1, NULL },
    { "max-age past every number", OK200 "Cache-Control: max-age=99999999999999999999999\r\n\r\n", APR_SUCCESS, 200, "",
      365 * 24 * 3600, NULL },
    { "headers of an interim answer do not count", "HTTP/1.1 103 Hints\r\nCache-Control: max-age=5\r\n\r\n" OK200 "\r\n",
      APR_SUCCESS, 200, "", -1, NULL },
    { "a redirect", "HTTP/1.1 302 Found\r\nLocation: /other\r\nConnection: close\r\n\r\n", RR_EUNAVAIL, 0, NULL, -1,
      "redirect" },
    { "nothing at all", "", RR_EUNAVAIL, 0, NULL, -1, NULL },
    { "a body that is cut off", OK200 "Content-Length: 10\r\n\r\nhello", RR_EUNAVAIL, 0, NULL, -1, NULL },
    { "no HTTP", "SSH-2.0-x\r\n\r\n", RR_EUNAVAIL, 0, NULL, -1, NULL },
    { "as long as allowed", OK200 "\r\n0123456789abcdef", APR_SUCCESS, 200, "0123456789abcdef", -1, NULL },
    { "a byte too long", OK200 "\r\n0123456789abcdefg", RR_EUNAVAIL, 0, NULL, -1, "more than 16 bytes" },
    { "a byte too long, announced", OK200 "Content-Length: 17\r\n\r\n0123456789abcdefg", RR_EUNAVAIL, 0, NULL, -1,
      "more than 16 bytes" },
};

static const struct {
    const char *name, *url;
    int fine;
} urls[] = {
    { "https", "https://id.example.com/keys?x=1", 1 },
    { "http to 127.0.0.1", "http://127.0.0.1:80/", 1 },
    { "http to all of 127/8", "http://127.9.9.9/", 1 },
    { "http to ::1", "http://[::1]:80/", 1 },
    { "http to localhost: judged again when connecting", "http://LocalHost/", 1 },
    { "http to another name", "http://id.example.com/", 0 },
    { "http to a name that begins with an address", "http://127.0.0.1.example.com/", 0 },
    { "http to a name that ends with localhost", "http://notlocalhost/", 0 },
    { "http to another address", "http://192.0.2.1/", 0 },
    { "http to another IPv6 address", "http://[2001:db8::1]/", 0 },
    { "http to a mapped address", "http://[::ffff:192.0.2.1]/", 0 },
    { "http to a mapped loopback", "http://[::ffff:127.0.0.1]/", 1 },
    { "http to 0.0.0.0", "http://0.0.0.0/", 0 },
    { "ftp", "ftp://127.0.0.1/", 0 },
    { "file", "file:///etc/passwd", 0 },
    { "no scheme", "127.0.0.1/keys", 0 },
    { "relative", "/keys", 0 },
    { "empty", "", 0 },
    { "a user", "https://me@id.example.com/", 0 },
    { "a password", "https://me:pw@id.example.com/", 0 },
    { "a fragment", "https://id.example.com/#x", 0 },
    { "a blank", "https://id.example.com/a b", 0 },
    { "a line feed", "https://id.example.com/a\nb", 0 },
};

static void say(const char *answer, int stay)
{
    server.len = strlen(answer);
    memcpy(server.answer, answer, server.len + 1);
    server.stay = stay;
    server.got[0] = '\0';
}

static void test_answers(apr_pool_t *p, const char *url)
{
    rr_fetch_request_t request = { .url = url, .max_bytes = 16 };
    size_t i;

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        rr_fetch_response_t response;
        rr_err_t err = RR_ERR_INIT;
        apr_status_t rv;
        int right;

        say(answers[i].answer, 0);
        rv = rr_fetch(&response, &request, p, &err);
        right = rv == answers[i].rv && response.status == answers[i].status
                && (rv != APR_SUCCESS
                    || (strcmp(response.body, answers[i].body) == 0 && response.len == strlen(answers[i].body)
                        && (answers[i].max_age < 0 ? response.max_age == -1
                                                   : response.max_age == apr_time_from_sec(answers[i].max_age))))
                && (!answers[i].says || strstr(err.text, answers[i].says));
        if (!ok(right, "%s", answers[i].name)) {
            note("rv %d, status %d, body \"%s\", max-age %ld, %s", rv, response.status,
                 response.body ? response.body : "(none)", (long)apr_time_sec(response.max_age), err.text);
        }
    }
}

static void test_requests(apr_pool_t *p, const char *url)
{
    rr_fetch_request_t get = { .url = url }, post = { .url = url, .body = "grant=x", .basic_user = "me", .basic_password = "pw" };
    rr_fetch_response_t response;
    rr_err_t err = RR_ERR_INIT;

    say(OK200 "\r\n", 0);
    ok(rr_fetch(&response, &get, p, &err) == APR_SUCCESS && strncmp(server.got, "GET /keys?secret=1 HTTP/1.1\r\n", 29) == 0
           && strstr(server.got, "Accept: application/json\r\n") && !strstr(server.got, "Authorization"),
       "what a GET says");
    say(OK200 "\r\n", 0);
    ok(rr_fetch(&response, &post, p, &err) == APR_SUCCESS && strncmp(server.got, "POST ", 5) == 0
           && strstr(server.got, "Authorization: Basic bWU6cHc=\r\n") && !strstr(server.got, "Expect:")
           && strstr(server.got, "application/x-www-form-urlencoded") && strstr(server.got, "\r\n\r\ngrant=x"),
       "what a POST says");
}

static void test_limits(apr_pool_t *p, const char *url)
{
    rr_fetch_request_t request = { .url = url, .timeout = apr_time_from_msec(300) };
    rr_fetch_response_t response;
    rr_err_t err = RR_ERR_INIT;
    apr_time_t start = apr_time_now();

    say(OK200 "Content-Length: 10\r\n\r\nhalf", 1);
    ok(rr_fetch(&response, &request, p, &err) == RR_EUNAVAIL && apr_time_now() - start < apr_time_from_sec(3),
       "an answer that does not end is given up in time");
    ok(strstr(err.text, "in time") && !strstr(err.text, "secret") && !strstr(err.text, "half"),
       "and the error has neither query nor body");

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    say(OK200 "\r\nhello", 0);
    err = (rr_err_t)RR_ERR_INIT;
    request.timeout = 0;
    ok(rr_fetch(&response, &request, p, &err) == APR_SUCCESS && response.len == 5, "a proxy of the environment is not used");

    request.url = "http://127.0.0.1:1/";
    ok(rr_fetch(&response, &request, p, &err) == RR_EUNAVAIL, "nobody listens");
}

/* The machine's own name, where it has an address that is not loopback, stands for any other host. */
static void test_resolution(apr_pool_t *p)
{
    rr_fetch_request_t request = { .timeout = apr_time_from_sec(2) };
    rr_fetch_response_t response;
    rr_err_t err = RR_ERR_INIT;
    struct addrinfo *list = NULL, hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    char name[256] = "";
    int foreign;

    gethostname(name, sizeof(name) - 1);
    foreign = getaddrinfo(name, NULL, &hints, &list) == 0
              && ntohl(((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr.s_addr) >> 24 != 127;
    request.url = apr_psprintf(p, "http://%s:%d/", name, server.port);
    say(OK200 "\r\nhello", 0);
    if (foreign) {
        ok(rr_fetch(&response, &request, p, &err) == RR_EUNAVAIL && strstr(err.text, "loopback"),
           "clear http to a name of another address is refused when connecting");
    }
    else {
        note("%s has no address but loopback: refusal after resolution is not tested here", name);
    }
    if (list) {
        freeaddrinfo(list);
    }
    err = (rr_err_t)RR_ERR_INIT;
    request.url = apr_psprintf(p, "http://localhost:%d/", server.port);
    ok(rr_fetch(&response, &request, p, &err) == APR_SUCCESS && response.len == 5, "and to localhost it is fine");
}

int main(void)
{
    apr_pool_t *p;
    rr_err_t err = RR_ERR_INIT;
    const char *url;
    size_t i;

    apr_initialize();
    apr_pool_create(&p, NULL);
    unsetenv("no_proxy");
    ok(rr_fetch_init(p, &err) == APR_SUCCESS, "starts");
    start_server();
    url = apr_psprintf(p, "http://127.0.0.1:%d/keys?secret=1", server.port);

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        rr_err_t why = RR_ERR_INIT;

        ok((rr_fetch_check_url(urls[i].url, &why) == APR_SUCCESS) == urls[i].fine, "URL: %s", urls[i].name);
    }
    test_answers(p, url);
    test_requests(p, url);
    test_limits(p, url);
    test_resolution(p);
    ok(rr_fetch_check_ca_file("/nonexistent", &err) == RR_EINVAL, "no authorities without a file");
    apr_pool_destroy(p);
    return tap_end();
}
