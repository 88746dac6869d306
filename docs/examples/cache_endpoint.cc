// A cache whose updates a web page shows as they are written: docs/recipes.md shows this program piece by
// piece.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <string>
#include <utility>

#include "slipstream/cache.h"
#include "slipstream/handler.h"
#include "slipstream/http.h"
#include "slipstream/http_endpoint.h"
#include "slipstream/json.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
using namespace slipstream;

const char kPage[] = R"html(<!doctype html>
<meta charset="utf-8"><title>Emoji</title>
<table id="counts"></table>
<script>
  const table = document.getElementById("counts"), cells = new Map();
  const source = new EventSource("events" + location.search);
  source.addEventListener("snapshot", () => { table.replaceChildren(); cells.clear(); });
  source.addEventListener("counts", event => {
    const {key, value} = JSON.parse(event.data);
    if (value === undefined) {  // it was removed
      cells.get(key)?.parentNode.remove();
      cells.delete(key);
      return;
    }
    if (!cells.has(key)) {
      const row = table.insertRow();
      row.insertCell().textContent = key;
      cells.set(key, row.insertCell());
    }
    cells.get(key).textContent = value;
  });
</script>
)html";

void serve(App& app, const http::Endpoint& endpoint, const Proxy<std::string>& emojis) {
  using Update = CacheUpdate<std::string, std::int64_t>;
  auto counts = app.cache<std::string, std::int64_t>("counts");
  app.on(emojis)
      .handle([counts](const std::string& emoji) {
        return std::pair(emoji, counts.get(emoji).value().value_or(0) + 1);
      })
      .to(counts);
  // Browsers want what is so now: of each key only the newest update waits for them.
  app.on(counts.updates({.when_slow = WhenSlow::latest}))
      .handle([](const Update& update) { return update; })
      .to(endpoint.events<Update>("counts", json<Update>(),
                                  [](const Update& update, std::string& key) { key = update.key; }));
}

int main() {
  std::string folder = std::filesystem::temp_directory_path() / "slipstream_page_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  App app;
  app.set("state.dir", folder);
  const auto emojis = app.proxy<std::string>("emojis");
  const http::Endpoint endpoint({.page = kPage});
  serve(app, endpoint, emojis);

  const auto run = app.start();
  if (!run.ok()) return 1;
  // Stands in for a browser at endpoint.url(): another program that reads the events, until it has seen
  // these.
  std::set<std::string> awaited = {R"({"key":"🏆","value":1})", R"({"key":"🐟","value":2})"};
  std::promise<void> connected, counted;
  auto watching = std::async(std::launch::async, [&] {
    App browser;
    browser.source(http::events(endpoint.url("/events"), {.reconnect = false}))
        .sink([&](const http::Event& e) {
          if (e.event == "snapshot") connected.set_value();
          if (awaited.erase(e.data) == 0) return;
          std::printf("%s %s\n", e.event.c_str(), e.data.c_str());
          if (awaited.empty()) counted.set_value();
        });
    return browser.run();
  });
  connected.get_future().wait();
  for (const char* emoji : {"🐟", "🏆", "🐟"}) emojis.publish(emoji);
  counted.get_future().wait();
  (*run)->stop();  // nothing else ends it: anybody may write to the cache
  const bool is_fine = (*run)->wait().ok() && watching.get().ok();
  std::filesystem::remove_all(folder);
  return is_fine ? 0 : 1;
}
