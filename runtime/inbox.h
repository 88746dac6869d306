#pragma once
#include <atomic>

#include "slipstream/detail/batch.h"

namespace slipstream::runtime {

/// Messages for one lane, from many threads, in the order of each sender.
///
/// A linked list with a stub (the intrusive queue of Dmitry Vyukov). Invariants:
///  1. head_ is the last message pushed; a pusher swaps itself in and then links itself behind the one
///  before.
///  2. tail_ belongs to the consumer and is the oldest message, or the stub in front of it.
///  3. Between a pusher's swap and its link the list is cut: pop() then finds nothing, and the pusher's
///     notification, which follows, makes the lane look again.
class Inbox {
 public:
  using Message = detail::Message;

  Inbox() : head_(&stub_), tail_(&stub_) {}

  /// From any thread.
  void push(Message* message) {
    message->next.store(nullptr, std::memory_order_relaxed);
    Message* before = head_.exchange(message, std::memory_order_acq_rel);
    before->next.store(message, std::memory_order_release);
  }
  /// The oldest message or null; by one thread at a time. The message may be pushed again at once.
  Message* pop() {
    Message* tail = tail_;
    Message* next = tail->next.load(std::memory_order_acquire);
    if (tail == &stub_) {
      if (!next) return nullptr;
      tail_ = tail = next;
      next = next->next.load(std::memory_order_acquire);
    }
    if (next) {
      tail_ = next;
      return tail;
    }
    if (tail != head_.load(std::memory_order_acquire)) return nullptr;  // invariant 3
    push(&stub_);
    next = tail->next.load(std::memory_order_acquire);
    if (!next) return nullptr;
    tail_ = next;
    return tail;
  }

 private:
  struct Stub final : Message {
    Stub() : Message(Kind::control) {}
  };
  Stub stub_;
  alignas(64) std::atomic<Message*> head_;
  alignas(64) Message* tail_;
};

}  // namespace slipstream::runtime
