// SPDX-License-Identifier: Apache-2.0
//
// Choices made in Redis' favour:
// * a unix socket, a payment is one call of a script that the server has compiled: one round trip;
// * applied: everything in the server's memory, which outlives its clients; a run begins with the
//   RDB of the accounts;
// * durable: appendonly with appendfsync always; a batch is sent in one piece and synced together;
// * a copy is BGSAVE, on the disk.
#include "redis.hpp"

#include "../harness.hpp"
#include "redis_wire.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>

namespace perdure::perf {
namespace {

/// Debian's redis-tools brings the whole server under this name; what it is called decides what it
/// does. The package redis-server adds a link, and a service that would run for ever.
constexpr const char* program = "/usr/bin/redis-check-rdb";

constexpr std::string_view script = R"(
local from = redis.call('GET', KEYS[1])
local into = redis.call('GET', KEYS[2])
local had, changes = struct.unpack('<i8i8', from)
if had < tonumber(ARGV[1]) then return redis.error_reply('an account ran dry') end
redis.call('SETRANGE', KEYS[1], 0, struct.pack('<i8i8', had - ARGV[1], changes + 1))
had, changes = struct.unpack('<i8i8', into)
redis.call('SETRANGE', KEYS[2], 0, struct.pack('<i8i8', had + ARGV[1], changes + 1))
redis.call('SET', KEYS[3], ARGV[2])
return 1)";

/// A server of our own; dies with whoever started it.
class server {
  public:
    server(const std::string& socket, const std::string& directory, bool is_durable) {
        const std::string log = directory + "/redis.log";
        const char* const words[] = {"redis-server",
                                     "--port",
                                     "0",
                                     "--unixsocket",
                                     socket.c_str(),
                                     "--dir",
                                     directory.c_str(),
                                     "--save",
                                     "",
                                     "--logfile",
                                     log.c_str(),
                                     "--appendonly",
                                     is_durable ? "yes" : "no",
                                     "--appendfsync",
                                     "always",
                                     "--auto-aof-rewrite-percentage",
                                     "0",
                                     nullptr};
        std::filesystem::remove(socket);
        process_ = fork();
        if (process_ < 0) throw engine_failure("redis: fork failed");
        if (process_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            execv(program, const_cast<char* const*>(words));
            _exit(127);
        }
        await(socket);
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() {
        if (process_ == 0) return;
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
    }

    [[nodiscard]] pid_t process() const noexcept { return process_; }

  private:
    /// Until it listens and has loaded what there was.
    void await(const std::string& socket) {
        for (;;) {
            if (waitpid(process_, nullptr, WNOHANG) == process_) {
                process_ = 0;
                throw engine_failure(std::string("redis: ") + program + " did not start");
            }
            try {
                redis_wire(socket).ask({"PING"});
                return;
            } catch (const engine_failure&) {
                rest(std::chrono::microseconds{500});
            }
        }
    }

    pid_t process_ = 0;
};

class redis final : public engine {
  public:
    durability_level applied_level() const noexcept override { return durability_level::applied; }

    void create(const store_plan& plan) override {
        place(plan);
        open(plan);
        load(plan.accounts);
        if (is_durable_) {
            rewrite_log();
        } else {
            wire_->ask({"SAVE"});
        }
        close();
    }

    void destroy() noexcept override { close(); }

    void start_keeper() override {
        server_ = std::make_unique<server>(socket_, directory_, is_durable_);
    }

    void stop_keeper() override { close(); }

    /// Connects, to a server of its own where none listens.
    void open(const store_plan& plan) override {
        place(plan);
        try {
            wire_.emplace(socket_);
        } catch (const engine_failure&) {
            start_keeper();
            wire_.emplace(socket_);
        }
        hash_ = wire_->ask({"SCRIPT", "LOAD", script}).text;
    }

    opening_cost opened() override {
        opening_cost made{};
        if (server_) made.peak_bytes = perf::peak_bytes(server_->process());
        return made;
    }

    void warm() override { wire_->ask({"PING"}); }

    bool pay(const payment& what) override {
        pay_durably({&what, 1});
        return true;
    }

    void pay_durably(std::span<const payment> what) override {
        for (const payment& one : what) {
            const account_key source = key_of(one.source);
            const account_key target = key_of(one.target);
            const payment_event event{sequence_, source, target, one.amount, {}};
            const std::uint64_t slot = sequence_++ % event_ring_length;
            wire_->put({"EVALSHA", hash_, "3", argument(source), argument(target), argument(slot),
                        std::to_string(one.amount), argument(event)});
        }
        wire_->flush();
        for (std::size_t i = 0; i < what.size(); ++i) wire_->next();
    }

    account_row read(std::uint64_t account) override {
        const account_key key = key_of(account);
        return row_of(wire_->ask({"GET", argument(key)}));
    }

    void hold(std::uint64_t /*account*/, const std::function<void()>& /*while_held*/) override {
        throw engine_failure("redis: a script holds nothing");
    }

    std::int64_t total() override {
        constexpr std::uint64_t together = 1'000;
        std::int64_t sum = 0;
        for (std::uint64_t first = 0; first < accounts_; first += together) {
            const std::uint64_t end = std::min(first + together, accounts_);
            for (std::uint64_t i = first; i < end; ++i) {
                const account_key key = key_of(i);
                wire_->put({"GET", argument(key)});
            }
            wire_->flush();
            for (std::uint64_t i = first; i < end; ++i) sum += row_of(wire_->next()).balance;
        }
        return sum;
    }

    saved_copy save() override {
        redis_wire own(socket_);
        saved_copy made{};
        made.begun_ns = nanoseconds_now();
        own.ask({"BGSAVE"});
        while (figure(own, "rdb_bgsave_in_progress") != "0") {
            rest(std::chrono::microseconds{1'000});
        }
        made.ended_ns = made.captured_ns = nanoseconds_now();
        if (figure(own, "rdb_last_bgsave_status") != "ok") {
            throw engine_failure("redis: BGSAVE failed");
        }
        made.rows = accounts_;
        made.row_bytes = accounts_ * (sizeof(account_key) + sizeof(account_row));
        made.file_bytes = std::filesystem::file_size(directory_ + "/dump.rdb");
        return made;
    }

  private:
    void place(const store_plan& plan) {
        directory_ = plan.disk_directory;
        socket_ = std::string(plan.memory_directory) + "/redis";
        accounts_ = plan.accounts;
        is_durable_ = plan.level == durability_level::durable;
    }

    void close() noexcept {
        wire_.reset();
        server_.reset();
    }

    static account_row row_of(const redis_reply& reply) {
        account_row row;
        if (reply.text.size() != sizeof row) throw engine_failure("redis: a row of another size");
        std::memcpy(&row, reply.text.data(), sizeof row);
        return row;
    }

    /// A figure of the server's INFO.
    static std::string figure(redis_wire& from, std::string_view name) {
        const std::string all = from.ask({"INFO", "persistence"}).text;
        const auto at = all.find(std::string(name) + ':');
        if (at == std::string::npos) throw engine_failure("redis: INFO is silent");
        const auto begin = at + name.size() + 1;
        return all.substr(begin, all.find('\r', begin) - begin);
    }

    void load(std::uint64_t accounts) {
        constexpr std::uint64_t together = 1'000;
        const account_row row{opening_balance, 0, {}};
        std::vector<account_key> keys(together);
        for (std::uint64_t first = 0; first < accounts; first += together) {
            std::vector<std::string_view> words{"MSET"};
            for (std::uint64_t i = first; i < std::min(first + together, accounts); ++i) {
                keys[i - first] = key_of(i);
                words.push_back(argument(keys[i - first]));
                words.push_back(argument(row));
            }
            wire_->put(words);
            wire_->flush();
            wire_->next();
        }
    }

    /// The accounts become the log's base, an RDB.
    void rewrite_log() {
        wire_->ask({"BGREWRITEAOF"});
        while (figure(*wire_, "aof_rewrite_in_progress") != "0" ||
               figure(*wire_, "aof_rewrite_scheduled") != "0") {
            rest(std::chrono::microseconds{10'000});
        }
    }

    std::string directory_;
    std::string socket_;
    std::string hash_;
    std::uint64_t accounts_ = 0;
    std::uint64_t sequence_ = 0;
    bool is_durable_ = false;
    std::unique_ptr<server> server_;
    std::optional<redis_wire> wire_;
};

}  // namespace

std::unique_ptr<engine> make_redis() { return std::make_unique<redis>(); }

}  // namespace perdure::perf
