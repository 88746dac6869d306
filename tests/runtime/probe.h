#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "slipstream/app.h"

/// A keyed node that shows a test what the runtime does with one of its lanes.
namespace slipstream::test {

template <class T>
struct ProbeHooks {
  /// In lane `lane`; called by one thread at a time, or the runtime is broken.
  std::function<void(std::uint32_t lane, const detail::Batch<T>&)> on_batch = [](std::uint32_t, const auto&) {
  };
  std::function<void(std::uint32_t lane, EventTime)> on_watermark = [](std::uint32_t, EventTime) {};
};

template <class T>
class Probe final : public detail::TypedOperator<T> {
 public:
  Probe(const detail::OperatorEnv& env, std::shared_ptr<const ProbeHooks<T>> hooks)
      : detail::TypedOperator<T>(env), hooks_(std::move(hooks)) {}
  detail::OutputPort<T> out;

  void on_watermark(std::span<const EventTime> ports) override {
    hooks_->on_watermark(this->env_.index, ports[0]);
  }

 protected:
  void process(detail::Batch<T>& batch) override {
    hooks_->on_batch(this->env_.index, batch);
    this->counters.forwarded += batch.size();
    this->counters.out += batch.size();
    out.emit(batch);
  }

 private:
  std::shared_ptr<const ProbeHooks<T>> hooks_;
};

/// Puts a probe behind an exchange by `key_of`, in as many lanes as the parallelism says.
template <class T, class KeyOf>
Stream<T> probe(const Stream<T>& stream, std::string_view name, KeyOf key_of, ProbeHooks<T> hooks) {
  detail::Node& node = stream.add("probe", detail::Role::keyed, name, Here::current());
  node.named = true;
  auto shared = std::make_shared<const ProbeHooks<T>>(std::move(hooks));
  auto key = std::make_shared<const KeyOf>(std::move(key_of));
  node.make = [shared](const detail::OperatorEnv& env) { return std::make_unique<Probe<T>>(env, shared); };
  node.make_edge = [key](int, const detail::EdgeEnv& env) { return detail::make_exchange<T>(env, key); };
  detail::connect_single<Probe<T>>(node);
  return Stream<T>(stream.graph(), {{&node, 0}});
}

}  // namespace slipstream::test
