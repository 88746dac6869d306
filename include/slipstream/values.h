#pragma once
#include <any>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipstream {

/// Named values of any type, given to App::run() for the handlers that ask for a HandlerContext.
class Values {
 public:
  /// Replaces a value of the same name.
  template <class T>
  Values& set(std::string name, T value) {
    std::erase_if(values_, [&](const auto& v) { return v.first == name; });
    values_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  /// Null when there is none of this name and type. Valid as long as these values.
  template <class T>
  const T* get(std::string_view name) const {
    for (const auto& [n, value] : values_) {
      if (n == name) return std::any_cast<T>(&value);
    }
    return nullptr;
  }

 private:
  std::vector<std::pair<std::string, std::any>> values_;
};

}  // namespace slipstream
