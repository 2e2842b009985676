// SPDX-License-Identifier: Apache-2.0
//
// A boost::unordered_map in a managed_shared_memory, loaded to its final size beforehand and never
// rehashed, beside it a ring of events. Locking is the parameter:
// * one_mutex: one interprocess_mutex around each operation;
// * stripes: 65,536 mutexes, a payment takes its two in order; the map's shape is constant, so that
//   finding a row needs none, and the event's place comes from an atomic counter.
#include "boost_map.hpp"

#include <algorithm>
#include <atomic>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/unordered_map.hpp>
#include <filesystem>
#include <new>
#include <optional>
#include <utility>

namespace perdure::perf {
namespace {

namespace ipc = boost::interprocess;

struct key_hash {
    std::size_t operator()(const account_key& key) const noexcept { return key.high ^ key.low; }
};

using slot = std::pair<const account_key, account_row>;
using slot_allocator = ipc::allocator<slot, ipc::managed_shared_memory::segment_manager>;
using account_map =
    boost::unordered_map<account_key, account_row, key_hash, std::equal_to<>, slot_allocator>;

struct event_ring {
    alignas(64) std::uint64_t next = 0;
    alignas(64) payment_event events[event_ring_length];
};

/// One mutex for everything.
class one_mutex {
  public:
    static constexpr const char* title = "boost-mutex";

    class lock {
      public:
        lock(one_mutex& all, const account_key& /*source*/, const account_key& /*target*/)
            : held_(all.mutex_) {}
        lock(one_mutex& all, const account_key& /*only*/) : held_(all.mutex_) {}

      private:
        ipc::scoped_lock<ipc::interprocess_mutex> held_;
    };

    /// The caller holds the mutex.
    static std::uint64_t take_number(event_ring& ring) noexcept { return ring.next++; }

  private:
    ipc::interprocess_mutex mutex_;
};

/// A mutex per 1/65,536 of the keys.
class stripes {
  public:
    static constexpr const char* title = "boost-striped";

    class lock {
      public:
        lock(stripes& all, const account_key& source, const account_key& target) {
            const std::size_t one = stripe_of(source);
            const std::size_t two = stripe_of(target);
            first_ = scoped(all.mutexes_[std::min(one, two)]);
            if (one != two) second_ = scoped(all.mutexes_[std::max(one, two)]);
        }
        lock(stripes& all, const account_key& only) : first_(all.mutexes_[stripe_of(only)]) {}

      private:
        using scoped = ipc::scoped_lock<ipc::interprocess_mutex>;
        scoped first_;
        scoped second_;
    };

    static std::uint64_t take_number(event_ring& ring) noexcept {
        // Relaxed: the number says where the event goes, nothing is published by it.
        return std::atomic_ref(ring.next).fetch_add(1, std::memory_order_relaxed);
    }

  private:
    static constexpr std::size_t count = 65'536;
    static std::size_t stripe_of(const account_key& key) noexcept {
        return scatter(key.low) % count;
    }

    ipc::interprocess_mutex mutexes_[count];
};

/// A named object that starts a cache line: named construction itself aligns to 8 bytes only.
template <class T>
void construct_aligned(ipc::managed_shared_memory& memory, const char* title) {
    void* const at = memory.allocate_aligned(sizeof(T), 64);
    memory.construct<ipc::offset_ptr<T>>(title)(new (at) T{});
}

template <class T>
T* find_aligned(ipc::managed_shared_memory& memory, const char* title) {
    const ipc::offset_ptr<T>* const found = memory.find<ipc::offset_ptr<T>>(title).first;
    return found == nullptr ? nullptr : found->get();
}

template <class Locks>
class boost_map final : public engine {
  public:
    durability_level applied_level() const noexcept override { return durability_level::none; }

    void create(const store_plan& plan) override {
        place(plan);
        try {
            ipc::managed_shared_memory memory(ipc::create_only, segment_.c_str(), plan.store_bytes);
            construct_aligned<Locks>(memory, "locks");
            construct_aligned<event_ring>(memory, "events");
            const slot_allocator from(memory.get_segment_manager());
            auto* accounts = memory.construct<account_map>("accounts")(from);
            accounts->reserve(plan.accounts);
            for (std::uint64_t i = 0; i < plan.accounts; ++i) {
                accounts->emplace(key_of(i), account_row{opening_balance, 0, {}});
            }
        } catch (const ipc::interprocess_exception& error) {
            throw engine_failure(segment_ + ": " + error.what());
        }
    }

    void destroy() noexcept override {
        memory_.reset();
        if (!segment_.empty()) ipc::shared_memory_object::remove(segment_.c_str());
    }

    void open(const store_plan& plan) override {
        place(plan);
        memory_.emplace(ipc::open_only, segment_.c_str());
        locks_ = find_aligned<Locks>(*memory_, "locks");
        events_ = find_aligned<event_ring>(*memory_, "events");
        accounts_ = memory_->find<account_map>("accounts").first;
        if (locks_ == nullptr || events_ == nullptr || accounts_ == nullptr) {
            throw engine_failure(segment_ + ": incomplete");
        }
    }

    void warm() override {
        const auto* first = static_cast<const volatile char*>(memory_->get_address());
        const std::size_t used = memory_->get_size() - memory_->get_free_memory();
        for (std::size_t at = 0; at < used; at += 4096) (void)first[at];
    }

    bool pay(const payment& what) override {
        const account_key source = key_of(what.source);
        const account_key target = key_of(what.target);
        typename Locks::lock held(*locks_, source, target);
        account_row& from = row(source);
        account_row& into = row(target);
        if (from.balance < what.amount) throw engine_failure(segment_ + ": an account ran dry");
        from.balance -= what.amount;
        into.balance += what.amount;
        ++from.changes;
        ++into.changes;
        const std::uint64_t sequence = Locks::take_number(*events_);
        events_->events[sequence % event_ring_length] = {sequence, source, target, what.amount, {}};
        return true;
    }

    void pay_durably(std::span<const payment> /*what*/) override {
        throw engine_failure(std::string(Locks::title) + " keeps nothing on disk");
    }

    account_row read(std::uint64_t account) override {
        const account_key key = key_of(account);
        typename Locks::lock held(*locks_, key);
        return row(key);
    }

    void hold(std::uint64_t account, const std::function<void()>& while_held) override {
        const account_key key = key_of(account);
        typename Locks::lock held(*locks_, key);
        ++row(key).changes;
        while_held();
    }

    std::int64_t total() override {
        std::int64_t sum = 0;
        for (const auto& [key, row] : *accounts_) {
            typename Locks::lock held(*locks_, key);
            sum += row.balance;
        }
        return sum;
    }

  private:
    void place(const store_plan& plan) {
        segment_ =
            std::filesystem::path(plan.memory_directory).filename().string() + "-" + Locks::title;
    }

    account_row& row(const account_key& key) {
        const auto found = accounts_->find(key);
        if (found == accounts_->end()) throw engine_failure(segment_ + ": unknown account");
        return found->second;
    }

    std::string segment_;
    std::optional<ipc::managed_shared_memory> memory_;
    Locks* locks_ = nullptr;
    event_ring* events_ = nullptr;
    account_map* accounts_ = nullptr;
};

}  // namespace

std::unique_ptr<engine> make_boost_mutex() { return std::make_unique<boost_map<one_mutex>>(); }
std::unique_ptr<engine> make_boost_striped() { return std::make_unique<boost_map<stripes>>(); }

}  // namespace perdure::perf
