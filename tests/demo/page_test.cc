#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "slipstream/json.h"
#include "tests/cli/process.h"
#include "tests/demo/demo_runs.h"

#ifdef SLIPSTREAM_HTTP
#include "docs/examples/flights/live.h"
#include "tests/http/browser.h"
#include "tests/http/client.h"

namespace flights {
namespace {

using slipstream::http::Browser;
using slipstream::http::Client;
using slipstream::testing::Process;

/// The address it says; empty: it has ended without.
std::string page_of(Process& demo) {
  if (!demo.out().wait_for("On a page at ") || !demo.out().wait_for("?token=")) return {};
  if (!demo.out().wait_for("\n\n   ")) return {};  // the line is complete
  const std::string text = demo.out().so_far();
  const std::size_t begin = text.find("http://");
  return text.substr(begin, text.find('\n', begin) - begin);
}

template <class T>
T decoded(const std::string& data) {
  T value;
  EXPECT_EQ(slipstream::json<T>().make_decoder()(data, value), absl::OkStatus()) << data;
  return value;
}

TEST(FlightsPage, IsToldOfEveryCount) {
  Process demo(slipstream::testing::tool({"demo", "--serve", "0", "--rate", "3s"}));
  std::string url = page_of(demo);
  ASSERT_NE(url, "");
  url.replace(url.find("/?"), 1, "/events");
  Client client(url);
  client.ask();
  ASSERT_EQ(client.status(), 200);
  std::map<std::string, Tally> carriers, days;
  News news;
  int times = 0;
  while (const auto e = client.event()) {
    if (e->event == "news") news = decoded<News>(e->data), ++times;
    if (e->event != "carrier" && e->event != "day") continue;
    const auto row = decoded<slipstream::Keyed<std::string, Tally>>(e->data);
    (e->event == "day" ? days : carriers)[row.key] = row.value;
  }
  EXPECT_EQ(demo.wait(), 0) << demo.err().all();
  EXPECT_TRUE(client.has_ended());
  EXPECT_GT(times, 5) << "it moves";
  EXPECT_TRUE(news.has_ended);
  EXPECT_EQ(news.joined, kFlights);
  EXPECT_EQ(news.flights.watermark, "the end");
  EXPECT_EQ(carriers.size(), 16u);
  EXPECT_EQ(days.size(), 366u) << "by UTC; the year's last evening is in the next";
  for (const auto* tallies : {&carriers, &days}) {
    std::int64_t flights = 0;
    for (const auto& [key, tally] : *tallies) flights += tally.flights;
    EXPECT_EQ(flights, kFlights);
  }
}

TEST(FlightsPage, MovesInSeveralPagesOfABrowser) {
  if (Browser::program().empty()) GTEST_SKIP() << "there is no chromium on this machine";
  Browser browser;  // before the demo, which is to last until the pages are open
  ASSERT_TRUE(browser.open("about:blank").becomes("'it runs'", "it runs"));
  Process demo(slipstream::testing::tool({"demo", "--serve", "0", "--rate", "10s"}));
  const std::string url = page_of(demo);
  ASSERT_NE(url, "");
  std::vector<Browser::Page> pages;
  for (int i = 0; i < 3; ++i) pages.push_back(browser.open(url));
  for (const auto& page : pages) {
    EXPECT_TRUE(page.becomes(
        "String(Number(document.getElementById('flights').textContent.replaceAll(',', '')) > 0)", "true"));
    EXPECT_NE(page.evaluate("document.getElementById('flights').textContent"), "336,776") << "not yet";
  }
  for (const auto& page : pages) {
    EXPECT_TRUE(page.becomes("document.getElementById('flights').textContent", "336,776"));
    EXPECT_TRUE(page.becomes("document.getElementById('joined').textContent", "336,776"));
    EXPECT_TRUE(page.becomes("String(document.getElementById('carriers').rows.length)", "16"));
    EXPECT_THAT(page.evaluate("document.getElementById('state').textContent"),
                testing::EndsWith(" s, the end"));
  }
  EXPECT_EQ(demo.wait(), 0) << demo.err().all();
}

TEST(FlightsPage, MistakesAreSaidAtOnce) {
  const auto mistake = [](const std::string& port) {
    return slipstream::testing::run_tool({"demo", "--serve", port});
  };
  for (const std::string wrong : {"x", "-1", "65536", "80x"}) {
    const auto ended = mistake(wrong);
    EXPECT_EQ(ended.code, 2);
    EXPECT_EQ(ended.err, "slipstream demo: --serve expects a port from 0 to 65535, found '" + wrong + "'\n");
  }
  Process demo(slipstream::testing::tool({"demo", "--serve", "0", "--rate", "1h"}));
  const std::string url = page_of(demo);
  ASSERT_NE(url, "");
  const std::string port = url.substr(17, url.find('/', 17) - 17);
  const auto ended = mistake(port);
  EXPECT_NE(ended.code, 0);
  EXPECT_THAT(ended.err, testing::HasSubstr("port " + port + " of 127.0.0.1 is in use by another program"));
}

}  // namespace
}  // namespace flights
#endif
