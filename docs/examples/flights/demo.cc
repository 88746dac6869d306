#include "docs/examples/flights/demo.h"

#include <memory>
#include <utility>

#include "docs/examples/flights/display.h"
#include "docs/examples/flights/live.h"
#include "docs/examples/flights/report.h"
#include "docs/examples/flights/text.h"
#include "slipstream/json.h"

namespace flights {
namespace {

namespace kafka = slipstream::kafka;
using std::chrono::steady_clock;

absl::StatusOr<std::unique_ptr<Topics>> make_topics(const DemoOptions& options,
                                                    const slipstream::LogHook& log) {
  if (options.bootstrap.empty()) return Topics::embedded();
  kafka::ClientOptions client;
  client.brokers = options.bootstrap;
  client.connect_timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.runtime.kafka.connect_timeout);
  client.settings = options.runtime.kafka.settings;
  client.log = log;
  return Topics::on_broker(client, options.keep_topics);
}

/// A source that ends in each partition where the feed will end.
template <class T>
slipstream::Source<T> source(const kafka::ClientOptions& client, const std::string& topic,
                             const Feed<T>& feed) {
  kafka::SourceOptions options;
  options.brokers = client.brokers;
  options.connect_timeout = client.connect_timeout;
  options.settings = client.settings;
  options.settings.try_emplace("fetch.wait.max.ms", "10");  // an embedded broker always waits that long
  for (std::size_t p = 0; p < feed.per_partition.size(); ++p) {
    options.until_offsets[static_cast<int>(p)] = feed.per_partition[p];
  }
  return kafka::source(topic, slipstream::json<T>(), std::move(options));
}

slipstream::Duration scaled(slipstream::Duration duration, double factor) {
  return slipstream::Duration(static_cast<std::int64_t>(static_cast<double>(duration.count()) * factor));
}

/// One run of the demo: what lives as long as it does.
class Demo {
 public:
  Demo(const DemoOptions& options, Data data, std::FILE* out)
      : options_(options),
        data_(std::move(data)),
        flights_(make_feed(data_.flights, disorder_.flights, options.seed, kFlightPartitions)),
        weather_(make_feed(data_.weather, disorder_.weather, options.seed, kWeatherPartitions)),
        out_(out),
        display_(out) {}

  absl::Status run();

 private:
  void compute();
  absl::Status play();
  absl::Status check_topics() const;
  Progress look() const;
  Progress look_and_show();
  absl::Status stopped_early() const;
  absl::Status finish(steady_clock::duration took);
  std::string summary(steady_clock::duration took) const;

  const DemoOptions& options_;
  const Data data_;
  const Disorder disorder_;
  const Feed<Flight> flights_;
  const Feed<Weather> weather_;
  std::FILE* const out_;
  Display display_;
  std::unique_ptr<Topics> topics_;
  Results results_;
  slipstream::App app_;
  // Where a page is wanted.
  std::function<void(const Progress&)> show_on_page_;
  std::function<std::string()> page_url_;
  std::unique_ptr<slipstream::Run> run_;
  std::unique_ptr<Producer> producer_;
  steady_clock::time_point start_;
};

absl::Status Demo::run() {
  const slipstream::LogHook log = [this](slipstream::LogLevel level, std::string_view component,
                                         std::string_view message) {
    if (level < options_.runtime.log_level) return;
    if (component == "http endpoint" && level == slipstream::LogLevel::info) return;  // play() says it
    display_.say(std::string(to_string(level)) + " " + std::string(component) + ": " + std::string(message));
  };
  auto topics = make_topics(options_, log);
  if (!topics.ok()) return topics.status();
  topics_ = *std::move(topics);

  compute();
  app_.tune([this](slipstream::RuntimeConfig& config) {
    config = options_.runtime;
    if (options_.bootstrap.empty()) config.kafka = {};  // meant for a real broker
  });
  app_.log_to(log);
  return play();
}

void Demo::compute() {
  const Disorder bound = {scaled(disorder_.flights, options_.bound_fraction),
                          scaled(disorder_.weather, options_.bound_fraction)};
  const Program program = describe(app_, source(topics_->client(), topics_->flights(), flights_),
                                   source(topics_->client(), topics_->weather(), weather_), bound);
  collect(program, results_);
#ifdef SLIPSTREAM_HTTP
  if (!options_.port) return;
  const auto live = std::make_shared<Live>(app_, program, *options_.port);
  show_on_page_ = [live](const Progress& progress) { live->show(progress); };
  page_url_ = [live] { return live->url(); };
#endif
}

absl::Status Demo::play() {
  std::fprintf(out_, "A year of flights out of New York, and the weather there, through %s\n\n",
               topics_->description().c_str());
  start_ = steady_clock::now();
  auto run = app_.start();
  if (!run.ok()) return run.status();
  run_ = *std::move(run);
  if (page_url_) std::fprintf(out_, "On a page at %s\n\n", page_url_().c_str());
  producer_ =
      std::make_unique<Producer>(*topics_, flights_, weather_, options_.pace, [this] { run_->stop(); });
  display_.start([this] { return look_and_show(); });
  const std::stop_callback on_stop(options_.stop, [this] {
    producer_->stop();
    run_->stop();
  });

  const absl::Status ran = run_->wait();
  const auto took = steady_clock::now() - start_;
  display_.finish();
  if (!ran.ok()) producer_->stop();
  const absl::Status produced = producer_->wait();
  if (!ran.ok()) return ran;
  if (!produced.ok() && !absl::IsCancelled(produced)) return produced;
  if (options_.stop.stop_requested()) return stopped_early();
  if (absl::Status status = check_topics(); !status.ok()) return status;
  return finish(took);
}

absl::Status Demo::check_topics() const {
  if (absl::Status s = check_complete(topics_->client(), topics_->flights(), flights_.per_partition); !s.ok())
    return s;
  return check_complete(topics_->client(), topics_->weather(), weather_.per_partition);
}

Progress Demo::look() const {
  Progress progress = measure(run_->metrics(), {producer_->flights_sent(), producer_->weather_sent(),
                                                producer_->is_holding_weather()});
  progress.elapsed = steady_clock::now() - start_;
  progress.flights.total = std::ssize(data_.flights);
  progress.weather.total = std::ssize(data_.weather);
  return progress;
}

Progress Demo::look_and_show() {
  Progress progress = look();
  if (show_on_page_) show_on_page_(progress);
  return progress;
}

absl::Status Demo::stopped_early() const {
  const Progress p = look();
  const std::string held = run_->held_report();
  return absl::DeadlineExceededError(
      "stopped early: " + grouped(p.flights.read) + " of " + grouped(p.flights.total) + " flights and " +
      grouped(p.weather.read) + " of " + grouped(p.weather.total) + " observations were read and drained" +
      (held.empty() ? "" : ", " + held) + "; no result files were written");
}

absl::Status Demo::finish(steady_clock::duration took) {
  sort(results_);
  if (!options_.out_folder.empty()) {
    if (absl::Status status = write_files(results_, options_.out_folder); !status.ok()) return status;
  }
  std::fprintf(out_, "\n%s\n%s\n%s", delay_by_wind(results_).c_str(), worst_carrier_days(results_).c_str(),
               summary(took).c_str());
  if (options_.profile) std::fprintf(out_, "\n%s", profile_text(run_->metrics(), took).c_str());
  return absl::OkStatus();
}

std::string Demo::summary(steady_clock::duration took) const {
  const slipstream::Metrics metrics = run_->metrics();
  const Progress p = look();
  std::int64_t counted = 0;
  for (const CarrierDay& day : results_.carrier_days) counted += day.flights;
  std::chrono::duration<double> busy{0};
  for (const slipstream::NodeMetrics& node : metrics.nodes) busy += node.busy;
  const auto records = static_cast<double>(p.flights.read + p.weather.read);
  const std::chrono::duration<double> seconds = took;

  std::string s = "Every record once\n\n";
  s += "     carrier days     " + right(grouped(counted), 9) + " flights counted + " +
       grouped(results_.late_for_carrier_days) +
       " late = " + grouped(counted + results_.late_for_carrier_days) + "\n";
  s += "     flight weather   " + right(grouped(p.join_rows), 9) + " flights joined  + " +
       grouped(results_.late_for_flight_weather) +
       " late = " + grouped(p.join_rows + results_.late_for_flight_weather) + "\n";
  s += "     out of order     " + right(grouped(p.flights.out_of_order), 9) + " flights, " +
       grouped(p.weather.out_of_order) + " observations\n";
  s += "     join             " + right(grouped(p.join_held_peak), 9) +
       " flights at most waited in it for weather\n";
  s += "     topics           " + right(std::to_string(kFlightPartitions + kWeatherPartitions), 9) +
       " partitions hold all they were sent\n";
  s += "     throughput       " + right(grouped(static_cast<std::int64_t>(records / busy.count())), 9) +
       " records/s per core while working" + text(" (%.2f s of %.1f s)\n", busy.count(), seconds.count());
  if (!options_.pace) {
    s += "                      " + right(grouped(static_cast<std::int64_t>(records / seconds.count())), 9) +
         " records/s from end to end\n";
  }
  if (!options_.out_folder.empty()) {
    s += "     files                      " + options_.out_folder +
         "/carrier_day.csv and flight_weather.csv\n";
  }
  return s;
}

}  // namespace

absl::Status run_demo(const DemoOptions& options, std::FILE* out) {
  if (!options.out_folder.empty()) {
    if (absl::Status status = prepare_folder(options.out_folder); !status.ok()) return status;
  }
  auto data = read_data(options.data_folder);
  if (!data.ok()) return data.status();
  return Demo(options, *std::move(data), out).run();
}

}  // namespace flights
