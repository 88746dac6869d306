#include <exception>
#include <string>

namespace slipstream::detail {

/// The text of the exception being handled.
std::string describe_current_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that isn't a std::exception";
  }
}

}  // namespace slipstream::detail
