#include <gtest/gtest.h>

#include "conformance/codec_conformance.h"
#include "slipstream/codec.h"

namespace slipstream {
namespace {

TEST(TextCodec, RefusesWhatIsNotUtf8) {
  std::string out;
  EXPECT_EQ(text().make_decoder()("a\xc3", out).message(), "not UTF-8 at byte 1 of \"a\\xc3\"");
  EXPECT_EQ(text().make_encoder()("\xed\xa0\x80", out).message(),
            "not UTF-8 at byte 0 of \"\\xed\\xa0\\x80\"");
  const std::string long_text = std::string(100, 'x') + "\xff";
  EXPECT_EQ(text().make_decoder()(long_text, out).message(),
            "not UTF-8 at byte 100 of \"" + std::string(40, 'x') + "…\"");
  for (const std::string_view bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
                                     "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(text().make_decoder()(bad, out).ok());
  }
}

TEST(TextCodec, Conforms) {
  conformance::check_codec<std::string>(text(), {"", "a", "äöü€😀", std::string("\0\n", 2)});
}

TEST(BytesCodec, Conforms) {
  conformance::check_codec<std::string>(bytes(), {"", "a", "\xff\xc3", std::string("\0\n", 2)});
}

}  // namespace
}  // namespace slipstream
