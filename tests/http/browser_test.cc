#include "http/browser.h"

#include <gmock/gmock.h>

#include <functional>

#include "conformance/sink_conformance.h"
#include "http/client.h"
#include "slipstream/http_endpoint.h"

namespace slipstream::http {
namespace {

using conformance::SinkHost;
using namespace std::chrono_literals;

/// Shows the latest of each key, and keeps what it was told beside it.
constexpr char kPage[] =
    R"html(<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,">
<p id="counts"></p>
<script>
  const counts = new Map(), told = [];
  const show = () => document.getElementById("counts").textContent =
      [...counts].sort().map(([key, n]) => key + " " + n).join(", ");
  const source = new EventSource("events" + location.search);
  source.addEventListener("snapshot", e => { told.push(e.type); counts.clear(); show(); });
  source.addEventListener("n", e => { const [key, n] = e.data.split("="); counts.set(key, n); show(); });
  source.addEventListener("n deleted", e => { told.push(e.type); counts.delete(e.data); show(); });
</script>)html";

/// Lives at the same address, with the same token, from run to run.
class HttpEndpointInABrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Browser::program().empty()) GTEST_SKIP() << "there is no chromium on this machine";
    serve();
    const std::string url = endpoint_->url();
    options_.port = std::stoi(url.substr(url.find(':', 7) + 1));
    browser_ = std::make_unique<Browser>();
  }
  void TearDown() override {
    browser_.reset();
    end();
  }
  void serve() {
    endpoint_ = std::make_unique<Endpoint>(options_);
    sink_ = endpoint_->raw_events("n");
    ASSERT_EQ(sink_->open(host_.env()), absl::OkStatus());
  }
  void end() {
    if (sink_ == nullptr) return;
    EXPECT_EQ(sink_->close(), absl::OkStatus());
    sink_.reset();
  }
  void write(const std::string& key, std::optional<int> n) {
    OutRecord record;
    record.key = key;
    const std::string value = key + "=" + std::to_string(n.value_or(0));
    if (n) record.value = value;
    ASSERT_EQ(*sink_->write({&record, 1}), 1u);
  }

  EndpointOptions options_ = {.page = kPage, .token = "a-token-for-tests", .retry = 50ms};
  SinkHost host_;
  std::unique_ptr<Endpoint> endpoint_;
  std::shared_ptr<RawSink> sink_;
  std::unique_ptr<Browser> browser_;
};

constexpr char kCounts[] = "document.getElementById('counts').textContent";
constexpr char kTold[] = "told.join()";

TEST_F(HttpEndpointInABrowser, ShowsTheSameOnEveryPage) {
  write("a", 1);
  write("b", 1);
  std::vector<Browser::Page> pages;
  for (int i = 0; i < 3; ++i) pages.push_back(browser_->open(endpoint_->url()));
  Client other(endpoint_->url("/events"));
  other.ask();
  ASSERT_EQ(other.status(), 200);
  for (const auto& page : pages) EXPECT_TRUE(page.becomes(kCounts, "a 1, b 1"));
  for (int n = 2; n <= 1000; ++n) write("a", n);
  write("b", std::nullopt);
  for (const auto& page : pages) {
    EXPECT_TRUE(page.becomes(kCounts, "a 1000"));
    EXPECT_EQ(page.evaluate(kTold), "snapshot,n deleted");
  }
  EXPECT_EQ(other.data_up_to("b").size(), 1003u);
  EXPECT_EQ(endpoint_->stats().clients, 4u);
}

TEST_F(HttpEndpointInABrowser, ComesBackByItselfToAnotherRun) {
  write("a", 1);
  const Browser::Page page = browser_->open(endpoint_->url());
  EXPECT_TRUE(page.becomes(kCounts, "a 1"));
  end();
  EXPECT_TRUE(page.becomes("String(source.readyState)", "0"));  // connecting
  serve();
  write("b", 2);
  EXPECT_TRUE(page.becomes(kCounts, "b 2"));
  EXPECT_EQ(page.evaluate(kTold), "snapshot,snapshot") << "the events of the run before mean nothing here";
}

TEST_F(HttpEndpointInABrowser, KeepsStrangersOut) {
  const auto fetched = [](const std::string& url) {
    return "fetch('" + url + "').then(r => String(r.status), e => e.name)";
  };
  // A page of another origin, which even knows the token.
  const Browser::Page blank = browser_->open("about:blank");
  EXPECT_EQ(blank.evaluate(fetched(endpoint_->url("/events"))), "TypeError");
  // A name of a stranger's that points to this machine: its pages would be of one origin with the endpoint.
  std::string url = endpoint_->url();
  url.replace(url.find("127.0.0.1"), 9, "evil.test");
  const Browser::Page evil = browser_->open(url);
  EXPECT_TRUE(evil.becomes("document.body ? document.body.textContent : ''",
                           "this Host is not served here; ask for an address of the endpoint, or name it in "
                           "'hosts'\n"));
  EXPECT_EQ(evil.evaluate(fetched("/events?token=a-token-for-tests")), "403");
  // The endpoint's own page may read its events, and nothing else.
  const Browser::Page own = browser_->open(endpoint_->url());
  EXPECT_TRUE(own.becomes(kTold, "snapshot"));
  EXPECT_EQ(own.evaluate(fetched("/nothing?token=a-token-for-tests")), "404");
  EXPECT_EQ(own.evaluate(fetched("/?token=another-token")), "401");
  EXPECT_EQ(own.evaluate(fetched("http://localhost:" + std::to_string(options_.port) + "/")), "TypeError");
  EXPECT_EQ(endpoint_->stats().accepted, 1u);
}

}  // namespace
}  // namespace slipstream::http
