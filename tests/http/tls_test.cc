#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "conformance/source_conformance.h"
#include "files/scratch.h"
#include "slipstream/http.h"
#include "slipstream/schema_registry.h"

namespace slipstream::http {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// openssl's own server, which answers /stream with one event, on a free port.
class TlsServer {
 public:
  /// With a certificate of its own that is for the given name.
  explicit TlsServer(const std::string& name) {
    std::filesystem::create_directories(scratch_.path("schemas/ids"));
    scratch_.file("schemas/ids/1", "HTTP/1.1 200 OK\r\n\r\n{\"schema\": \"\\\"int\\\"\"}");
    scratch_.file("stream", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n");
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout '" +
        scratch_.path("key.pem") + "' -out '" + certificate() +
        "' -days 2 -subj /CN=test -addext subjectAltName=" + name + " 2>/dev/null";
    if (std::system(make.c_str()) != 0) ADD_FAILURE() << "openssl makes no certificate";
    start();
  }
  ~TlsServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(output_);
  }
  TlsServer(const TlsServer&) = delete;

  std::string certificate() const { return scratch_.path("cert.pem"); }
  std::string root() const { return "https://127.0.0.1:" + port_ + "/"; }
  std::string url() const { return root() + "stream"; }

 private:
  void start() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    const std::string folder = scratch_.path("");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      const int nothing = ::open("/dev/null", O_RDWR);
      ::dup2(nothing, STDIN_FILENO);
      ::dup2(nothing, STDERR_FILENO);
      if (::chdir(folder.c_str()) != 0) ::_exit(127);
      ::execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key",
               "key.pem", "-HTTP", nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ends[0];
    read_port();
  }
  /// Of its line "ACCEPT 127.0.0.1:PORT".
  void read_port() {
    const std::string before = "ACCEPT 127.0.0.1:";
    std::string said;
    for (char byte; ::read(output_, &byte, 1) == 1;) {
      said += byte;
      const std::size_t at = said.find(before);
      if (byte != '\n' || at == said.npos) continue;
      port_ = said.substr(at + before.size(), said.size() - at - before.size() - 1);
      return;
    }
    ADD_FAILURE() << "openssl s_server says no port, but: " << said;
  }

  const file::Scratch scratch_;
  pid_t pid_ = -1;
  int output_ = -1;
  std::string port_;
};

struct Read {
  std::vector<std::string> values;
  absl::Status status;
};
Read read_all(const TlsServer& server, const std::string& ca_file) {
  conformance::SourceHost host;
  const auto source = raw_events(server.url(), {.reconnect = false, .ca_file = ca_file});
  Read read;
  read.status = source->open(host.env());
  if (!read.status.ok()) return read;
  conformance::Collector out;
  read.status = conformance::drain(*source, host, 0, {100, 1 << 20}, out);
  for (const auto& record : out.records) read.values.push_back(*record.value);
  return read;
}

TEST(HttpEventsOverTls, AreReadFromAServerWithATrustedCertificate) {
  const TlsServer server("IP:127.0.0.1");
  const Read read = read_all(server, server.certificate());
  EXPECT_EQ(read.status, absl::OkStatus());
  EXPECT_THAT(read.values, ElementsAre("a"));
}

TEST(HttpEventsOverTls, RefuseACertificateFromAnAuthorityThatIsNotTrusted) {
  const TlsServer server("IP:127.0.0.1");
  const absl::Status status = read_all(server, "").status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()),
              ::testing::StartsWith("http events " + server.url() + ": SSL certificate problem: "));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("; the option 'ca_file' names authorities to trust, in PEM"));
}

TEST(HttpEventsOverTls, RefuseACertificateForAnotherName) {
  const TlsServer server("DNS:example.org");
  const absl::Status status = read_all(server, server.certificate()).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("SSL: no alternative certificate subject name matches"));
}

TEST(SchemaRegistryOverTls, ChecksTheCertificate) {
  const TlsServer server("IP:127.0.0.1");
  const auto ask = [&](const std::string& ca_file) {
    return (*schema_registry({.url = server.root(), .ca_file = ca_file}))->schema(1);
  };
  const auto schema = ask(server.certificate());
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_EQ((*schema)->text, "\"int\"");
  const absl::Status untrusted = ask("").status();
  EXPECT_EQ(untrusted.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(
      std::string(untrusted.message()),
      ::testing::StartsWith("schema registry " + server.root() + ": schema 1: SSL certificate problem: "));
  EXPECT_THAT(std::string(untrusted.message()),
              HasSubstr("; the option 'ca_file' names authorities to trust, in PEM"));
  const absl::Status no_file = ask("/nowhere/ca.pem").status();
  EXPECT_EQ(no_file.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(no_file.message()), HasSubstr("names no file of certificates in PEM: "));
}

}  // namespace
}  // namespace slipstream::http
