// Sources and sinks that need no broker: docs/connectors.md shows this program piece by piece.
#include <unistd.h>
#include <cstdio>

#include <filesystem>
#include <fstream>

#include "slipstream/file.h"
#include "slipstream/slipstream.h"
#include "slipstream/timer.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Reading {
  std::string room;
  double celsius;
  std::optional<int> humidity;
};
SLIPSTREAM_FIELDS(Reading, room, celsius, humidity)

Generator<int> squares(int n) {
  for (int i = 1; i <= n; ++i) co_yield i* i;
}

void in_memory(App& app) {
  app.source(from(std::vector<int>{1, 2, 3})).sink([](int n) { std::printf("from vector: %d\n", n); });
  app.source(from_partitions<int>({{1, 2}, {3}})).sink([](int n, const RecordInfo& info) {
    std::printf("from partitions: %d of partition %d\n", n, static_cast<int>(info.id.partition));
  });
  app.source(from(squares(3))).sink([](int n) { std::printf("from generator: %d\n", n); });
  app.source(generate([n = 0]() mutable { return n < 2 ? std::optional(++n) : std::nullopt; }))
      .sink([](int n) { std::printf("generate: %d\n", n); });
  app.source(timer(5ms, {.count = 1})).sink([](EventTime) { std::printf("timer: a tick\n"); });
}

void files(App& app, const std::string& folder) {
  app.source(file::csv<Reading>(folder + "/readings.csv"))
      .filter([](const Reading& r) { return r.humidity.has_value(); })
      .sink(file::jsonl_sink<Reading>(folder + "/humid.jsonl.gz"));
}

/// A source of bytes: numbers as text, in one partition.
class Countdown final : public RawSource {
 public:
  explicit Countdown(int from) : left_(from) {}
  std::string name() const override { return "countdown"; }
  absl::Status open(const SourceEnv&) override { return absl::OkStatus(); }
  int partition_count() const override { return 1; }
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits, RawCollector& out) override {
    for (std::size_t n = 0; n < limits.max_records && left_ > 0; ++n, --left_) {
      const std::string text = std::to_string(left_);
      RawRecord record;
      record.value = text;
      record.offset = next_offset_++;
      out.add({&record, 1});
    }
    return left_ > 0 ? ReadState::more : ReadState::finished;
  }

 private:
  int left_;
  std::int64_t next_offset_ = 0;
};

/// A sink of bytes that prints them.
class Printer final : public RawSink {
 public:
  std::string name() const override { return "printer"; }
  absl::Status open(const SinkEnv&) override { return absl::OkStatus(); }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    for (const OutRecord& record : records) std::printf("own sink: %s\n", std::string(*record.value).c_str());
    written_ += records.size();
    return records.size();
  }
  absl::StatusOr<std::uint64_t> delivered() override { return written_; }

 private:
  std::uint64_t written_ = 0;
};

void own(App& app) {
  app.source(decoded(std::make_shared<Countdown>(3), text()))
      .sink(encoded(std::make_shared<Printer>(), text()));
}

int main() {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("slipstream-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/readings.csv") << "celsius,room,humidity\n19.5,attic,60\n12,cellar,\n";
  App app;
  in_memory(app);
  files(app, folder);
  own(app);
  int code = app.main();

  App back;
  back.source(file::lines(folder + "/humid.jsonl.gz")).sink([](const std::string& line) {
    std::printf("files: %s\n", line.c_str());
  });
  code = std::max(code, back.main());
  std::filesystem::remove_all(folder);
  return code;
}
