// SPDX-License-Identifier: Apache-2.0
//
// The keeper's side of a plugin's process.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <perdure/plugins/host/channel.hpp>
#include <perdure/plugins/host/instance.hpp>
#include <utility>

namespace perdure::plugins {
namespace {

// Between looks at whether the process lives; its death wakes nobody.
constexpr std::uint64_t look_every_ns = 5'000'000;
constexpr std::uint64_t log_lines_max = 100;   // A call.
constexpr std::size_t words_bytes_max = 4096;  // Of its standard error, at a time.

std::uint64_t now_ns() noexcept { return shm::system_park().now_ns(); }

template <class T>
std::span<const std::byte> bytes_of(const T& of) noexcept {
    return std::as_bytes(std::span(&of, 1));
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void refuse(const std::string& what, int error) {
    throw failure(error == ENOENT ? errc::missing : errc::io_error,
                  what + ": " + std::strerror(error),
                  error == ENOENT ? "install the package again: the program is a part of it"
                                  : "look at limits on processes, open files and memory");
}

/// An open descriptor of ours.
class owned_file {
  public:
    explicit owned_file(int file = -1) noexcept : file_(file) {}
    owned_file(const owned_file&) = delete;
    owned_file& operator=(const owned_file&) = delete;
    ~owned_file() {
        if (file_ >= 0) ::close(file_);
    }
    [[nodiscard]] int get() const noexcept { return file_; }
    void become(int file) noexcept {
        if (file_ >= 0) ::close(file_);
        file_ = file;
    }

  private:
    int file_;
};

/// What is done to the child's descriptors between fork and exec.
class child_files {
  public:
    child_files() { ::posix_spawn_file_actions_init(&actions_); }
    child_files(const child_files&) = delete;
    child_files& operator=(const child_files&) = delete;
    ~child_files() { ::posix_spawn_file_actions_destroy(&actions_); }
    void give(int ours, int theirs) { ::posix_spawn_file_actions_adddup2(&actions_, ours, theirs); }
    void open(int theirs, const char* path, int how) {
        ::posix_spawn_file_actions_addopen(&actions_, theirs, path, how, 0);
    }
    void close_from(int first) { ::posix_spawn_file_actions_addclosefrom_np(&actions_, first); }
    [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_{};
};

class process_instance final : public instance {
  public:
    process_instance(shm::region& where, const instance_terms& terms, outlet& out);
    ~process_instance() override { end(); }

    call_outcome call(message_kind kind, std::span<const std::byte> payload,
                      std::uint64_t hard_ns) override;
    bool is_alive(call_outcome& ended) override;
    [[nodiscard]] const ready_message& about() const noexcept override { return about_; }
    [[nodiscard]] int process() const noexcept override { return pid_; }
    [[nodiscard]] denial denied() const noexcept override {
        const auto& told = channel_.header();
        return {shm::peek(told.denied), shm::peek(told.denied_call)};
    }

  private:
    void spawn(shm::region& where, const instance_terms& terms);
    void set_up(shm::region& where, const instance_terms& terms);
    call_outcome await(std::uint64_t until_ns, message_kind wanted);
    bool take(const message& got, message_kind wanted, call_outcome& out);
    void admit(const message& got, call_outcome& out);
    call_outcome kill(call_end how, errc cause);
    bool reap(bool waits, std::uint64_t& number);
    void relay_words();
    void end() noexcept;

    channel channel_;
    message_writer down_;
    message_reader up_;
    outlet* out_;
    owned_file words_;  // The reading end of its standard error.
    ready_message about_{};
    std::string broken_;
    int pid_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t lines_ = 0;    // Logged in this call.
    std::uint64_t lent_ns_ = 0;  // That we have used of this call.
};

process_instance::process_instance(shm::region& where, const instance_terms& terms, outlet& out)
    : channel_(channel::create()), down_(channel_.down()), up_(channel_.up()), out_(&out) {
    spawn(where, terms);
    try {
        set_up(where, terms);
    } catch (...) {
        end();
        throw;
    }
}

void process_instance::spawn(shm::region& where, const instance_terms& terms) {
    const owned_file plugin(::open(terms.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (plugin.get() < 0) refuse(terms.file, errno);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) refuse("pipe", errno);
    words_.become(ends[0]);
    const owned_file words(ends[1]);

    child_files files;
    files.open(0, "/dev/null", O_RDONLY);
    files.open(1, "/dev/null", O_WRONLY);
    // Out of the way first: a source may have the number of another one's target.
    constexpr int parked = 100;
    files.give(channel_.file(), parked);
    files.give(plugin.get(), parked + 1);
    files.give(words.get(), parked + 2);
    files.give(parked, 3);
    files.give(parked + 1, 4);
    files.give(parked + 2, 2);
    files.close_from(5);

    posix_spawnattr_t how;
    ::posix_spawnattr_init(&how);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&how, &none);
    ::posix_spawnattr_setsigdefault(&how, &all);
    ::posix_spawnattr_setpgroup(&how, 0);  // A signal to the keeper's terminal is not for it.
    ::posix_spawnattr_setflags(
        &how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string arguments[] = {"perdure_plugin_host", where.path(), std::to_string(::getpid()),
                               std::to_string(terms.user), "debugged"};
    char* argv[] = {arguments[0].data(),
                    arguments[1].data(),
                    arguments[2].data(),
                    arguments[3].data(),
                    terms.is_debugged ? arguments[4].data() : nullptr,
                    nullptr};
    char* environment[] = {nullptr};
    const int error =
        ::posix_spawn(&pid_, terms.program.c_str(), files.get(), &how, argv, environment);
    ::posix_spawnattr_destroy(&how);
    if (error != 0) {
        pid_ = 0;
        refuse(terms.program, error);
    }
}

void process_instance::set_up(shm::region& where, const instance_terms& terms) {
    std::string read;
    for (const auto& name : terms.read) read += name + "\n";
    const auto& g = where.geometry();
    const setup_message order{{g.world[0], g.world[1]},
                              {g.boot[0], g.boot[1]},
                              key_of(terms.plugin),
                              terms.memory_bytes,
                              read.size()};
    const std::uint64_t until = now_ns() + terms.hard_ns;
    const auto sent = down_.send(message_kind::setup, 0, bytes_of(order),
                                 std::as_bytes(std::span(read.data(), read.size())), until);
    PERDURE_ASSERT(sent.has_value());  // The ring is empty.
    const auto begun = await(until, message_kind::ready);
    if (begun.how == call_end::answered) return;
    std::string cause = broken_;
    errc code = begun.cause == errc{} ? errc::plugin_failed : begun.cause;
    if (cause.empty()) {
        cause = begun.how == call_end::hung ? "its constructors or create() did not end in time"
                                            : "its process died while it was started";
    }
    throw failure(code, "plugin " + terms.file + ": " + cause,
                  "`perdure plugin logs` says more; mend the plugin");
}

/// What it writes to its standard error, a line each, as far as there is any.
void process_instance::relay_words() {
    char text[words_bytes_max];
    const auto got = ::read(words_.get(), text, sizeof text);
    if (got <= 0) return;
    std::string_view rest(text, static_cast<std::size_t>(got));
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        if (end != 0) out_->log(PERDURE_LOG_WARN, rest.substr(0, end));
        rest = rest.substr(std::min(end + 1, rest.size()));
    }
}

bool process_instance::reap(bool waits, std::uint64_t& number) {
    if (pid_ == 0) return true;
    int status = 0;
    const int got = ::waitpid(pid_, &status, waits ? 0 : WNOHANG);
    if (got == 0) return false;
    number = static_cast<std::uint64_t>(status);
    pid_ = 0;
    return true;
}

call_outcome process_instance::kill(call_end how, errc cause) {
    call_outcome out{.how = how, .cause = cause};
    if (pid_ != 0) ::kill(pid_, SIGKILL);
    reap(true, out.number);
    relay_words();
    return out;
}

void process_instance::end() noexcept {
    std::uint64_t ignored = 0;
    if (pid_ != 0) ::kill(pid_, SIGKILL);
    reap(true, ignored);
}

/// A batch: committed here, answered there. What no honest plugin sends ends it.
void process_instance::admit(const message& got, call_outcome& out) {
    const std::uint64_t from = now_ns();
    const auto answer = out_->commit(got.payload);
    lent_ns_ += now_ns() - from;  // What we take is not its time.
    const auto why = answer.refusal;
    if (why == errc::garbled || why == errc::foreign) {
        out = {.how = call_end::broke_rules, .cause = why};
        return;
    }
    const answer_message told{static_cast<std::uint32_t>(why), answer.repeated ? 1U : 0U,
                              answer.lsn, answer.refused};
    const auto sent = down_.send(message_kind::answer, got.number, bytes_of(told), {}, now_ns());
    if (!sent) out = {.how = call_end::broke_rules, .cause = sent.error()};
}

/// True when the wait is over, for good or ill.
bool process_instance::take(const message& got, message_kind wanted, call_outcome& out) {
    std::uint64_t word = 0;
    const bool has_word = got.payload.size() >= sizeof word;
    if (has_word) std::memcpy(&word, got.payload.data(), sizeof word);
    const auto text = text_of(got.payload.subspan(has_word ? sizeof word : 0));
    const bool is_serving = wanted == message_kind::done;
    if (got.kind == message_kind::commit && is_serving) {
        admit(got, out);
    } else if (got.kind == message_kind::log && has_word) {
        if (++lines_ <= log_lines_max) out_->log(static_cast<std::uint32_t>(word), text);
    } else if (got.kind == message_kind::count && has_word) {
        out_->count(text, static_cast<std::int64_t>(word));
    } else if (got.kind == wanted && is_serving && has_word && got.number == calls_) {
        out.status = static_cast<std::int32_t>(word);
        return true;
    } else if (got.kind == wanted && got.payload.size() == sizeof about_) {
        std::memcpy(&about_, got.payload.data(), sizeof about_);
        return true;
    } else if (got.kind == message_kind::broken && !is_serving && has_word) {
        broken_ = text;
        out = {.how = call_end::broke_rules, .cause = static_cast<errc>(word)};
    } else {
        out = {.how = call_end::broke_rules, .cause = errc::garbled};
    }
    return out.how != call_end::answered;
}

call_outcome process_instance::await(std::uint64_t until_ns, message_kind wanted) {
    call_outcome out;
    for (;;) {
        const std::uint64_t now = now_ns();
        const auto got = up_.receive(std::min(now + look_every_ns, until_ns + lent_ns_));
        if (!got) return kill(call_end::broke_rules, errc::garbled);
        if (got->kind != message_kind{}) {
            if (take(*got, wanted, out)) {
                return out.how == call_end::answered ? out : kill(out.how, out.cause);
            }
            // Whoever sends without end gets no more time for it.
            if (now < until_ns + lent_ns_) continue;
        }
        relay_words();
        if (reap(false, out.number)) {
            // It may have said something before it died.
            const auto last = up_.receive(now);
            if (last && last->kind != message_kind{} && take(*last, wanted, out)) return out;
            relay_words();
            out.how = call_end::died;
            return out;
        }
        if (now >= until_ns + lent_ns_) return kill(call_end::hung, errc::stalled);
    }
}

call_outcome process_instance::call(message_kind kind, std::span<const std::byte> payload,
                                    std::uint64_t hard_ns) {
    if (pid_ == 0) return {.how = call_end::died};
    const std::uint64_t from = now_ns();
    lines_ = lent_ns_ = 0;
    const auto sent = down_.send(kind, ++calls_, payload, {}, from + hard_ns);
    auto out = sent ? await(from + hard_ns, message_kind::done)
                    : kill(call_end::broke_rules, sent.error());
    out.ns = now_ns() - from;
    if (lines_ > log_lines_max) {
        out_->log(PERDURE_LOG_WARN,
                  std::to_string(lines_ - log_lines_max) + " lines of one call were dropped");
    }
    return out;
}

bool process_instance::is_alive(call_outcome& ended) {
    relay_words();
    if (!reap(false, ended.number)) return true;
    ended.how = call_end::died;
    return false;
}

}  // namespace

std::unique_ptr<instance> start_process(shm::region& where, const instance_terms& terms,
                                        outlet& out) {
    return std::make_unique<process_instance>(where, terms, out);
}

}  // namespace perdure::plugins
