#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "slipstream/json.h"
#include "tests/cli/process.h"

namespace slipstream::http {

/// What the browser answers to a command of the DevTools protocol, as far as it is of interest here.
struct ReplyValue {
  std::optional<std::string> value;
};
SLIPSTREAM_FIELDS(ReplyValue, value)
struct ReplyResult {
  std::optional<std::string> targetId, sessionId;
  std::optional<ReplyValue> result;
};
SLIPSTREAM_FIELDS(ReplyResult, targetId, sessionId, result)
struct Reply {
  std::int64_t id = 0;
  ReplyResult result;
};
SLIPSTREAM_FIELDS(Reply, id, result)

/// A headless Chromium, spoken to by the DevTools protocol on a pipe.
class Browser {
 public:
  /// A page in it.
  class Page {
   public:
    /// What the expression, a string or a promise of one, comes to in the page.
    std::string evaluate(const std::string& expression) const {
      const Reply reply = browser_->ask(
          "Runtime.evaluate",
          "{\"expression\":" + quoted(expression) + ",\"returnByValue\":true,\"awaitPromise\":true}",
          session_);
      return reply.result.result ? reply.result.result->value.value_or("") : "";
    }
    /// False: it hasn't come to that within two minutes, which a busy machine may take for what is quick
    /// elsewhere.
    bool becomes(const std::string& expression, const std::string& value) const {
      for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);;) {
        const std::string found = evaluate(expression);
        if (found == value) return true;
        if (std::chrono::steady_clock::now() < end) {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          continue;
        }
        ADD_FAILURE() << expression << " is '" << found << "', not '" << value << "'";
        return false;
      }
    }

   private:
    friend class Browser;
    Page(Browser& browser, std::string session) : browser_(&browser), session_(std::move(session)) {}
    Browser* browser_;
    std::string session_;
  };

  /// Empty: there is none on this machine.
  static std::string program() {
    std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
    for (std::string folder; std::getline(path, folder, ':');) {
      const std::string program = folder + "/chromium";
      if (::access(program.c_str(), X_OK) == 0) return program;
    }
    return {};
  }

  Browser() : profile_(make_folder()), process_({"/bin/sh", "-c", command(profile_)}) {}
  ~Browser() {
    send("Browser.close", "{}", "");
    process_.wait();
    std::error_code ignored;  // helpers of it may be about to go
    std::filesystem::remove_all(profile_, ignored);
  }

  Page open(const std::string& url) {
    const Reply made = ask("Target.createTarget", "{\"newWindow\":true,\"url\":" + quoted(url) + "}", "");
    const Reply attached =
        ask("Target.attachToTarget",
            "{\"flatten\":true,\"targetId\":" + quoted(made.result.targetId.value_or("")) + "}", "");
    return Page(*this, attached.result.sessionId.value_or(""));
  }

 private:
  static std::string make_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "slipstream-browser-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }
  /// evil.test is this machine, as it may become for a page of somebody who rules over that name.
  static std::string command(const std::string& profile) {
    return "exec '" + program() + "' --headless=new --disable-gpu --disable-dev-shm-usage " +
           (::geteuid() == 0 ? "--no-sandbox " : "") +
           "--disable-background-networking --no-first-run --host-resolver-rules='MAP evil.test 127.0.0.1' "
           "--user-data-dir='" +
           profile + "' --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null 2>/dev/null";
  }
  static std::string quoted(const std::string& text) {
    std::string json;
    const absl::Status encoded = slipstream::json<std::string>().make_encoder()(text, json);
    EXPECT_EQ(encoded, absl::OkStatus());
    return json;
  }

  int send(const std::string& method, const std::string& params, const std::string& session) {
    std::string text =
        "{\"id\":" + std::to_string(++sent_) + ",\"method\":\"" + method + "\",\"params\":" + params;
    if (!session.empty()) text += ",\"sessionId\":\"" + session + "\"";
    text += '}';
    process_.write(std::string_view(text.c_str(), text.size() + 1));  // messages end with a NUL
    return sent_;
  }
  Reply ask(const std::string& method, const std::string& params, const std::string& session) {
    const std::string begin = "{\"id\":" + std::to_string(send(method, params, session)) + ",";
    if (!process_.out().wait_for(begin)) {
      ADD_FAILURE() << "the browser has ended";
      return {};
    }
    for (;;) {
      const std::string all = process_.out().so_far();
      const std::size_t at = all.find(begin);
      const std::size_t end = all.find('\0', at);
      if (end != all.npos) return decode(all.substr(at, end - at));
      std::this_thread::yield();
    }
  }
  static Reply decode(const std::string& text) {
    Reply reply;
    const absl::Status decoded = slipstream::json<Reply>().make_decoder()(text, reply);
    EXPECT_EQ(decoded, absl::OkStatus()) << text;
    return reply;
  }

  const std::string profile_;
  testing::Process process_;
  int sent_ = 0;
};

}  // namespace slipstream::http
