#pragma once
#include <memory>
#include <string>
#include <vector>

#include "fakes.h"
#include "probe.h"
#include "slipstream/testing.h"

namespace slipstream::test {

/// A real App under virtual time whose records the test pushes into its source.
struct PushedApp {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source =
      std::make_shared<FakeSource>(FakeSource::Options{.finished = false}, journal);
  App app;
  std::vector<std::size_t> sizes;  ///< of the batches that were read
  std::vector<std::string> log;
  std::unique_ptr<detail::SimulatedRun> run;

  absl::Status open(RuntimeConfig config) {
    ProbeHooks<std::string> hooks;
    hooks.on_batch = [&](std::uint32_t, const detail::Batch<std::string>& b) { sizes.push_back(b.size()); };
    probe(
        app.source(decoded(source, text())), "probe", [](const std::string&) { return 0; }, hooks)
        .sink([](const std::string&) {});
    config.parallelism = 1;
    run = std::make_unique<detail::SimulatedRun>(
        app.graph(), config, 1, [this](LogLevel, std::string_view component, std::string_view message) {
          log.push_back(std::string(component) + ": " + std::string(message));
        });
    return run->open();
  }
};

}  // namespace slipstream::test
