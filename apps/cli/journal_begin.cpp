// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/cli/journal_begin.hpp>

#include <perdure/io/block_finder.hpp>

namespace perdure::apps {
namespace {

std::uint64_t durable_lsn(const world& in) noexcept {
    return shm::load(in.region().header().durable.lsn);
}

}  // namespace

std::uint64_t first_kept_lsn(const world& in) {
    // Before the MANIFEST is read: a keeper that makes the first segment meanwhile must not move
    // the beginning behind what that segment holds.
    const std::uint64_t durable = durable_lsn(in);
    io::kernel_calls calls;
    io::file_system files(calls);
    io::block_finder finder(files, in.directory(), 1);
    const auto first = finder.first_lsn();
    if (first) return *first == 0 ? durable + 1 : *first;
    const auto& found = finder.found();
    throw failure(first.error(),
                  "world " + in.directory() + ": " +
                      (found ? found->file + ": " + found->cause : files.last_error()),
                  std::string(remedy(first.error())));
}

std::optional<std::uint64_t> begin_if_gone(const world& in, errc reason) {
    if (reason != errc::history_gone && reason != errc::not_written) return std::nullopt;
    const std::uint64_t durable = durable_lsn(in);
    const std::uint64_t first = first_kept_lsn(in);
    // A restored world has no segment until its first commit is durable: then, and only then, what
    // is not written is gone.
    if (reason == errc::not_written && first <= durable) return std::nullopt;
    if (first <= 1) return std::nullopt;
    return first;
}

}  // namespace perdure::apps
