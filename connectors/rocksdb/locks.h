#pragma once
#include <sys/types.h>

#include <optional>
#include <string>

namespace slipstream::rocks {

/// The process that has the database in `path` open to write; 0 when it can't be seen which. Empty: nobody,
/// as far as can be known. Looks at what the kernel tells of locks, for opening the lock file here and
/// closing it again would give up a lock of this process.
std::optional<pid_t> writer_of(const std::string& path);

/// "process 1234 has it open", of whatever can be told.
std::string holder_text(const std::string& path);

}  // namespace slipstream::rocks
