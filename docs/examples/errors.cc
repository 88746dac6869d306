// What happens with records that can't be processed: docs/errors.md shows this program piece by piece.
#include <atomic>
#include <charconv>
#include <cstdio>
#include <stdexcept>

#include "slipstream/slipstream.h"
using namespace slipstream;
using namespace std::chrono_literals;

int parse(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument("'" + text + "' is no number");
  return number;
}

void skip() {
  App app;
  app.source(from<std::string>({"1", "two", "3"}))
      .map(parse)
      .named("parse")
      .on_error(ErrorPolicy::skip())
      .sink([](int n) { std::printf("skip: %d\n", n); });
  auto run = app.start();
  std::printf("skip: %s\n", (*run)->wait().ok() ? "done" : "failed");
  const Metrics metrics = (*run)->metrics();
  const NodeMetrics& node = *metrics.node("parse");
  std::printf("skip: in %d = forwarded %d + skipped %d\n", static_cast<int>(node.in),
              static_cast<int>(node.forwarded), static_cast<int>(node.skipped));
}

void fail() {
  App app;
  app.source("numbers", from<std::string>({"1", "two", "3"})).map(parse).named("parse").sink([](int) {});
  const absl::Status status = app.run();
  std::printf("fail: %s\n", std::string(status.message()).c_str());
}

void dead_letter() {
  App app;
  app.source("numbers", from<std::string>({"1", "two", "3"}))
      .map(parse)
      .named("parse")
      .on_error(ErrorPolicy::dead_letter())
      .sink([](int n) { std::printf("dead letter: %d\n", n); });
  app.dead_letters().sink([](const DeadLetter& letter) {
    std::printf("dead letter: '%s' from '%s' at %s: %s\n", letter.node.c_str(), letter.source.c_str(),
                to_string(letter.id).c_str(), letter.error.c_str());
  });
  std::printf("dead letter: %s\n", app.run().ok() ? "done" : "failed");
}

void retry() {
  App app;
  app.source(from<std::string>({"1", "2"}))
      .map([tries = std::make_shared<std::atomic<int>>(0)](const std::string& text) {
        if (++*tries == 1) throw std::runtime_error("the service is busy");
        return parse(text);
      })
      .on_error(ErrorPolicy::retry(3, 10ms, ErrorPolicy::Action::skip))
      .sink([](int n) { std::printf("retry: %d\n", n); });
  std::printf("retry: %s\n", app.run().ok() ? "done" : "failed");
}

int main() {
  skip();
  fail();
  dead_letter();
  retry();
}
