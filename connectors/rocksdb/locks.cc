#include "connectors/rocksdb/locks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace slipstream::rocks {

std::optional<pid_t> writer_of(const std::string& path) {
  struct stat file {};
  if (::stat((path + "/LOCK").c_str(), &file) != 0) return std::nullopt;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    int pid = 0;
    unsigned major_number = 0;
    unsigned minor_number = 0;
    unsigned long inode = 0;
    // "1: POSIX  ADVISORY  WRITE 1234 fd:01:131074 0 EOF"; a lock that is waited for has "->" in it.
    if (std::sscanf(line.c_str(), "%*d: POSIX %*s WRITE %d %x:%x:%lu", &pid, &major_number, &minor_number,
                    &inode) != 4) {
      continue;
    }
    if (inode == file.st_ino && makedev(major_number, minor_number) == file.st_dev) return pid > 0 ? pid : 0;
  }
  return std::nullopt;
}

std::string holder_text(const std::string& path) {
  const auto pid = writer_of(path);
  if (!pid || *pid == 0) return "another process has it open";
  if (*pid == ::getpid()) return "this process has it open already";
  return "process " + std::to_string(*pid) + " has it open";
}

}  // namespace slipstream::rocks
