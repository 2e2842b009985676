// SPDX-License-Identifier: Apache-2.0
//
// A world with checkpoints on a simulated disk, in one thread: what its tables were behind each
// record, what was acknowledged and when; and what a recovery makes of a disk.
#pragma once

#include <cstring>
#include <perdure/io/keeper.hpp>
#include <perdure/io/recovery.hpp>
#include <perdure/tests/io/busy_calls.hpp>
#include <perdure/tests/io/simulated_disk.hpp>
#include <perdure/tests/shm/audit.hpp>
#include <perdure/tests/shm/papers.hpp>
#include <perdure/tests/shm/ranks.hpp>
#include <stdexcept>

namespace perdure::tests {

using busy_disk = busy<simulated_disk>;

/// Zeroed memory for a region, used again: fresh pages take longer than a recovery.
inline std::vector<std::unique_ptr<shared_bytes>> spare_memory;
struct give_back {
    void operator()(shared_bytes* used) const {
        const auto& header = *reinterpret_cast<shm::region_header*>(used->span().data());
        const auto bytes = header.page_next.value * shm::page_bytes;
        std::memset(used->span().data() + header.geometry.pages_at, 0, bytes);
        spare_memory.emplace_back(used);
    }
};
using region_memory = std::unique_ptr<shared_bytes, give_back>;
inline region_memory take_memory() {
    if (spare_memory.empty()) return region_memory(new shared_bytes(small_bytes));
    region_memory taken(spare_memory.back().release());
    spare_memory.pop_back();
    return taken;
}

/// What a recovery makes of a disk.
struct recovery_of {
    std::vector<region_memory> memory;
    io::opening_report report;
    io::recovered_region made;
    bool is_done = false;
    /// By the best plan, or by the one that is given.
    explicit recovery_of(simulated_disk& disk, std::uint64_t lsn_max = ~0ULL,
                         const io::recovery_plan* plan = nullptr) {
        io::file_system files(disk);
        const auto promised = io::manifest::open(files, "world", io::open_mode::read, report.found);
        if (!promised) return;
        if (plan != nullptr) {
            made.region = fresh(*promised);
            is_done = io::recover(files, *promised, *plan, *made.region, report).has_value();
            return;
        }
        io::recovery_order order;
        order.lsn_max = lsn_max;
        order.fresh = [&](bool) { return fresh(*promised); };
        auto best = io::recover_best(files, *promised, order, report);
        is_done = best.has_value();
        if (is_done) made = std::move(*best);
    }
    std::unique_ptr<shm::region> fresh(const io::manifest& promised) {
        auto like = small_options();
        like.world = promised.world();
        like.incarnation = like.generation = promised.incarnation() + 1;
        memory.push_back(take_memory());
        return std::make_unique<shm::region>(shm::region::over(memory.back()->span(), like));
    }
    /// All that was tried, for a failure's words.
    [[nodiscard]] std::string words() const {
        std::string all = is_done ? "recovered" : "refused";
        for (const auto& each : report.tried) all += "; " + each.what + ": " + each.verdict;
        if (report.found) all += "; " + report.found->file + ": " + report.found->cause;
        return all;
    }
};

struct scene_options {
    std::uint64_t seed = 1;
    io::checkpoint_policy policy{};
    shm::region_options region = small_options();
};

/// All by one thread; what must not be is thrown as std::runtime_error.
class checkpoint_scene final : shm::drain {
  public:
    busy_disk disk;
    std::uint64_t first_lsn = 0;                              ///< Of images.front().
    std::vector<row_image> images;                            ///< The tables behind each record.
    std::vector<std::pair<std::size_t, std::uint64_t>> acks;  ///< Changes of the disk, and the LSN.
    std::vector<io::checkpoint_news> news;
    std::size_t born_at = 0;  ///< Changes after which the world is whole.

    /// A new world with its tables, all of it durable.
    explicit checkpoint_scene(const scene_options& how) : how_(how), memory_(take_memory()) {
        where_ = std::make_unique<shm::region>(shm::region::over(memory_->span(), how.region));
        must(io::manifest::create(files_, "world", how.region.world), "no MANIFEST");
        begin();
        in_ = make_bank(*self_);
        texts_ = papers::make(*self_);
        sorted_ = ranks::make(*self_);
        open_accounts(*self_, in_, 0, accounts);
        note();
        for (int i = 0; i < 120; ++i) write([&](auto& tx) { return take_wide(tx); });
        drain();
        born_at = disk.changes();
    }
    /// Goes on where a recovery of `image` ended, as io/opening does it.
    checkpoint_scene(const simulated_disk& image, recovery_of&& from, const scene_options& how)
        : disk(image),
          first_lsn(from.report.last_lsn),
          how_(how),
          memory_(std::move(from.memory.back())),
          where_(std::move(from.made.region)) {
        std::optional<io::finding> found;
        auto all = io::manifest::open(files_, "world", io::open_mode::read_write, found);
        must(all && all->raise_incarnation(), "the MANIFEST of the image");
        begin();
        in_ = {shm::find_table(*where_, "accounts").value(),
               shm::find_table(*where_, "wide").value()};
        texts_ = papers::find(*where_);
        sorted_ = ranks::find(*where_);
    }
    [[nodiscard]] shm::region& where() noexcept { return *where_; }
    [[nodiscard]] io::keeper& keeper() noexcept { return keeper_; }
    [[nodiscard]] std::mt19937_64& random() noexcept { return random_; }
    [[nodiscard]] io::manifest promised() {
        std::optional<io::finding> found;
        return io::manifest::open(files_, "world", io::open_mode::read, found).value();
    }
    /// Transactions of whatever kind.
    void act(std::uint64_t times) {
        while (times-- != 0) act_once();
    }
    /// Until the ring is empty; each round is acknowledged.
    void drain() {
        while (keeper_.drain_once(*where_).value() != 0) acknowledge();
    }
    /// A checkpoint, if anything has changed.
    void checkpoint(bool full) {
        disk.beside = [this] {  // Others commit and drain while it is written.
            act(random_() % 6);
            if (random_() % 4 == 0) drain();
        };
        const auto made = keeper_.checkpoint(*where_, full);
        disk.beside = nullptr;
        must(made, news.empty() ? "a checkpoint" : news.back().cause);
        must(keeper_.take(*where_), "the lease");
        acknowledge();
    }
    template <class Answer>
    static void must(const Answer& holds, const std::string& what) {
        if (!holds) throw std::runtime_error("the scene: " + what);
    }

  private:
    static constexpr std::uint64_t accounts = 16;
    void begin() {
        images.push_back(image_of(*where_));
        noted_ = shm::load(where_->header().producer.tail);
        self_.emplace(shm::session::join(*where_, this).value());
        must(keeper_.take(*where_), "the lease");
        acknowledge();
    }
    void acknowledge() {
        acks.emplace_back(disk.changes(), shm::load(where_->header().durable.lsn));
    }
    result<> help(shm::region&) noexcept override { return note(), drain(), result<>(); }
    /// Keeps what the tables are behind each record written since.
    void note() {
        const auto walked = walk_ring(*where_, noted_);
        must(walked.fault.empty(), walked.fault);
        for (const auto& record : walked.records) {
            images.push_back(images.back());
            const auto fault = replay(images.back(), record);
            must(fault.empty(), fault);
            noted_ += record.size();
        }
    }
    template <class Closure>
    void write(Closure&& closure) {
        const auto paid = self_->write(closure);
        const bool is_answer = paid || paid.error() == errc::not_found ||
                               paid.error() == errc::exists || paid.error() == errc::value_left;
        must(is_answer, paid ? "" : std::string(name(paid.error())));
        note();
    }
    result<> take_wide(shm::transaction& tx) {
        const auto taken = PERDURE_TRY(shm::take_row(tx, in_.wide));
        reinterpret_cast<wide_row*>(taken.copy)->words[random_() % 126] = random_();
        return {};
    }
    void act_once() {
        const auto one = random_() % accounts;
        const auto other = (one + 1 + random_() % (accounts - 1)) % accounts;
        const auto key = key_of(1000 + random_() % 20);
        const auto amount = static_cast<std::int64_t>(random_() % 99 + 1);
        const auto group = static_cast<std::uint32_t>(one % 3);
        const auto name = std::to_string(one % 6);
        switch (random_() % 12) {
            case 0: return write([&](auto& tx) { return take_wide(tx); });
            case 1: return write([&](auto& tx) { return free_row(tx, in_.wide, random_() % 160); });
            case 2: return write([&](auto& tx) { return insert_key(tx, in_.accounts, key); });
            case 3: return write([&](auto& tx) { return erase_key(tx, in_.accounts, key); });
            case 4:
                must(texts_->save(*self_, key, text_of(random_() % 5000, one)), "a text");
                return note();
            case 5: return write([&](auto& tx) { return texts_->erase(tx, key); });
            case 6: return write([&](auto& tx) { return add_rank(tx, sorted_, group, amount); });
            case 7: return write([&](auto& tx) { return free_row(tx, sorted_.table, one); });
            case 8: return write([&](auto& tx) { return create_table(tx, wide_schema(name)); });
            default: return write([&](auto& tx) { return move(tx, in_, one, other, amount); });
        }
    }

    scene_options how_;
    io::file_system files_{disk};
    region_memory memory_;
    std::unique_ptr<shm::region> where_;
    std::optional<shm::session> self_;
    io::checkpointer_options order_{how_.policy, [this](auto& each) { news.push_back(each); }, {}};
    io::keeper keeper_{files_, "world", {16 << 10, order_}};
    bank in_;
    std::optional<papers> texts_;
    ranks sorted_;
    std::mt19937_64 random_{how_.seed};
    std::uint64_t noted_ = 0;  // Position in the ring.
};

}  // namespace perdure::tests
