#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/kafka.h"

/// The demo's two topics, in a broker of its own or in a real one.
namespace flights {

inline constexpr int kFlightPartitions = 16;
inline constexpr int kWeatherPartitions = 4;

class Topics {
 public:
  /// Starts a broker inside this process; it ends with the object.
  static absl::StatusOr<std::unique_ptr<Topics>> embedded();
  /// Creates both under names that no other run uses. They are deleted with the object unless `keep`.
  static absl::StatusOr<std::unique_ptr<Topics>> on_broker(const slipstream::kafka::ClientOptions& client,
                                                           bool keep);
  ~Topics();
  Topics(const Topics&) = delete;

  const slipstream::kafka::ClientOptions& client() const { return client_; }
  const std::string& flights() const { return flights_; }
  const std::string& weather() const { return weather_; }
  /// "an embedded broker at 127.0.0.1:1234"
  const std::string& description() const { return description_; }

 private:
  Topics() = default;

  slipstream::kafka::ClientOptions client_;
  std::string flights_ = "flights";
  std::string weather_ = "weather";
  std::string description_;
  std::unique_ptr<slipstream::kafka::EmbeddedBroker> broker_;
  bool delete_at_end_ = false;
};

/// OK when every partition of `topic` holds everything that was written to it: `sent` records each, from
/// offset 0 on. Brokers may drop old records, and an embedded one does so silently. Otherwise Unavailable,
/// naming topic and partition.
absl::Status check_complete(const slipstream::kafka::ClientOptions& client, const std::string& topic,
                            std::span<const std::int64_t> sent);

}  // namespace flights
