#ifdef SLIPSTREAM_ROCKSDB
#include "slipstream/cache.h"

#include "runtime/cli/command.h"
#include "runtime/cli/json_lines.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

absl::Status verify(const std::string& path) {
  if (absl::Status s = verify_cache(path); !s.ok()) return s;
  return print(path + ": every file is as it was written\n");
}

absl::Status repair(const std::string& path) {
  if (absl::Status s = repair_cache(path); !s.ok()) return s;
  return print(path + ": what could be read is there\n");
}

absl::Status dump(const std::string& path) {
  LineWriter writer;
  return dump_cache(path, [&](const CacheDumpEntry& entry) {
    std::string line = "{";
    writer.append_member("family", entry.family, line);
    line.append(",\"key\":").append(entry.key).append(",");
    if (entry.is_column) {
      writer.append_member("column", entry.column, line);
      line += ',';
    }
    writer.append_member("value", entry.value, line);
    return print(line + "}\n");
  });
}

struct Action {
  const char* name;
  absl::Status (*run)(const std::string& path);
};
constexpr Action kActions[] = {{"verify", verify}, {"repair", repair}, {"dump", dump}};

absl::Status look_after(const Invocation& invocation) {
  const std::string& wanted = invocation.arguments[0];
  std::vector<std::string> names;
  for (const Action& action : kActions) {
    if (wanted == action.name) return action.run(invocation.arguments[1]);
    names.emplace_back(action.name);
  }
  const std::string hint = detail::did_you_mean(wanted, names);
  return absl::InvalidArgumentError("no action '" + detail::one_line(wanted) + "'" +
                                    (hint.empty() ? "; there are verify, repair and dump" : hint));
}

}  // namespace

int run_cache(int argc, const char* const* argv) {
  return run_command(
      {.name = "cache",
       .arguments = {"verify|repair|dump", "PATH"},
       .about =
           "Looks after the database in the folder PATH, which no program may have open meanwhile: that of a "
           "cache with a\n"
           "path of its own, or FOLDER/db of a program with state.dir = FOLDER.\n\n"
           "  verify   reads every file and compares checksums; changes nothing\n"
           "  repair   makes a damaged database one that opens, with what can be read of it; the rest is "
           "lost, "
           "so copy\n"
           "           the folder first\n"
           "  dump     prints every entry as a line of JSON: family, key, value (value_base64 when it is no "
           "text), and column\n"
           "           for those that have columns; changes nothing\n\n"
           "Ends with 4 when the database is damaged, with 2 when there is none or it is in use.",
       .options = {},
       .run = look_after},
      argc, argv);
}

}  // namespace slipstream::cli
#endif
