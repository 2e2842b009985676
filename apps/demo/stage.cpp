// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/demo/stage.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace perdure::apps {

demo_directory::demo_directory(const std::string& folder) {
    const char* temporary = std::getenv("TMPDIR");
    const std::string place = !folder.empty() ? folder : temporary != nullptr ? temporary : "/tmp";
    path_ = std::filesystem::absolute(place).string() + "/perdure-demo-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) {
        throw failure(errc::io_error, path_ + ": " + std::strerror(errno),
                      "name a directory on a disk with --directory");
    }
}

demo_directory::~demo_directory() {
    drop_region();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void demo_directory::drop_region() const {
    std::error_code none;
    const auto target = std::filesystem::read_symlink(world() + "/region", none);
    if (!none) std::filesystem::remove(target, none);
}

void refuse_demo(const std::string& what, errc reason) {
    throw failure(reason, "demo: " + what, std::string(remedy(reason)));
}

void fund_accounts(world& in, session& by) {
    const ledger& books = in.books();
    const account_id mine = account_id::of("treasury");
    const auto must = [](const result<receipt>& done, const char* what) {
        if (!done) refuse_demo(what, done.error());
        return *done;
    };
    must(by.write([&](tx& t) -> result<> {
        PERDURE_TRY(books.open_account(t, "treasury", account_kind::treasury));
        PERDURE_TRY(books.create_asset(t, "gold", 2, mine));
        PERDURE_TRY(books.create_asset(t, "ore", 0, mine));
        return {};
    }),
         "no treasury");
    receipt last;
    constexpr std::uint64_t batch = 50;
    static_assert(demo_accounts % batch == 0);
    for (std::uint64_t first = 1; first <= demo_accounts; first += batch) {
        last = must(by.write([&](tx& t) -> result<> {
            for (std::uint64_t number = first; number < first + batch; ++number) {
                const auto account = account_id::of(number);
                PERDURE_TRY(books.open_account(t, account, account_kind::player));
                PERDURE_TRY(books.mint(t, mine, account, gold(), demo_grant));
                PERDURE_TRY(books.mint(t, mine, account, ore(), demo_grant));
            }
            return {};
        }),
                    "no accounts");
    }
    const auto safe = in.wait(by, last, durability::durable);
    if (!safe) refuse_demo("the accounts are not durable", safe.error());
}

}  // namespace perdure::apps
