// SPDX-License-Identifier: Apache-2.0
//
// The process of one plugin: maps the region for reading, gives up everything else, loads the
// plugin and calls it when the keeper says so.
//
// Usage, by the keeper alone: perdure_plugin_host REGION PARENT USER [debugged], with the channel
// as descriptor 3 and the plugin's file as 4.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <perdure/plugins/host/channel.hpp>
#include <perdure/plugins/host/loaded_plugin.hpp>
#include <perdure/plugins/host/sandbox.hpp>

namespace perdure::plugins {
namespace {

constexpr int channel_file = 3;
constexpr int plugin_file = 4;
constexpr std::uint64_t forever = ~0ULL;

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
std::span<const std::byte> bytes_of_word(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

/// This process ends: the keeper is gone, or is not to be understood.
[[noreturn]] void leave(int code) { ::_exit(code); }

/// What the plugin wants, into the ring.
class ring_outlet final : public outlet {
  public:
    explicit ring_outlet(channel& with) : up_(with.up()), down_(with.down()) {}

    commit_answer commit(std::span<const std::byte> batch) override {
        send(message_kind::commit, ++commits_, batch, {});
        const auto told = receive();
        answer_message answer;
        if (told.kind != message_kind::answer || told.number != commits_ ||
            told.payload.size() != sizeof answer) {
            leave(EXIT_FAILURE);
        }
        std::memcpy(&answer, told.payload.data(), sizeof answer);
        return {static_cast<errc>(answer.status), answer.repeated != 0, answer.lsn, answer.refused};
    }
    void log(std::uint32_t level, std::string_view text) override {
        const std::uint64_t word = level;
        send(message_kind::log, 0, bytes_of_word(word), bytes_of(text));
    }
    void count(std::string_view name, std::int64_t more) override {
        send(message_kind::count, 0, bytes_of_word(more), bytes_of(name));
    }

    message receive() {
        for (;;) {
            const auto got = down_.receive(forever);
            if (!got) leave(EXIT_FAILURE);
            if (got->kind != message_kind{}) return *got;
        }
    }
    void send(message_kind kind, std::uint64_t number, std::span<const std::byte> front,
              std::span<const std::byte> back) {
        if (!up_.send(kind, number, front, back, forever)) leave(EXIT_FAILURE);
    }

  private:
    message_writer up_;
    message_reader down_;
    std::uint64_t commits_ = 0;
};

std::set<std::string> lines_of(std::string_view text) {
    std::set<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out.emplace(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

/// What to serve, from the first message.
struct order {
    setup_message terms{};
    std::set<std::string> read;
};

order order_from(const message& first) {
    order out;
    if (first.kind != message_kind::setup || first.payload.size() < sizeof out.terms) {
        leave(EXIT_FAILURE);
    }
    std::memcpy(&out.terms, first.payload.data(), sizeof out.terms);
    const auto names = first.payload.subspan(sizeof out.terms);
    out.read = lines_of({reinterpret_cast<const char*>(names.data()), names.size()});
    return out;
}

void serve(ring_outlet& with, loaded_plugin& plugin) {
    for (;;) {
        const auto order = with.receive();
        const auto answered = plugin.call(order.kind, order.payload);
        if (!answered) leave(EXIT_FAILURE);
        const auto status = static_cast<std::uint64_t>(static_cast<std::uint32_t>(*answered));
        with.send(message_kind::done, order.number, bytes_of_word(status), {});
        if (order.kind == message_kind::end) leave(EXIT_SUCCESS);
    }
}

void run(char** argv, bool is_debugged) {
    // First: a keeper that dies before it has said what to load must not leave us waiting.
    sandbox::end_with(std::atoi(argv[2]));
    auto with = channel::adopt(channel_file);
    ring_outlet out(with);
    const auto order = order_from(out.receive());
    try {
        const auto& terms = order.terms;
        // Where Yama lets only ancestors attach, this one is open to others of its user.
        if (is_debugged) ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
        auto where = shm::region::attach(
            argv[1], {{terms.world.high, terms.world.low}, {terms.boot.high, terms.boot.low}},
            shm::access::read_only);
        sandbox::close({terms.memory_bytes,
                        static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10)),
                        std::atoi(argv[2]), plugin_file, &with.header()});
        const account_id self{terms.plugin.high, static_cast<std::uint32_t>(terms.plugin.low)};
        auto given = services::make(where, self, order.read, out);
        if (!given) {
            throw failure(given.error(), "the world's tables are not all there",
                          std::string(remedy(given.error())));
        }
        loaded_plugin plugin(sandbox::plugin_path, std::move(*given));
        sandbox::seal();
        out.send(message_kind::ready, 0, bytes_of_word(plugin.about()), {});
        serve(out, plugin);
    } catch (const failure& why) {
        const auto code = static_cast<std::uint64_t>(why.reason());
        out.send(message_kind::broken, 0, bytes_of_word(code),
                 bytes_of(why.thing() + "; " + why.todo()));
        leave(EXIT_FAILURE);
    }
}

}  // namespace
}  // namespace perdure::plugins

int main(int argc, char** argv) {
    const bool is_debugged = argc == 5 && std::string_view(argv[4]) == "debugged";
    if (argc != 4 && !is_debugged) {
        static_cast<void>(std::fputs(
            "perdure_plugin_host: started by `perdure serve`, once for each plugin\n", stderr));
        return 2;
    }
    try {
        perdure::plugins::run(argv, is_debugged);
    } catch (const std::exception& error) {
        static_cast<void>(std::fprintf(stderr, "perdure_plugin_host: %s\n", error.what()));
    }
    return EXIT_FAILURE;
}
