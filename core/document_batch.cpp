// SPDX-License-Identifier: Apache-2.0
//
// Many documents at once: saved in few transactions, loaded page by page.
#include <algorithm>
#include <atomic>
#include <perdure/core/document_key.hpp>
#include <perdure/core/document_write.hpp>

namespace perdure {
namespace {

using shm::view;

/// What a put takes of the undo area beside its value's chunks: two rows, their buckets, ranges,
/// a node of the ordered index.
constexpr std::uint64_t undo_of_put = 2048;
constexpr std::uint64_t undo_of_chunk = sizeof(shm::blob_chunk) + 32;

std::uint64_t undo_of(const document_value& value) noexcept {
    return undo_of_put + shm::chunks_of(value.bytes.size()) * undo_of_chunk;
}

bool are_long(std::span<const document_entry> all) noexcept {
    constexpr std::uint64_t long_bytes = 4ULL << 20;  // Ten milliseconds for one core.
    std::uint64_t bytes = 0;
    for (const auto& each : all) bytes += each.value.bytes.size();
    return bytes >= long_bytes;
}

void lower_to(std::atomic<std::size_t>& least, std::size_t value) noexcept {
    for (auto seen = least.load(); value < seen;) {
        if (least.compare_exchange_weak(seen, value)) return;
    }
}

}  // namespace

/// The error is that of the first of them that is refused, however they were checked.
result<std::vector<documents::writing>> documents::check_all(std::string_view collection,
                                                             std::span<const document_entry> all,
                                                             const document_change& change) const {
    constexpr std::size_t portion = 64;
    std::vector<writing> out(all.size());
    std::atomic<std::size_t> refused = all.size();
    const auto check = [&](std::size_t i) {
        return writing::checked({collection, all[i].name}, all[i].value, change);
    };
    const auto check_portion = [&](std::size_t number) {
        const std::size_t end = std::min((number + 1) * portion, all.size());
        for (std::size_t i = number * portion; i < end && i < refused.load(); ++i) {
            if (const auto one = check(i)) {
                out[i] = *one;
            } else {
                lower_to(refused, i);
            }
        }
    };
    const std::size_t portions = (all.size() + portion - 1) / portion;
    if (spread_ != nullptr && are_long(all)) {
        spread_(portions, check_portion);
    } else {
        for (std::size_t i = 0; i < portions; ++i) check_portion(i);
    }
    if (refused < all.size()) return check(refused).error();
    return out;
}

result<shm::receipt> documents::save(shm::session& by, std::string_view collection,
                                     std::span<const document_entry> all, const saving& how) const {
    document_change change;
    change.actor = how.actor;
    change.reason = how.reason;
    change.limits = how.limits;
    const auto checked = PERDURE_TRY(check_all(collection, all, change));
    constexpr std::size_t ahead = 4;  // Documents whose memory is under way meanwhile.
    const auto put_all = [&](std::span<const writing> some) -> result<shm::receipt> {
        std::uint64_t chunks = 0;
        for (const auto& each : some) chunks += shm::chunks_of(each.value.bytes.size());
        PERDURE_TRY(by.provide(tables_.heap, chunks, how.until));
        PERDURE_TRY(by.provide(tables_.documents, some.size(), how.until));
        PERDURE_TRY(by.provide(tables_.versions, some.size(), how.until));
        return by.write(
            [&](shm::transaction& in) -> result<> {
                for (std::size_t i = 0; i < some.size(); ++i) {
                    const auto& soon = some[std::min(i + ahead, some.size() - 1)];
                    by.expect(tables_.documents, soon.key);
                    PERDURE_TRY(put_checked(in, some[i]));
                }
                return {};
            },
            how.until);
    };
    if (how.atomic) return put_all(checked);
    const std::uint64_t room = by.where().geometry().undo_bytes * 3 / 4;
    const std::uint64_t direct = shm::blob_direct_max(by.where());
    shm::receipt last;
    for (std::size_t from = 0; from < checked.size();) {
        std::size_t count = 1;
        std::uint64_t undo = undo_of(checked[from].value);
        while (from + count < checked.size()) {
            undo += undo_of(checked[from + count].value);
            if (undo > room) break;
            ++count;
        }
        const bool is_long = checked[from].value.bytes.size() > direct;
        auto paid =
            is_long
                ? result<shm::receipt>(PERDURE_TRY(put_staged(by, checked[from], how.until)).paid)
                : put_all(std::span(checked).subspan(from, count));
        // Old versions that go may need more room than was thought: fewer then.
        while (!paid && paid.error() == errc::transaction_too_large && count > 1) {
            count /= 2;
            paid = put_all(std::span(checked).subspan(from, count));
        }
        if (!paid) return paid.error();
        last = *paid;
        from += is_long ? 1 : count;
    }
    return last;
}

/// Calls each.take(view, row) for the collection's documents in the order of their names, a page of
/// them in one view: what a page says was true at one moment, and nothing was missing in it.
template <class Each>
result<> documents::for_each_page(shm::session& by, std::string_view collection,
                                  Each&& each) const {
    if (!collection.empty() && !is_sound_collection(collection)) return errc::bad_name;
    shm::index_key from;
    shm::index_key to;
    to.words.fill(~0ULL);
    if (!collection.empty()) from.words[0] = to.words[0] = hash_of_collection(collection);
    for (bool more = true; more;) {
        const auto mark = each.mark();
        auto last = from;
        PERDURE_TRY(by.read([&](view& in) -> result<bool> {
            each.back_to(mark);
            more = false;
            shm::scan<view> names(in, by_name_, from, to);
            for (std::size_t i = 0; PERDURE_TRY(names.next()); ++i) {
                more = i == documents_at_once;
                if (more) break;
                last = names.key();
                const auto head = PERDURE_TRY(in.get<document_row>(tables_.documents, names.row()));
                // Two collections may have one hash.
                const bool is_it = collection.empty() || text_in(head.collection) == collection;
                if (is_it) PERDURE_TRY(each.take(in, head));
            }
            return true;
        }));
        from = last;
        ++from.words[by_name_.shape.words - 1];
    }
    return {};
}

namespace {

/// What a page's readers add to; a page that is read again begins where it began.
template <class Element, class Read>
struct collected {
    std::vector<Element>& out;
    Read read;
    [[nodiscard]] std::size_t mark() const noexcept { return out.size(); }
    void back_to(std::size_t mark) { out.resize(mark); }
    result<> take(view& in, const document_row& row) {
        out.push_back(PERDURE_TRY(read(in, row)));
        return {};
    }
};

template <class Element, class Read>
collected<Element, Read> collect(std::vector<Element>& out, Read read) {
    return {out, std::move(read)};
}

}  // namespace

result<std::vector<loaded_document>> documents::load(shm::session& by,
                                                     std::string_view collection) const {
    if (collection.empty()) return errc::bad_name;
    std::vector<loaded_document> out;
    auto all = collect(out, [&](view& in, const document_row& row) -> result<loaded_document> {
        auto head = head_of(row);
        auto value = PERDURE_TRY(get(in, {head.collection, head.name}, head.version));
        return loaded_document{std::move(head), std::move(value)};
    });
    PERDURE_TRY(for_each_page(by, collection, all));
    std::sort(out.begin(), out.end(),
              [](const auto& left, const auto& right) { return left.head.name < right.head.name; });
    return out;
}

result<std::vector<document_head>> documents::list(shm::session& by,
                                                   std::string_view collection) const {
    std::vector<document_head> out;
    auto all = collect(
        out, [](view&, const document_row& row) -> result<document_head> { return head_of(row); });
    PERDURE_TRY(for_each_page(by, collection, all));
    std::sort(out.begin(), out.end(), [](const auto& left, const auto& right) {
        return std::tie(left.collection, left.name) < std::tie(right.collection, right.name);
    });
    return out;
}

}  // namespace perdure
