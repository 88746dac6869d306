#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "slipstream/handler.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "waiting.h"

/// What a Proxy promises about who gets what: listeners, which are handlers, and subscribers, which come and
/// go.
namespace slipstream::test {
namespace {

using testing::ElementsAre;

const auto kSame = [](int n) { return n; };
auto note(std::vector<std::string>& all, const std::string& who) {
  return [&all, who](int n) { all.push_back(who + std::to_string(n)); };
}

TEST(ProxyListeners, GetEachMessageInTheOrderInWhichTheyWereBound) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  app.on(proxy).handle(note(order, "first "));
  app.on(from(std::vector<int>{1, 2})).handle(kSame).to(proxy);
  app.on(proxy).handle(note(order, "second "));
  proxy.publish(0);
  proxy.close();
  ASSERT_TRUE(run_to_end(app).status.ok());
  ASSERT_EQ(order.size(), 6u);
  for (std::size_t i = 0; i < order.size(); i += 2) {
    EXPECT_EQ("second" + order[i].substr(5), order[i + 1]) << "no message comes between the two";
  }
}

TEST(ProxySubscribers, GetWhatIsPublishedFromNowOnUntilTheyEnd) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  proxy.publish(1);
  Subscription a = proxy.subscribe(note(order, "a"));
  proxy.publish(2);
  {
    const Subscription b = proxy.subscribe(note(order, "b"));
    proxy.publish(3);
  }
  proxy.publish(4);
  a.end();
  a.end();  // again: nothing
  proxy.publish(5);
  EXPECT_THAT(order, ElementsAre("a2", "a3", "b3", "a4"));
}

TEST(ProxySubscribers, GetWhatHandlersPublishBeforeTheListenersDo) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  const Subscription outside = proxy.subscribe(note(order, "subscriber "));
  app.on(proxy).handle(note(order, "listener "));
  app.on(from(std::vector<int>{1, 2})).handle(kSame).to(proxy, note(order, "sink "));
  proxy.close();
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(order,
              ElementsAre("subscriber 1", "sink 1", "listener 1", "subscriber 2", "sink 2", "listener 2"));
}

TEST(ProxySubscribers, NeedNoListenersAndDoNotKeepARunFromEnding) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  const Subscription outside = proxy.subscribe(note(order, ""));
  app.on(from(std::vector<int>{1, 2})).handle(kSame).to(proxy);
  proxy.close();
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(order, ElementsAre("1", "2"));
}

TEST(ProxySubscribers, MayEndThemselvesAndOthersAndAddNewOnesMeanwhile) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  std::optional<Subscription> first, second, late;
  first = proxy.subscribe([&](int n) {
    order.push_back("first " + std::to_string(n));
    if (n != 2) return;
    late = proxy.subscribe(note(order, "late "));
    second.reset();  // comes after this one, but not any more
    first.reset();
  });
  second = proxy.subscribe(note(order, "second "));
  for (int n = 1; n <= 3; ++n) proxy.publish(n);
  EXPECT_THAT(order, ElementsAre("first 1", "second 1", "first 2", "late 3"));
}

TEST(ProxySubscribers, MayPublish) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<std::string> order;
  const Subscription again = proxy.subscribe([&](int n) {
    order.push_back(std::to_string(n));
    if (n < 3) proxy.publish(n + 1);
  });
  proxy.publish(1);
  EXPECT_THAT(order, ElementsAre("1", "2", "3"));
}

TEST(ProxySubscribers, AreNotCalledAnyMoreWhenTheirEndHasReturned) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::atomic<bool> stop{false};
  std::vector<std::thread> publishers;
  for (int t = 0; t < 2; ++t) {
    publishers.emplace_back([&] {
      while (!stop) proxy.subscribers()->call(1);
    });
  }
  for (int round = 0; round < 500; ++round) {
    std::atomic<int> calls{0};
    auto alive = std::make_unique<int>(0);  // a sanitizer sees who comes too late
    Subscription here = proxy.subscribe([&](int) {
      ++*alive;  // by one thread at a time
      ++calls;
    });
    while (calls == 0) std::this_thread::yield();
    here.end();
    EXPECT_EQ(*alive, calls);
    alive.reset();
  }
  stop = true;
  for (auto& t : publishers) t.join();
}

TEST(ProxySubscribers, MayOutliveTheApp) {
  Subscription left;
  {
    App app;
    left = app.proxy<int>("proxy").subscribe([](int) {});
  }
  left.end();
}

TEST(ProxySubscribers, ThatThrowAreAnErrorOfWhoPublished) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  const Subscription bad = proxy.subscribe([](int) { throw std::runtime_error("no room"); });
  EXPECT_THROW(proxy.publish(1), std::runtime_error);
  app.on(from(std::vector<int>{7})).handle(kSame).named("publisher").to(proxy);
  proxy.close();
  EXPECT_EQ(run_to_end(app).status.message(), "publisher: in-memory records partition 0 offset 0: no room");
}

}  // namespace
}  // namespace slipstream::test
