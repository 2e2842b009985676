// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <ctime>
#include <perdure/io/digest.hpp>
#include <perdure/io/past.hpp>

namespace perdure::io {

past::past(kernel_calls& calls, std::string directory)
    : files_(calls), directory_(std::move(directory)) {
    std::optional<finding> found;
    auto opened = manifest::open(files_, directory_, open_mode::read, found);
    if (!opened) {
        refuse(opened.error(), found ? found->file + ": " + found->cause : files_.last_error(),
               "check the path; `perdure doctor` looks closer");
    }
    promised_.emplace(std::move(*opened));
}

void past::refuse(errc reason, const std::string& cause, const std::string& todo) const {
    throw failure(reason, "world " + directory_ + ": " + cause, todo);
}

/// LSN before the first record that `is_behind`, or before the last such one; of the whole journal
/// where there is none.
std::uint64_t past::last_before(const std::function<bool(const shm::record_view&)>& is_behind,
                                bool last_one) {
    std::optional<finding> found;
    std::uint64_t last = promised_->checkpoints().empty() ? 0 : promised_->checkpoints().back().lsn;
    std::uint64_t before = ~0ULL;
    const auto walk = [&]() -> result<> {
        auto reader = PERDURE_TRY(journal_reader::open(files_, *promised_, 1, found));
        while (PERDURE_TRY(reader.next(found))) {
            shm::record_walk records(PERDURE_TRY(reader.records(found)));
            shm::record_view record;
            while (PERDURE_TRY(records.next(record))) {
                last = record.lsn();
                if (record.is_padding() || !is_behind(record)) continue;
                before = last - 1;
                if (!last_one) return {};
            }
        }
        return {};
    };
    if (const auto walked = walk(); !walked) {
        refuse(walked.error(), found ? found->file + ": " + found->cause : files_.last_error(),
               "run `perdure verify` on it");
    }
    return before == ~0ULL ? last : before;
}

const checkpoint_entry& past::checkpoint_named(const std::string& text) const {
    std::string known;
    for (const auto& each : promised_->checkpoints()) {
        const auto id = to_string(each.id);
        const auto version = "v" + std::to_string(each.version);
        const bool is_part = text.size() >= 4 && id.starts_with(text);
        if (std::to_string(each.lsn) == text || version == text || is_part) return each;
        known += (known.empty() ? "" : ", ") + version + " (LSN " + std::to_string(each.lsn) + ")";
    }
    refuse(errc::not_found, "it has no checkpoint " + text,
           known.empty() ? "there are none; use --lsn or --at" : "there are " + known);
}

std::uint64_t past::lsn_of(const past_point& point) {
    const auto nothing = [](const shm::record_view&) { return false; };
    switch (point.by) {
        case past_point::kind::checkpoint: return checkpoint_named(point.text).last_lsn;
        case past_point::kind::latest: return last_before(nothing, false);
        case past_point::kind::lsn: {
            const auto last = last_before(nothing, false);
            if (point.number == 0 || point.number > last) {
                refuse(errc::not_found, "it has no record " + std::to_string(point.number),
                       "the last durable one is " + std::to_string(last));
            }
            return point.number;
        }
        case past_point::kind::time: {
            // The longest beginning without a later record: a clock that was set back shortens it.
            bool is_kept = false;
            const auto lsn = last_before(
                [&](const shm::record_view& record) {
                    const bool is_later = record.transaction().wall_ns > point.number;
                    is_kept = is_kept || !is_later;
                    return is_later;
                },
                false);
            // Else it is a checkpoint's own moment, and that may have been later.
            for (const auto& each : promised_->checkpoints()) {
                is_kept = is_kept || (each.last_lsn == lsn && each.cut_ns <= point.number);
            }
            if (lsn == 0 || !is_kept) {
                refuse(errc::not_found, "its history begins later than that", "name a later time");
            }
            return lsn;
        }
        case past_point::kind::before_event: {
            bool met = false;
            const auto lsn = last_before(
                [&](const shm::record_view& record) {
                    for (const auto& event : record.events()) {
                        if (event.type == point.number) return met = true;
                    }
                    return false;
                },
                true);
            if (!met)
                refuse(errc::not_found, "no kept record has such an event", "see `perdure events`");
            return lsn;
        }
    }
    refuse(errc::not_found, "no such point", "name one");
}

/// Into memory that nobody finds.
recovery_order past::order_from(const opening_options& how) const {
    const std::string folder = how.region_directory.empty() ? "/dev/shm" : how.region_directory;
    const std::string path = folder + "/perdure-past-" + to_string(random_uuid());
    shm::region_options fresh = how.region;
    fresh.world = promised_->world();
    fresh.incarnation = promised_->incarnation();
    recovery_order order;
    order.validators = how.validators;
    order.fresh = [path, fresh](bool more) mutable {
        if (more) fresh.capacity_bytes += fresh.capacity_bytes / 4 + (16ULL << 20);
        auto made = std::make_unique<shm::region>(shm::region::create(path, fresh));
        ::unlink(path.c_str());  // Nobody shall find it, and it goes with us.
        return made;
    };
    return order;
}

std::unique_ptr<shm::region> past::salvage(const opening_options& how, opening_report& report) {
    for (const bool accepts_loss : {false, true}) {
        auto order = order_from(how);
        order.accepts_loss = accepts_loss;
        auto best = recover_best(files_, *promised_, order, report);
        if (best) return std::move(best->region);
        const auto reason = best.error();
        if (reason == errc::no_memory || reason == errc::io_error || reason == errc::region_full) {
            refuse(reason, report.found ? report.found->cause : files_.last_error(),
                   std::string(remedy(reason)));
        }
    }
    return nullptr;
}

std::unique_ptr<shm::region> past::at(std::uint64_t lsn, const opening_options& how,
                                      opening_report& report, bool oldest_first) {
    auto order = order_from(how);
    order.lsn_max = lsn;
    order.oldest_first = oldest_first;
    auto best = recover_best(files_, *promised_, order, report);
    if (best && report.last_lsn == lsn) return std::move(best->region);
    std::string cause = "LSN " + std::to_string(lsn) + " cannot be had";
    if (report.found) cause += ": " + report.found->file + ": " + report.found->cause;
    std::string there;
    for (const auto& each : promised_->checkpoints()) {
        there += (there.empty() ? "" : ", ") + std::to_string(each.last_lsn);
    }
    const errc reason = best || best.error() == errc::missing ? errc::history_gone : best.error();
    std::string todo = "name a later point";
    if (!there.empty()) todo = "checkpoints are kept of LSN " + there;
    if (reason != errc::history_gone) {
        todo += "; `perdure restore --latest --accept-loss` takes what can still be had";
    }
    refuse(reason, cause, todo);
}

namespace {

/// ".25" as nanoseconds; goes on behind it. 0 where nothing of the kind stands.
std::uint64_t fraction_ns(const char*& at) noexcept {
    if (*at != '.' || at[1] < '0' || at[1] > '9') return 0;
    std::uint64_t out = 0;
    std::uint64_t worth = 100'000'000;
    for (++at; *at >= '0' && *at <= '9'; ++at, worth /= 10) {
        out += worth * static_cast<std::uint64_t>(*at - '0');
    }
    return out;
}

}  // namespace

result<std::uint64_t> parse_time(std::string_view text) noexcept {
    constexpr std::uint64_t second = 1'000'000'000;
    std::uint64_t number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && rest == text.data() + text.size()) {
        return number < ~0ULL / second ? result<std::uint64_t>(number * second) : errc::bad_setting;
    }
    std::tm parts{};
    std::array<char, 32> copy{};
    if (text.size() >= copy.size()) return errc::bad_setting;
    std::copy(text.begin(), text.end(), copy.begin());
    for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M",
                             "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
        parts = {};
        const char* end = ::strptime(copy.data(), form, &parts);
        if (end == nullptr) continue;
        const std::uint64_t part = form[std::strlen(form) - 1] == 'S' ? fraction_ns(end) : 0;
        if (*end != '\0' && std::strcmp(end, "Z") != 0) continue;
        const auto seconds = ::timegm(&parts);
        if (seconds < 0) return errc::bad_setting;
        return static_cast<std::uint64_t>(seconds) * second + part;
    }
    return errc::bad_setting;
}

}  // namespace perdure::io
