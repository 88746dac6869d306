#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "conformance/codec_conformance.h"
#include "memory_registry.h"
#include "slipstream/avro.h"

namespace slipstream {
namespace {

using conformance::check_codec;
using conformance::encoded;
using test::MemoryRegistry;
using testing::HasSubstr;

struct Sale {
  std::string shop;
  std::int64_t items = 0;
  std::optional<std::string> note{};
  friend bool operator==(const Sale&, const Sale&) = default;
};
SLIPSTREAM_FIELDS(Sale, shop, items, note)

/// The number of a schema in front of a record.
std::string framed(char id, std::string_view record) {
  return std::string("\0\0\0\0", 4) + id + std::string(record);
}

struct RegisteredAvro : testing::Test {
  std::shared_ptr<MemoryRegistry> registry = std::make_shared<MemoryRegistry>();
  Codec<Sale> codec = avro<Sale>(registry, {.topic = "sales"});

  std::string error_of(std::string_view bytes) const {
    Sale sale;
    const absl::Status status = codec.make_decoder()(bytes, sale);
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
};

TEST_F(RegisteredAvro, PutsTheNumberOfItsSchemaInFront) {
  EXPECT_EQ(encoded(codec, Sale{"a", 1}), framed(1, std::string_view("\x02"
                                                                     "a\x02\0",
                                                                     4)));
  EXPECT_EQ(registry->schemas.at(0).text, avro_schema<Sale>());
  EXPECT_TRUE(registry->ids.contains({"sales-value", avro_schema<Sale>()}));
  (void)encoded(avro<Sale>(registry, {.topic = "sales", .is_key = true}), Sale{});
  EXPECT_TRUE(registry->ids.contains({"sales-key", avro_schema<Sale>()}));
  (void)encoded(avro<Sale>(registry, {.topic = "sales", .subject = "shop.Sale"}), Sale{});
  EXPECT_TRUE(registry->ids.contains({"shop.Sale", avro_schema<Sale>()}));
}

TEST_F(RegisteredAvro, AsksOncePerSchema) {
  const auto encode = codec.make_encoder();
  const auto decode = codec.make_decoder();
  for (int i = 0; i < 3; ++i) {
    std::string bytes;
    Sale sale;
    ASSERT_TRUE(encode({"a", i}, bytes).ok());
    ASSERT_TRUE(decode(bytes, sale).ok());
    EXPECT_EQ(sale.items, i);
  }
  EXPECT_EQ(registry->asked, 2);
}

TEST_F(RegisteredAvro, KeepsWhatEveryCodecPromises) { check_codec<Sale>(codec, {{"a", 1, "x"}, {"ü", -1}}); }

TEST_F(RegisteredAvro, ReadsEachRecordByTheSchemaItWasWrittenWith) {
  registry->add({"AVRO",
                 R"({"type": "record", "name": "Sale", "fields": [{"name": "shop", "type": "string"},
      {"name": "items", "type": "int"}, {"name": "clerk", "type": "string"}]})",
                 {}});
  registry->add({"AVRO", avro_schema<Sale>(), {}});
  const auto decode = codec.make_decoder();
  Sale sale;
  ASSERT_TRUE(decode(framed(1,
                            "\x02"
                            "a\x04\x02"
                            "b"),
                     sale)
                  .ok());
  EXPECT_EQ(sale, (Sale{"a", 2}));
  ASSERT_TRUE(decode(framed(2,
                            "\x02"
                            "a\x04\x02\x02"
                            "c"),
                     sale)
                  .ok());
  EXPECT_EQ(sale, (Sale{"a", 2, "c"}));
  ASSERT_TRUE(decode(framed(1,
                            "\x02"
                            "a\x04\x02"
                            "b"),
                     sale)
                  .ok());
  EXPECT_EQ(sale, (Sale{"a", 2}));
}

TEST_F(RegisteredAvro, TakesASchemaOfItsOwn) {
  const std::string schema = R"({"type": "record", "name": "S", "fields": [{"name": "shop", "type": "string"},
      {"name": "items", "type": "long", "default": 7}, {"name": "note", "type": ["null", "string"], "default": null}]})";
  const auto own = avro_with_schema<Sale>(schema, registry, {.topic = "sales"});
  ASSERT_TRUE(own.ok()) << own.status();
  (void)encoded(*own, Sale{});
  EXPECT_EQ(registry->schemas.at(0).text, schema);
  const std::int32_t before = registry->add(
      {"AVRO", R"({"type": "record", "name": "S", "fields": [{"name": "shop", "type": "string"}]})", {}});
  Sale sale;
  ASSERT_TRUE(own->make_decoder()(framed(static_cast<char>(before),
                                         "\x02"
                                         "a"),
                                  sale)
                  .ok());
  EXPECT_EQ(sale, (Sale{"a", 7}));
  EXPECT_EQ(avro_with_schema<Sale>("\"int\"", registry).status().message(), "expected a record, found int");
}

TEST_F(RegisteredAvro, SaysWhatIsWrongWithARecord) {
  EXPECT_EQ(error_of(""),
            "expected a zero byte and the number of a schema in four bytes, found nothing; was it written "
            "without a "
            "schema registry?");
  EXPECT_THAT(error_of("{\"a\":1}"), HasSubstr("in four bytes, found \"{\"a\":\""));
  EXPECT_EQ(error_of(framed(1, "")), "no such schema");
  registry->add({"PROTOBUF", "", {}});
  registry->add({"AVRO", "\"int\"", {}});
  registry->add({"AVRO", "{", {}});
  registry->add({"AVRO", avro_schema<Sale>(), {"common.Money"}});
  registry->add({"AVRO", avro_schema<Sale>(), {}});
  EXPECT_EQ(error_of(framed(1, "")), "schema 1: expected an Avro schema, found one of type PROTOBUF");
  EXPECT_EQ(error_of(framed(2, "")), "schema 2: int can't be read as record slipstream.Sale");
  EXPECT_THAT(error_of(framed(3, "")), HasSubstr("schema 3: Avro schema: not JSON"));
  EXPECT_EQ(error_of(framed(4, "")),
            "schema 4: it refers to the schema common.Money; write the schema with everything it needs");
  EXPECT_EQ(error_of(framed(5, "")), "shop: the record ends too early");
}

TEST_F(RegisteredAvro, SaysWhatIsMissingForWriting) {
  std::string out;
  EXPECT_EQ(avro<Sale>(registry).make_encoder()(Sale{}, out).message(),
            "under which subject is the schema in the registry? Set the option 'topic' or 'subject'");
  EXPECT_EQ(
      avro<Sale>(registry, {.topic = "sales", .may_register = false}).make_encoder()(Sale{}, out).message(),
      "not under sales-value");
  EXPECT_TRUE(registry->schemas.empty());
  out.clear();
  ASSERT_TRUE(avro<Sale>(registry, {.schema_id = 300}).make_encoder()(Sale{}, out).ok());
  EXPECT_EQ(out.substr(0, 5), std::string("\0\0\0\x01\x2c", 5));
}

}  // namespace
}  // namespace slipstream
