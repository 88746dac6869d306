#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "slipstream/app.h"

/// For tests of what programs are told that can't run, and of how they look.
namespace slipstream::test {

struct Row {
  int key = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(Row, key, at)

inline Source<Row> no_rows() { return from(std::vector<Row>{}); }
inline const auto kNothing = [](const auto&) {};

/// What a wrongly described program is told before it runs.
inline std::string complaint(const std::function<void(App&)>& build) {
  App app;
  build(app);
  const absl::Status s = app.run();
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << s;
  return std::string(s.message());
}

}  // namespace slipstream::test
