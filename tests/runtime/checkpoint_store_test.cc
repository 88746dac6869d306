#include "slipstream/checkpoint_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "files/scratch.h"

namespace slipstream::test {
namespace {

namespace fs = std::filesystem;

class FileStore : public testing::TestWithParam<bool> {
 protected:
  std::shared_ptr<CheckpointStore> store() const {
    return file_store(scratch_.path("kept"), {.sync = GetParam()});
  }
  std::string said(const absl::Status& s) const { return scratch_.without_folder(std::string(s.message())); }

  const file::Scratch scratch_;
};

TEST_P(FileStore, HasTheLastOfEachKey) {
  const std::string bytes("two\0\n", 5);
  EXPECT_EQ(*store()->load("a"), std::nullopt);
  ASSERT_EQ(store()->save("a", "one"), absl::OkStatus());
  ASSERT_EQ(store()->save("a", bytes), absl::OkStatus());
  ASSERT_EQ(store()->save("b/ü", ""), absl::OkStatus());
  EXPECT_EQ(*store()->load("a"), bytes);
  EXPECT_EQ(*store()->load("b/ü"), "");
  EXPECT_TRUE(fs::exists(scratch_.path("kept/b%2f%c3%bc.checkpoint")));
}

TEST_P(FileStore, LeavesTheOldWhenTheNewWasNotWrittenToItsEnd) {
  ASSERT_EQ(store()->save("a", "old"), absl::OkStatus());
  scratch_.file("kept/a.checkpoint.next", "slipstream che");
  EXPECT_EQ(*store()->load("a"), "old");
  ASSERT_EQ(store()->save("a", "new"), absl::OkStatus());
  EXPECT_EQ(*store()->load("a"), "new");
  EXPECT_FALSE(fs::exists(scratch_.path("kept/a.checkpoint.next")));
}

TEST_P(FileStore, SaysWhichFileItCanNotWrite) {
  scratch_.file("kept", "not a folder");
  const absl::Status no_folder = store()->save("a", "x");
  EXPECT_EQ(no_folder.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(said(no_folder), "can't write kept/a.checkpoint.next: Not a directory");
  const absl::Status no_load = store()->load("a").status();
  EXPECT_EQ(no_load.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(said(no_load), "can't open kept/a.checkpoint: Not a directory");
}

TEST_P(FileStore, SaysThatANameIsTooLong) {
  const std::string name(300, 'x');
  EXPECT_EQ(said(store()->save(name, "x")),
            "can't write kept/" + name + ".checkpoint.next: File name too long");
}

TEST_P(FileStore, SaysThatAFolderIsInItsWay) {
  fs::create_directories(scratch_.path("kept/a.checkpoint"));
  EXPECT_EQ(said(store()->save("a", "x")), "can't replace kept/a.checkpoint: Is a directory");
  EXPECT_EQ(said(store()->load("a").status()), "can't read kept/a.checkpoint: Is a directory");
}

TEST_P(FileStore, SaysThatTheDiskIsFull) {
  fs::create_directories(scratch_.path("kept"));
  fs::create_symlink("/dev/full", scratch_.path("kept/a.checkpoint.next"));
  EXPECT_EQ(said(store()->save("a", "x")), "can't write kept/a.checkpoint.next: No space left on device");
}

INSTANTIATE_TEST_SUITE_P(, FileStore, testing::Bool(),
                         [](const auto& info) { return info.param ? "Synced" : "NotSynced"; });

}  // namespace
}  // namespace slipstream::test
