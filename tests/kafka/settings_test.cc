#include "connectors/kafka/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipstream::kafka {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kLocal = "127.0.0.1:9092";

std::string refusal(Role role, const Settings& settings, const std::string& brokers = kLocal) {
  const auto conf = client_conf(role, brokers, settings, {}, {});
  EXPECT_FALSE(conf.ok());
  EXPECT_TRUE(conf.ok() || absl::IsInvalidArgument(conf.status())) << conf.status();
  return std::string(conf.status().message());
}

TEST(KafkaSettings, PassesPropertiesThrough) {
  const auto conf =
      client_conf(Role::producer, kLocal,
                  {{"compression.type", "lz4"}, {"linger.ms", "50"}, {"message.timeout.ms", "1234"}}, {}, {});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(setting(conf->conf.get(), "compression.codec"), "lz4");
  EXPECT_EQ(setting(conf->conf.get(), "linger.ms"), "50");
  EXPECT_EQ(setting(conf->conf.get(), "message.timeout.ms"), "1234");
  EXPECT_EQ(setting(conf->conf.get(), "bootstrap.servers"), kLocal);
  EXPECT_TRUE(conf->warnings.empty());
}

TEST(KafkaSettings, TheUsersValueBeatsTheDefaultButNotWhatIsOwned) {
  const auto conf =
      client_conf(Role::consumer, kLocal, {{"fetch.wait.max.ms", "7"}, {"fetch.min.bytes", "3"}},
                  {{"fetch.wait.max.ms", "100"}}, {{"fetch.min.bytes", "1"}});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(setting(conf->conf.get(), "fetch.wait.max.ms"), "7");
  EXPECT_EQ(setting(conf->conf.get(), "fetch.min.bytes"), "1");
}

TEST(KafkaSettings, AnUnknownNameIsRefusedWithTheNearest) {
  EXPECT_EQ(refusal(Role::consumer, {{"fetch.wait.max", "5"}}),
            "kafka setting 'fetch.wait.max' is not known; did you mean 'fetch.wait.max.ms'?");
  EXPECT_THAT(refusal(Role::producer, {{"compresion.type", "lz4"}}),
              HasSubstr("did you mean 'compression.type'"));
  EXPECT_EQ(refusal(Role::producer, {{"xyzzy", "1"}}), "kafka setting 'xyzzy' is not known");
}

TEST(KafkaSettings, APortThatThereIsntIsRefused) {
  for (const char* broker : {"h:0", "h:65536", "h:99999", "h:-1", "h:", "h:port", "[::1]:0", "SSL://h:x"}) {
    EXPECT_EQ(refusal(Role::consumer, {}, std::string("good:9092, ,") + broker),
              "kafka: the port of broker '" + std::string(broker) + "' is no number from 1 to 65535");
  }
  for (const char* brokers :
       {"h", "h:1", "h:65535 ", "[::1]:9092", "::1", "[::1]", "SSL://h:9093,PLAINTEXT://h"}) {
    EXPECT_EQ(client_conf(Role::consumer, brokers, {}, {}, {}).status(), absl::OkStatus()) << brokers;
  }
}

TEST(KafkaSettings, ANameThatIsInTwoTablesIsSuggestedOnce) {
  EXPECT_EQ(
      refusal(Role::producer, {{"compresion.type", "lz4"}}),
      "kafka setting 'compresion.type' is not known; did you mean 'compression.type', 'compression.codec' or "
      "'compression.level'?");
}

TEST(KafkaSettings, AValueThatDoesNotFitNamesTheSetting) {
  EXPECT_EQ(refusal(Role::producer, {{"linger.ms", "soon"}}),
            "kafka setting 'linger.ms': Invalid value for configuration property \"queue.buffering.max.ms\", "
            "found 'soon'");
  EXPECT_EQ(refusal(Role::consumer, {{"fetch.wait.max.ms", "300001"}}),
            "kafka setting 'fetch.wait.max.ms': Configuration property \"fetch.wait.max.ms\" value 300001 is "
            "outside "
            "allowed range 0..300000");
  EXPECT_THAT(refusal(Role::producer, {{"acks", "many"}}), HasSubstr("kafka setting 'acks': "));
}

TEST(KafkaSettings, WhatRunsCodeIsRefused) {
  for (const char* name : {"plugin.library.paths", "sasl.kerberos.kinit.cmd", "ssl.engine.location",
                           "ssl.engine.id", "ssl.providers"}) {
    EXPECT_EQ(refusal(Role::consumer, {{name, "/tmp/x"}}),
              "kafka setting '" + std::string(name) + "' is refused: it makes the client load or run code");
  }
}

TEST(KafkaSettings, WhatTheLibraryDoesItselfIsRefused) {
  EXPECT_EQ(refusal(Role::consumer, {{"enable.auto.commit", "true"}}),
            "kafka setting 'enable.auto.commit' is refused: the runtime commits offsets itself, after a "
            "record's effects");
  EXPECT_THAT(refusal(Role::consumer, {{"enable.auto.offset.store", "true"}}),
              HasSubstr("commits offsets itself"));
  EXPECT_EQ(
      refusal(Role::consumer, {{"group.protocol", "consumer"}}),
      "kafka setting 'group.protocol' is refused: a source is alone in its group and reads all partitions");
  EXPECT_EQ(refusal(Role::consumer, {{"group.id", "g"}}),
            "kafka setting 'group.id' is refused: write it into the option 'group'");
  EXPECT_EQ(refusal(Role::consumer, {{"auto.offset.reset", "latest"}}),
            "kafka setting 'auto.offset.reset' is refused: a lost offset is an error, never skipped; write "
            "the option "
            "'start'");
  EXPECT_EQ(refusal(Role::consumer, {{"enable.partition.eof", "false"}}),
            "kafka setting 'enable.partition.eof' is refused: the source needs it to know when it has read "
            "everything");
  EXPECT_EQ(refusal(Role::producer, {{"bootstrap.servers", "x"}}),
            "kafka setting 'bootstrap.servers' is refused: write the addresses into the option 'brokers'");
  EXPECT_EQ(refusal(Role::producer, {{"transactional.id", "x"}}),
            "kafka setting 'transactional.id' is refused: the sink doesn't write in transactions");
  EXPECT_EQ(refusal(Role::producer, {{"delivery.report.only.error", "true"}}),
            "kafka setting 'delivery.report.only.error' is refused: the sink checks every delivery");
  EXPECT_EQ(
      refusal(Role::producer, {{"test.mock.num.brokers", "1"}}),
      "kafka setting 'test.mock.num.brokers' is refused: it replaces the broker by an empty one; use an "
      "EmbeddedBroker");
  EXPECT_EQ(refusal(Role::producer, {{"log.queue", "true"}}),
            "kafka setting 'log.queue' is refused: the log goes to the application's log hook");
}

TEST(KafkaSettings, DebugOutputWithSecretsIsRefused) {
  EXPECT_EQ(refusal(Role::consumer, {{"debug", "all"}}),
            "kafka setting 'debug' is refused for 'all': it prints the configuration with its secrets; name "
            "the contexts "
            "you need, e.g. 'broker,topic,msg'");
  EXPECT_TRUE(client_conf(Role::consumer, kLocal, {{"debug", "broker,fetch"}}, {}, {}).ok());
}

TEST(KafkaSettings, NoBrokerAddressIsSaid) {
  EXPECT_EQ(refusal(Role::consumer, {}, ""), "kafka: no broker address; write HOST:PORT into 'brokers'");
}

TEST(KafkaSettings, CertificateChecksStayOnUnlessAskedForByAnInsecureName) {
  EXPECT_EQ(refusal(Role::consumer, {{"enable.ssl.certificate.verification", "false"}}),
            "kafka setting 'enable.ssl.certificate.verification' is refused for 'false': anyone can pose as "
            "the broker; "
            "if you want that, write 'insecure_enable.ssl.certificate.verification'");
  EXPECT_THAT(refusal(Role::consumer, {{"enable.ssl.certificate.verification", "f"}}),
              HasSubstr("is refused"));
  EXPECT_THAT(refusal(Role::consumer, {{"ssl.endpoint.identification.algorithm", "none"}}),
              HasSubstr("any holder of a certificate can pose as the broker"));
  const auto conf = client_conf(Role::consumer, kLocal,
                                {{"insecure_enable.ssl.certificate.verification", "false"}}, {}, {});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(setting(conf->conf.get(), "enable.ssl.certificate.verification"), "false");
  EXPECT_THAT(conf->warnings,
              testing::ElementsAre("kafka setting 'insecure_enable.ssl.certificate.verification': "
                                   "anyone can pose as the broker"));
}

TEST(KafkaSettings, OnlySomeNamesHaveAnInsecureForm) {
  EXPECT_EQ(refusal(Role::consumer, {{"insecure_linger.ms", "1"}}),
            "kafka setting 'insecure_linger.ms' is not known: 'linger.ms' needs no prefix");
  EXPECT_THAT(refusal(Role::consumer, {{"insecure_plugin.library.paths", "1"}}), HasSubstr("is not known"));
}

TEST(KafkaSettings, PasswordsInTheClearStayOnThisMachine) {
  const Settings plain = {{"security.protocol", "SASL_PLAINTEXT"}, {"sasl.mechanism", "PLAIN"}};
  EXPECT_EQ(refusal(Role::consumer, plain, "kafka.example.com:9092"),
            "kafka setting 'security.protocol' is refused for 'sasl_plaintext': the password goes over the "
            "network in the "
            "clear; if you want that, write 'insecure_security.protocol'");
  EXPECT_THAT(refusal(Role::consumer, plain, "localhost:9092,10.0.0.1:9092"), HasSubstr("in the clear"));
  EXPECT_THAT(refusal(Role::consumer, plain, "PLAINTEXT://127.example.com:9092"), HasSubstr("in the clear"));
  for (const char* local :
       {"localhost:9092", "127.0.0.1:9092,127.0.0.2:1", "[::1]:9092", "SASL_PLAINTEXT://localhost:1"}) {
    const auto conf = client_conf(Role::consumer, local, plain, {}, {});
    EXPECT_TRUE(conf.ok()) << conf.status();
  }
  EXPECT_TRUE(client_conf(Role::consumer, "kafka.example.com:9092",
                          {{"insecure_security.protocol", "sasl_plaintext"}, {"sasl.mechanism", "PLAIN"}}, {},
                          {})
                  .ok());
}

TEST(KafkaSettings, APasswordNeedsAMechanism) {
  EXPECT_EQ(refusal(Role::consumer, {{"security.protocol", "SASL_SSL"}, {"sasl.username", "alice"}}),
            "kafka setting 'security.protocol' is 'sasl_ssl', which needs 'sasl.mechanism': write PLAIN, "
            "SCRAM-SHA-256, SCRAM-SHA-512 or, with 'sasl.kerberos.keytab', GSSAPI");
  for (const Settings& settings :
       {Settings{{"security.protocol", "ssl"}},
        Settings{{"security.protocol", "sasl_ssl"}, {"sasl.mechanisms", "PLAIN"}},
        Settings{{"security.protocol", "sasl_ssl"}, {"sasl.kerberos.keytab", "k"}}}) {
    EXPECT_EQ(client_conf(Role::consumer, kLocal, settings, {}, {}).status(), absl::OkStatus());
  }
}

TEST(KafkaSettings, SecretsNeverShow) {
  const auto conf = client_conf(Role::consumer, kLocal,
                                {{"sasl.password", "hunter22"}, {"ssl.key.password", "hunter2"}}, {}, {});
  ASSERT_TRUE(conf.ok()) << conf.status();
  EXPECT_EQ(conf->secrets.redacted("login hunter22 and hunter2, hunter2!"), "login *** and ***, ***!");
  EXPECT_EQ(conf->secrets.redacted("nothing to hide"), "nothing to hide");
  for (const char* name :
       {"sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.pem", "sasl.oauthbearer.config"}) {
    EXPECT_TRUE(Secrets::is_secret(name)) << name;
  }
  EXPECT_FALSE(Secrets::is_secret("linger.ms"));
  EXPECT_THAT(refusal(Role::consumer, {{"sasl.pasword", "hunter22"}}), Not(HasSubstr("hunter22")));
}

}  // namespace
}  // namespace slipstream::kafka
