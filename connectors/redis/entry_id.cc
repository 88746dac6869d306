#include "connectors/redis/entry_id.h"

#include <charconv>

namespace slipstream::redis {
namespace {

constexpr int kSequenceBits = 20;
constexpr std::uint64_t kSequences = std::uint64_t{1} << kSequenceBits;
constexpr std::uint64_t kMilliseconds = std::uint64_t{1} << (63 - kSequenceBits);

bool parse_number(std::string_view text, std::uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<EntryId> EntryId::parse(std::string_view text) {
  EntryId id;
  const std::size_t dash = text.find('-');
  if (!parse_number(text.substr(0, dash), id.milliseconds)) return std::nullopt;
  if (dash != text.npos && !parse_number(text.substr(dash + 1), id.sequence)) return std::nullopt;
  return id;
}

EntryId EntryId::of_offset(std::int64_t offset) {
  const auto bits = static_cast<std::uint64_t>(offset);
  return {bits >> kSequenceBits, bits % kSequences};
}

std::string EntryId::text() const { return std::to_string(milliseconds) + "-" + std::to_string(sequence); }

std::optional<std::int64_t> EntryId::offset() const {
  if (milliseconds >= kMilliseconds || sequence >= kSequences) return std::nullopt;
  return static_cast<std::int64_t>(milliseconds << kSequenceBits | sequence);
}

}  // namespace slipstream::redis
