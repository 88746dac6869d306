#include "connectors/codecs/proto_text.h"

#include <algorithm>
#include <utility>

namespace slipstream::codecs {
namespace {

/// Deeper ones are no messages that anybody means.
constexpr std::size_t kMaxDepth = 64;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/// Words, and single other characters; no comments, and strings as an empty "".
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}

  /// Empty at the end.
  std::string_view next() {
    while (skip_blank() || skip_comment()) {
    }
    if (text_.empty()) return {};
    if (text_[0] == '"' || text_[0] == '\'') return take_string();
    std::size_t size = 0;
    while (size < text_.size() && is_word(text_[size])) ++size;
    return take(std::max<std::size_t>(size, 1));
  }

 private:
  std::string_view take(std::size_t size) {
    const std::string_view taken = text_.substr(0, size);
    text_.remove_prefix(taken.size());
    return taken;
  }
  bool skip_blank() {
    const std::size_t size = std::min(text_.find_first_not_of(" \t\r\n\f\v"), text_.size());
    text_.remove_prefix(size);
    return size > 0;
  }
  bool skip_comment() {
    const bool is_line = text_.starts_with("//");
    if (!is_line && !text_.starts_with("/*")) return false;
    const std::size_t end = is_line ? text_.find('\n') : text_.find("*/", 2);
    text_.remove_prefix(end == text_.npos ? text_.size() : end + (is_line ? 1 : 2));
    return true;
  }
  std::string_view take_string() {
    std::size_t end = 1;
    while (end < text_.size() && text_[end] != text_[0]) end += text_[end] == '\\' ? 2 : 1;
    take(std::min(end + 1, text_.size()));
    return "\"\"";
  }

  std::string_view text_;
};

class Scanner {
 public:
  std::vector<ProtoMessage> scan(std::string_view proto) {
    scopes_.push_back({});
    Tokens tokens(proto);
    for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
      if (token == "{") {
        open();
      } else if (token == "}") {
        if (scopes_.size() > 1) scopes_.pop_back();
      } else if (token == ";") {
        if (statement_.size() == 2 && statement_[0] == "package" && scopes_.size() == 1)
          scopes_[0].prefix = std::string(statement_[1]) + ".";
      } else {
        if (statement_.size() < 4) statement_.push_back(token);
        continue;
      }
      statement_.clear();
    }
    return std::move(messages_);
  }

 private:
  struct Scope {
    std::string prefix;  ///< of the names inside
    std::vector<std::int32_t> path;
    std::int32_t messages = 0;
    std::size_t owner =
        0;  ///< the scope that its messages belong to: oneof and extend have none of their own
  };

  /// `message NAME {`, `optional group NAME = 1 {`, or another block.
  void open() {
    const std::size_t owner = scopes_.back().owner;
    const auto group = std::find(statement_.begin(), statement_.end(), "group");
    std::string_view name;
    if (statement_.size() == 2 && statement_[0] == "message") name = statement_[1];
    if (group != statement_.end() && group + 1 != statement_.end()) name = group[1];
    if (name.empty() || scopes_.size() > kMaxDepth) {
      scopes_.push_back({{}, {}, 0, owner});
      return;
    }
    ProtoMessage message{scopes_[owner].prefix + std::string(name), scopes_[owner].path};
    message.path.push_back(scopes_[owner].messages++);
    scopes_.push_back({message.name + ".", message.path, 0, scopes_.size()});
    messages_.push_back(std::move(message));
  }

  std::vector<Scope> scopes_;  // the file, and what is open in it
  std::vector<std::string_view> statement_;
  std::vector<ProtoMessage> messages_;
};

}  // namespace

std::vector<ProtoMessage> messages_of(std::string_view proto) { return Scanner().scan(proto); }

}  // namespace slipstream::codecs
