#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "slipstream/record.h"

namespace slipstream {

/// What a node does with a record its function throws on, or that can't be decoded or stamped. A record is
/// atomic: none of its outputs and none of its state changes happen when it fails.
struct ErrorPolicy {
  enum class Action {
    fail,         ///< the run ends with an error naming node, record and cause
    skip,         ///< the record is dropped and counted
    dead_letter,  ///< the record goes to App::dead_letters() and is counted
  };
  Action action = Action::fail;
  /// Tries again this many times before `action`. Meanwhile the record and those behind it with the same key
  /// (before the first key_by: of the same partition) wait in state; all others go on. The output watermark
  /// stays behind a waiting record.
  int retries = 0;
  Duration backoff{0};           ///< before the first retry; doubles with each, up to a minute
  std::size_t max_held = 10000;  ///< records that may wait at a node's lane; one more fails the run

  static ErrorPolicy fail() { return {}; }
  static ErrorPolicy skip() { return {.action = Action::skip}; }
  static ErrorPolicy dead_letter() { return {.action = Action::dead_letter}; }
  static ErrorPolicy retry(int times, Duration backoff, Action then = Action::fail) {
    return {.action = then, .retries = times, .backoff = backoff};
  }
};

/// A record that was diverted, in App::dead_letters(). What isn't the record's own is in the headers of this
/// stream too, behind the record's, so that a sink writes it beside the value: slipstream.node,
/// slipstream.source, slipstream.partition, slipstream.offset, slipstream.time (where there is one) and
/// slipstream.error.
struct DeadLetter {
  std::string node;    ///< where it failed
  std::string source;  ///< name of the source it came from; of the node that made it, if one did
  RecordId id;
  EventTime time = kMinTime;
  std::string error;
  /// The bytes as they were read, when they couldn't be decoded. Else the record where it failed, as JSON;
  /// empty when json<T>() can't write it.
  std::string value;
  std::string key;     ///< as it was read, when the record couldn't be decoded
  HeadersPtr headers;  ///< the record's own; null when it had none
};

}  // namespace slipstream
