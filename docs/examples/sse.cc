// Server-sent events as a source: docs/connectors.md shows this program piece by piece.
#include <cstdio>

#include "slipstream/handler.h"
#include "slipstream/http.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"
#include "tests/http/server.h"
using namespace slipstream;

struct Change {
  std::string title;
  std::string user;
  bool bot = false;
};
SLIPSTREAM_FIELDS(Change, title, user, bot)

int main() {
  // Stands in for https://stream.wikimedia.org/v2/stream/recentchange. It breaks off after the second event,
  // goes on behind it when it is asked again, and then says that there is nothing more.
  http::Server server([](std::size_t request, http::Peer& peer) {
    const std::string answers[] = {
        std::string(http::kStream) +
            ": a comment\n\nretry: 10\n\n"
            "id: 1\ndata: {\"title\":\"Delft\",\"user\":\"ann\",\"bot\":false,\"wiki\":\"nl\"}\n\n"
            "id: 2\ndata: {\"title\":\"Rijn\",\"user\":\"sorter\",\"bot\":true}\n\n",
        std::string(http::kStream) +
            "id: 3\ndata: {\"title\":\"Tea\",\ndata: \"user\":\"bob\",\"bot\":false}\n\n",
        "HTTP/1.1 204 No Content\r\n\r\n"};
    peer.send(answers[request]);
  });
  const std::string url = server.url("/v2/stream/recentchange");

  App app;
  app.on(http::events(url, json<Change>()))
      .handle([](const Change& c) {
        return c.bot ? std::nullopt : std::optional(c.user + " changed " + c.title);
      })
      .to([](const std::string& s) { std::printf("%s\n", s.c_str()); });
  return app.main();
}
