#include "slipstream/protobuf.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "codecs/protos/order_v1.pb.h"
#include "codecs/protos/order_v2.pb.h"
#include "codecs/protos/required.pb.h"
#include "conformance/codec_conformance.h"
#include "connectors/codecs/proto_text.h"
#include "memory_registry.h"

namespace shop {
bool operator==(const Order& a, const Order& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}
}  // namespace shop

namespace slipstream {
namespace {

using conformance::check_codec;
using conformance::encoded;
using test::MemoryRegistry;
using testing::HasSubstr;

shop::Order order(std::int64_t id, const std::string& where, std::int32_t quantity) {
  shop::Order o;
  o.set_id(id);
  o.set_shop(where);
  o.set_quantity(quantity);
  o.add_prices(2.5);
  return o;
}
template <class M>
M read(const Codec<M>& codec, std::string_view bytes) {
  M out;
  const absl::Status status = codec.make_decoder()(bytes, out);
  EXPECT_TRUE(status.ok()) << status;
  return out;
}
template <class M>
std::string error_of(const Codec<M>& codec, std::string_view bytes) {
  M out;
  const absl::Status status = codec.make_decoder()(bytes, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(Protobuf, KeepsWhatEveryCodecPromises) {
  check_codec<shop::Order>(protobuf<shop::Order>(), {order(1, "ü", 2), shop::Order()});
  auto registry = std::make_shared<MemoryRegistry>();
  check_codec<shop::Order>(protobuf<shop::Order>(registry, {.topic = "orders"}), {order(1, "ü", 2)});
}

TEST(Protobuf, SaysWhatIsNoMessage) {
  EXPECT_EQ(error_of(protobuf<shop::Order>(), "\xff"),
            "expected a message shop.Order, found 1 bytes that aren't one");
  EXPECT_EQ(error_of(protobuf<shop::Payment>(), ""), "shop.Payment: required fields are missing: id");
  std::string out;
  EXPECT_EQ(protobuf<shop::Payment>().make_encoder()(shop::Payment(), out).message(),
            "shop.Payment: required fields are missing: id");
}

TEST(ProtobufEvolution, FieldsAreAddedRemovedRenamedAndWidened) {
  const shop::v2::Order after =
      read(protobuf<shop::v2::Order>(), encoded(protobuf<shop::Order>(), order(7, "ams", -3)));
  EXPECT_EQ(after.id(), 7);
  EXPECT_EQ(after.store(), "ams") << "renamed: the number counts";
  EXPECT_EQ(after.quantity(), -3) << "int32 became int64";
  EXPECT_EQ(after.note(), "") << "added";
  const shop::Order back = read(protobuf<shop::Order>(), encoded(protobuf<shop::v2::Order>(), after));
  EXPECT_EQ(back, order(7, "ams", -3)) << "what the newer one doesn't know is kept";
}

/// Messages are found by their full names, so both versions are given the same one here.
std::string as_older(std::string file) {
  const std::size_t at = file.find("package shop.v2;");
  return file.replace(at, 16, "package shop;");
}

TEST(RegisteredProtobuf, PutsNumberAndIndexesInFront) {
  auto registry = std::make_shared<MemoryRegistry>();
  const std::string plain = encoded(protobuf<shop::Order>(), order(1, "a", 2));
  EXPECT_EQ(encoded(protobuf<shop::Order>(registry, {.topic = "orders"}), order(1, "a", 2)),
            std::string("\0\0\0\0\1\0", 6) + plain)
      << "a lone 0 for the first message";
  EXPECT_EQ(registry->schemas[0].type, "PROTOBUF");
  EXPECT_THAT(registry->schemas[0].text, HasSubstr("message Order {"));
  shop::v2::Order newer;
  EXPECT_EQ(encoded(protobuf<shop::v2::Order>(registry, {.topic = "orders"}), newer),
            std::string("\0\0\0\0\2\2\2", 7))
      << "one index, 1";
  EXPECT_EQ(encoded(protobuf<shop::v2::Refund::Detail>(registry, {.topic = "details"}), {}),
            std::string("\0\0\0\0\3\4\0\0", 8))
      << "two indexes, 0 and 0: a map's entries are no messages";
}

TEST(RegisteredProtobuf, ReadsOtherVersionsOfTheMessage) {
  auto registry = std::make_shared<MemoryRegistry>();
  registry->add({"PROTOBUF", as_older(shop::v2::Order::descriptor()->file()->DebugString()), {}});
  shop::v2::Order newer;
  newer.set_id(5);
  newer.set_store("ams");
  const auto codec = protobuf<shop::Order>(registry);
  const auto decode = codec.make_decoder();
  for (int i = 0; i < 2; ++i) {
    shop::Order out;
    const absl::Status status = decode(std::string("\0\0\0\0\1\2\2", 7) + newer.SerializeAsString(), out);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(out.shop(), "ams");
  }
  EXPECT_EQ(registry->asked, 1);
}

TEST(RegisteredProtobuf, SaysWhatIsAnotherMessage) {
  auto registry = std::make_shared<MemoryRegistry>();
  registry->add({"PROTOBUF", as_older(shop::v2::Order::descriptor()->file()->DebugString()), {}});
  registry->add({"AVRO", "\"int\"", {}});
  const auto codec = protobuf<shop::Order>(registry);
  EXPECT_EQ(error_of(codec, std::string("\0\0\0\0\1\0", 6)),
            "schema 1: expected a message shop.Order, found a shop.Refund");
  EXPECT_EQ(error_of(codec, std::string("\0\0\0\0\1\4\0\0", 8)),
            "schema 1: expected a message shop.Order, found a shop.Refund.Detail");
  EXPECT_EQ(error_of(codec, std::string("\0\0\0\0\1\4\2\6", 8)), "schema 1: it has no message number 1.3");
  EXPECT_EQ(error_of(codec, std::string("\0\0\0\0\2\0", 6)),
            "schema 2: expected a Protobuf schema, found one of type AVRO");
  for (const std::string& indexes : {std::string(), std::string("\1"), std::string("\2"), std::string("\2\1"),
                                     std::string("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1")}) {
    EXPECT_EQ(error_of(codec, std::string("\0\0\0\0\1", 5) + indexes),
              "expected the indexes of a message behind the schema's number");
  }
  EXPECT_THAT(error_of(codec, "x"), HasSubstr("expected a zero byte"));
  shop::Order out;
  EXPECT_EQ(codec.make_decoder()(std::string("\0\0\0\0\7\0", 6), out).message(), "no such schema");
}

TEST(RegisteredProtobuf, WantsANumberForFilesThatImportOthers) {
  auto registry = std::make_shared<MemoryRegistry>();
  shop::Payment payment;
  payment.set_id(1);
  std::string out;
  EXPECT_EQ(
      protobuf<shop::Payment>(registry, {.topic = "payments"}).make_encoder()(payment, out).message(),
      "the file of shop.Payment imports codecs/protos/order_v1.proto; put both into the registry and set the "
      "option 'schema_id'");
  EXPECT_EQ(protobuf<shop::Order>(registry).make_encoder()(shop::Order(), out).message(),
            "under which subject is the schema in the registry? Set the option 'topic' or 'subject'");
  out.clear();
  ASSERT_TRUE(protobuf<shop::Payment>(registry, {.schema_id = 9}).make_encoder()(payment, out).ok());
  EXPECT_EQ(out, std::string("\0\0\0\0\x9\0\x8\1", 8));
  EXPECT_EQ(registry->asked, 0);
}

std::vector<std::string> names_in(std::string_view proto) {
  std::vector<std::string> names;
  for (const codecs::ProtoMessage& message : codecs::messages_of(proto)) {
    std::string name = message.name + " ";
    for (const std::int32_t index : message.path) name += std::to_string(index);
    names.push_back(std::move(name));
  }
  return names;
}

TEST(ProtoText, FindsMessagesWhereverTheyAre) {
  EXPECT_THAT(names_in(R"(
      syntax = "proto2"; // message No {
      package a.b;
      /* message No { */
      option (x) = { message: "message No {" };
      enum E { message = 1; }
      message A { optional string message = 1; message B { oneof o { group C = 1 { message D {} } } } message E {} }
      extend A { repeated group F = 5 { } }
      service S { rpc R (A) returns (A) { option deprecated = true; } }
      message G{})"),
              testing::ElementsAre("a.b.A 0", "a.b.A.B 00", "a.b.A.B.C 000", "a.b.A.B.C.D 0000", "a.b.A.E 01",
                                   "a.b.F 1", "a.b.G 2"));
  EXPECT_THAT(names_in("message A {}"), testing::ElementsAre("A 0"));
}

TEST(ProtoText, EndsWithAnyText) {
  for (const char* text :
       {"", "}}}}", "message", "message {", "message A {", "\"", "'\\", "/*", "//", "group", "{ group {"}) {
    EXPECT_LE(names_in(text).size(), 1u) << text;
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "message A {";
  EXPECT_LE(names_in(deep).size(), 64u);
}

}  // namespace
}  // namespace slipstream
