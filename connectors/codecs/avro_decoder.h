#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/codecs/avro_plan.h"

namespace slipstream::codecs::avro {

/// Reads Avro's binary encoding after a plan. Bytes may be anything: lengths are checked against what is
/// there before memory is taken, elements that take no bytes are counted, and records nested deeper than 64
/// are refused.
class Decoder {
 public:
  /// InvalidArgument says where, what was expected and what was found: `items[2].price: …`.
  absl::Status decode(const Plan& plan, std::string_view bytes, void* out);

 private:
  bool read(const Node& node, void* out, int depth);
  bool read_boolean(void* out);
  bool read_integer(const Node& node, void* out);
  bool read_floating(const Node& node, void* out);
  bool read_text(const Node& node, void* out);
  bool read_symbol(const Node& node, void* out);
  bool read_union(const Node& node, void* out, int depth);
  bool read_record(const Node& node, void* out, int depth);
  bool read_missing(const Node& node, void* out, int depth);
  bool read_blocks(const Node& node, void* out, int depth);
  bool read_element(const Node& node, void* out, std::size_t index, int depth);
  bool read_key(const TypeInfo& type, std::string_view text, void* out);

  template <class T>
  bool take_raw(T& value);
  bool take_long(std::int64_t& value);
  bool take_text(std::string_view& text);
  bool take_bytes(std::size_t size, std::string_view& bytes);
  bool store_integer(const Node& node, std::int64_t value, void* out);
  bool store_floating(const TypeInfo& type, double value, void* out);

  bool fail(std::string what);
  bool in(std::string_view part);

  std::string_view rest_;
  std::uint64_t elements_left_ = 0;
  std::string path_;
  std::string what_;
};

}  // namespace slipstream::codecs::avro
