#include "runtime/inbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace slipstream::runtime {
namespace {

struct Numbered final : detail::Message {
  Numbered() : Message(Kind::control) {}
  std::atomic<bool> in_inbox{false};
};

TEST(Inbox, IsEmptyAtFirst) {
  Inbox inbox;
  EXPECT_EQ(inbox.pop(), nullptr);
  EXPECT_EQ(inbox.pop(), nullptr);
}

TEST(Inbox, ReturnsMessagesInTheirOrder) {
  Inbox inbox;
  Numbered a, b, c;
  inbox.push(&a);
  inbox.push(&b);
  EXPECT_EQ(inbox.pop(), &a);
  inbox.push(&c);
  EXPECT_EQ(inbox.pop(), &b);
  EXPECT_EQ(inbox.pop(), &c);
  EXPECT_EQ(inbox.pop(), nullptr);
}

TEST(Inbox, TakesAMessageAgainAsSoonAsItIsOut) {
  Inbox inbox;
  Numbered only;
  for (int i = 0; i < 1000; ++i) {
    inbox.push(&only);
    ASSERT_EQ(inbox.pop(), &only);
    ASSERT_EQ(inbox.pop(), nullptr);
  }
}

/// Each producer owns a few messages and sends them round and round, numbered; the consumer checks every
/// number.
void check_order(int producers, std::uint64_t messages_each) {
  constexpr std::size_t kOwned = 64;
  Inbox inbox;
  std::vector<std::vector<Numbered>> owned;
  for (int p = 0; p < producers; ++p) owned.emplace_back(kOwned);
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (std::uint64_t i = 0; i < messages_each; ++i) {
        Numbered& message = owned[static_cast<std::size_t>(p)][i % kOwned];
        while (message.in_inbox.load(std::memory_order_acquire)) std::this_thread::yield();
        message.in_inbox.store(true, std::memory_order_relaxed);
        message.channel = static_cast<std::uint32_t>(p);
        message.sequence = i;
        inbox.push(&message);
      }
    });
  }
  std::vector<std::uint64_t> next(static_cast<std::size_t>(producers));
  std::uint64_t wrong = 0;
  for (std::uint64_t left = messages_each * static_cast<std::uint64_t>(producers); left > 0;) {
    detail::Message* message = inbox.pop();
    if (!message) {
      std::this_thread::yield();
      continue;
    }
    wrong += message->sequence != next[message->channel]++;
    static_cast<Numbered*>(message)->in_inbox.store(false, std::memory_order_release);
    --left;
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(inbox.pop(), nullptr);
}

class InboxProducers : public testing::TestWithParam<int> {};

TEST_P(InboxProducers, KeepTheirOrder) {
  check_order(GetParam(), 1'000'000 / static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Threads, InboxProducers, testing::Values(1, 2, 4, 8));

}  // namespace
}  // namespace slipstream::runtime
