#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/fuzz/codec_targets.h"

namespace slipstream::fuzz {
namespace {

std::vector<std::string> corpus(const std::string& name) {
  std::vector<std::string> inputs;
  for (const auto& entry :
       std::filesystem::directory_iterator(SLIPSTREAM_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// Changes, drops, doubles or moves a piece, or puts in a byte that means something.
std::string mutated(std::string text, const std::string& other, std::mt19937_64& random) {
  static constexpr std::string_view kBytes = "{}[]\",:\\0123456789-+.eE \n\r;tfn\x01\x7f\x80\xc3\xed\xff";
  const auto below = [&random](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t n = 1 + below(4); n > 0; --n) {
    const std::size_t at = below(text.size() + 1);
    const std::size_t size = below(8);
    switch (below(5)) {
      case 0:
        text.erase(at, size);
        break;
      case 1:
        text.insert(at, 1, kBytes[below(kBytes.size())]);
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ 1 << below(8));
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), size));
        break;
      default:
        text.insert(at, other.substr(below(other.size()), size));
        break;
    }
  }
  return text;
}

std::string as_hex(std::string_view text) {
  std::ostringstream out;
  for (const char c : text) out << std::hex << (c & 0xff) << ' ';
  return out.str();
}

void expect_holds(const std::string& name, std::string (*check)(std::string_view)) {
  const std::vector<std::string> inputs = corpus(name);
  ASSERT_FALSE(inputs.empty());
  const unsigned seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (const std::string& input : inputs) ASSERT_EQ(check(input), "") << input;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text =
        mutated(inputs[random() % inputs.size()], inputs[random() % inputs.size()], random);
    ASSERT_EQ(check(text), "") << "seed " << seed << ", bytes " << as_hex(text);
  }
}

TEST(JsonFuzz, HoldsForMutatedInputs) { expect_holds("json", check_json); }
TEST(AvroFuzz, HoldsForMutatedInputs) { expect_holds("avro", check_avro); }
TEST(AvroSchemaFuzz, HoldsForMutatedInputs) { expect_holds("avro_schema", check_avro_schema); }
TEST(ProtobufFrameFuzz, HoldsForMutatedInputs) { expect_holds("protobuf_frame", check_protobuf_frame); }
TEST(CsvFuzz, HoldsForMutatedInputs) { expect_holds("csv", check_csv); }
TEST(StateFuzz, HoldsForMutatedInputs) { expect_holds("state", check_state); }

}  // namespace
}  // namespace slipstream::fuzz
