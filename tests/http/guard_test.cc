#include "connectors/http_endpoint/guard.h"

#include <gmock/gmock.h>

#include "connectors/http_endpoint/request.h"

namespace slipstream::http::endpoint {
namespace {

TEST(Guard, ComparesTokensWhole) {
  EXPECT_TRUE(is_same_token("0123456789abcdef", "0123456789abcdef"));
  for (const char* wrong : {"", "0", "0123456789abcde", "0123456789abcdeg", "1123456789abcdef",
                            "0123456789abcdef0", "0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(is_same_token(wrong, "0123456789abcdef")) << wrong;
  }
  EXPECT_FALSE(is_same_token("", "")) << "no token opens nothing";
}

TEST(Guard, MakesDifferentTokens) {
  const auto one = random_text(16);
  ASSERT_EQ(one.status(), absl::OkStatus());
  EXPECT_EQ(one->size(), 32u);
  EXPECT_TRUE(is_good_token(*one));
  EXPECT_NE(*one, *random_text(16));
}

TEST(Guard, FindsTheNameInAHost) {
  struct {
    const char* host;
    const char* name;
  } const cases[] = {
      {"localhost", "localhost"},
      {"LocalHost:80", "localhost"},
      {"127.0.0.1:8080", "127.0.0.1"},
      {"[::1]", "::1"},
      {"[::1]:65535", "::1"},
      {"board.example.org", "board.example.org"},
      {"", ""},
      {":80", ""},
      {"localhost:", ""},
      {"localhost:80x", ""},
      {"localhost:123456", ""},
      {"local host", ""},
      {"user@localhost", ""},
      {"localhost/", ""},
      {"[::1", ""},
      {"[::1]x", ""},
      {"[localhost/]", ""},
      {"a,b", ""},
      {"localhost\xc3\xa4", ""},
      {"::1", ""},
      {"[]", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(host_name(c.host), c.name) << c.host;
}

TEST(Guard, KnowsOrigins) {
  for (const char* good : {"https://a.example", "http://localhost:8080", "https://[::1]:1"})
    EXPECT_TRUE(is_origin(good)) << good;
  for (const char* bad : {"", "null", "a.example", "ftp://a.example", "https://", "https://a.example/", "*"})
    EXPECT_FALSE(is_origin(bad)) << bad;
}

constexpr std::string_view kToken = "0123456789abcdef";

Request request() { return {"GET", "/events", {"localhost:1"}, {}, {std::string(kToken)}}; }

TEST(Guard, LetsInWhoShowsTheToken) {
  const EndpointOptions options{.page = "hello"};
  EXPECT_EQ(judge(request(), options, kToken).resource, Resource::events);
  Request page = request();
  page.path = "/";
  EXPECT_EQ(judge(page, options, kToken).resource, Resource::page);
  EXPECT_EQ(judge(page, {}, kToken).status, 404u) << "there is no page";
  Request head = request();
  head.method = "HEAD";
  EXPECT_EQ(judge(head, options, kToken).status, 200u);
  for (std::vector<std::string> tokens : {std::vector<std::string>{}, {""}, {"0123456789abcdeF"}}) {
    Request r = request();
    r.tokens = tokens;
    EXPECT_EQ(judge(r, options, kToken).status, 401u);
    EXPECT_EQ(judge(r, {.require_token = false}, "").status, 200u);
  }
}

TEST(Guard, SaysWhatIsWrongWithARequest) {
  const auto status = [](auto change, const EndpointOptions& options = {}) {
    Request r = request();
    change(r);
    return judge(r, options, kToken).status;
  };
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""})
    EXPECT_EQ(status([&](Request& r) { r.method = method; }), 405u) << method;
  for (const char* path : {"", "/", "/events/", "/EVENTS", "/../etc/passwd", "//events"})
    EXPECT_EQ(status([&](Request& r) { r.path = path; }), 404u) << path;
  EXPECT_EQ(status([](Request& r) { r.hosts.clear(); }), 400u);
  EXPECT_EQ(status([](Request& r) { r.hosts.push_back("localhost"); }), 400u);
  EXPECT_EQ(status([](Request& r) { r.origins = {"http://localhost:1", "http://localhost:1"}; }), 400u);
  for (const char* host :
       {"evil.example", "localhost.evil.example", "192.168.0.1", "0.0.0.0", "", "[fe80::1]"})
    EXPECT_EQ(status([&](Request& r) { r.hosts = {host}; }), 403u) << host;
  for (const char* origin : {"null", "http://evil.example", "http://localhost", "http://localhost:2", ""})
    EXPECT_EQ(status([&](Request& r) { r.origins = {origin}; }), 403u) << origin;
}

TEST(Guard, AnswersOwnHostsAndAllowedOrigins) {
  const auto verdict = [](const char* host, const char* origin, const EndpointOptions& options) {
    Request r = request();
    r.hosts = {host};
    if (*origin != '\0') r.origins = {origin};
    return judge(r, options, kToken);
  };
  for (const char* host : {"localhost", "127.0.0.1:5", "127.1.2.3", "[::1]:5", "LOCALHOST:80"})
    EXPECT_EQ(verdict(host, "", {}).status, 200u) << host;
  EXPECT_EQ(verdict("192.168.0.1:80", "", {.allow_remote = true}).status, 200u);
  EXPECT_EQ(verdict("board.example", "", {.allow_remote = true}).status, 403u);
  EXPECT_EQ(verdict("Board.example:80", "", {.hosts = {"board.Example"}}).status, 200u);
  const Verdict own = verdict("localhost:80", "http://LOCALHOST:80", {});
  EXPECT_EQ(own.status, 200u);
  EXPECT_EQ(own.shared_with, "");
  EXPECT_EQ(verdict("localhost", "https://localhost", {}).status, 200u) << "behind a proxy with TLS";
  const Verdict shared = verdict("localhost", "https://a.example", {.origins = {"https://a.example"}});
  EXPECT_EQ(shared.status, 200u);
  EXPECT_EQ(shared.shared_with, "https://a.example");
  EXPECT_EQ(verdict("localhost", "http://a.example", {.origins = {"https://a.example"}}).status, 403u);
}

TEST(Guard, ReadsBearerTokens) {
  EXPECT_EQ(bearer_token("Bearer abc"), "abc");
  EXPECT_EQ(bearer_token("bEARER   abc"), "abc");
  for (const char* other : {"", "Bearer", "Bearer ", "Basic abc", "abc"}) EXPECT_EQ(bearer_token(other), "");
}

}  // namespace
}  // namespace slipstream::http::endpoint
