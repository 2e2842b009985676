// SPDX-License-Identifier: Apache-2.0
//
// The filter lets through what a computation needs. Opening is not among it: the one openat() that
// dlopen() makes is trapped, and the handler answers with a copy of the descriptor that the keeper
// has opened. So no path is ever looked up in this process, whatever a constructor tries.
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <perdure/plugins/host/sandbox.hpp>
#include <perdure/shm/error.hpp>
#include <perdure/shm/word.hpp>

namespace perdure::plugins {
namespace {

// What the handler of SIGSYS knows: it has no context of its own.
channel_header* told_to = nullptr;
int plugin_file = -1;

[[noreturn]] void refuse(const char* what, int error) {
    throw failure(errc::io_error,
                  std::string("a plugin's process: ") + what + ": " + std::strerror(error),
                  "Perdure needs Linux 5.10 with seccomp; a container must allow it");
}

void check(int answer, const char* what) {
    if (answer != 0) refuse(what, errno);
}

/// The plugin asked for what it does not get. Trusted as little as the plugin: it can do no more
/// than the filter lets everybody do.
void answer_denied(int /*signal*/, siginfo_t* facts, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (facts->si_syscall == SYS_openat && plugin_file >= 0) {
        const long copy = ::syscall(SYS_dup, plugin_file);
        registers[REG_RAX] = copy < 0 ? -EMFILE : copy;
        return;
    }
    shm::put(told_to->denied_call, static_cast<std::uint64_t>(facts->si_syscall));
    shm::word(told_to->denied).fetch_add(1);
    registers[REG_RAX] = -EPERM;
}

class filter {
  public:
    explicit filter(std::uint32_t otherwise) : rules_(::seccomp_init(otherwise)) {
        if (rules_ == nullptr) refuse("seccomp_init", ENOMEM);
        // Set already; the first filter would not let it be set again.
        const int kept = ::seccomp_attr_set(rules_, SCMP_FLTATR_CTL_NNP, 0);
        if (kept != 0) refuse("SCMP_FLTATR_CTL_NNP", -kept);
    }
    filter(const filter&) = delete;
    filter& operator=(const filter&) = delete;
    ~filter() { ::seccomp_release(rules_); }

    template <class... Conditions>
    void add(std::uint32_t action, int call, Conditions... conditions) {
        const int added =
            ::seccomp_rule_add(rules_, action, call, sizeof...(conditions), conditions...);
        if (added != 0) refuse("seccomp_rule_add", -added);
    }
    void load() {
        const int loaded = ::seccomp_load(rules_);
        if (loaded != 0) refuse("seccomp_load", -loaded);
    }

  private:
    scmp_filter_ctx rules_;
};

void limit(decltype(RLIMIT_AS) which, std::uint64_t most, const char* name) {
    const rlimit both{most, most};
    check(::setrlimit(which, &both), name);
}

/// Bytes of address space in use, the region's included.
std::uint64_t mapped_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    const int read = file == nullptr ? 0 : std::fscanf(file, "%llu", &pages);
    if (file != nullptr) std::fclose(file);
    if (read != 1) refuse("/proc/self/statm", errno);
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void become(std::uint32_t user) {
    if (user == 0 || ::geteuid() != 0) return;
    check(::setgroups(0, nullptr), "setgroups");
    check(::setresgid(user, user, user), "setresgid");
    check(::setresuid(user, user, user), "setresuid");
}

/// What a computation in one thread needs, and loading one shared object.
void install_filter() {
    filter rules(SCMP_ACT_TRAP);
    constexpr int calls[] = {
        SYS_read,
        SYS_pread64,
        SYS_lseek,
        SYS_close,
        SYS_dup,
        SYS_fstat,
        SYS_munmap,
        SYS_mremap,
        SYS_madvise,
        SYS_brk,
        SYS_futex,
        SYS_rt_sigreturn,
        SYS_rt_sigprocmask,
        SYS_sigaltstack,
        SYS_exit,
        SYS_exit_group,
        SYS_getpid,
        SYS_gettid,
        SYS_getcpu,
        SYS_getrandom,
        SYS_sched_yield,
        SYS_clock_gettime,
        SYS_clock_getres,
        SYS_clock_nanosleep,
        SYS_nanosleep,
        SYS_restart_syscall,
        SYS_uname,
        SYS_getuid,
        SYS_geteuid,
        SYS_getgid,
        SYS_getegid,
        SYS_gettimeofday,
        SYS_time,
    };
    for (const int call : calls) rules.add(SCMP_ACT_ALLOW, call);
    // Its words go to the keeper's log, through one pipe.
    for (const int call : {SYS_write, SYS_writev}) {
        rules.add(SCMP_ACT_ALLOW, call, SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
    }
    // Of an open descriptor, and no path.
    rules.add(SCMP_ACT_ALLOW, SYS_newfstatat,
              SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
    rules.add(SCMP_ACT_ALLOW, SYS_fcntl, SCMP_A1(SCMP_CMP_EQ, F_GETFL));
    rules.add(SCMP_ACT_ALLOW, SYS_fcntl, SCMP_A1(SCMP_CMP_EQ, F_GETFD));
    // abort() and failed assertions end the process, and no other.
    const auto self = static_cast<scmp_datum_t>(::getpid());
    rules.add(SCMP_ACT_ALLOW, SYS_tgkill, SCMP_A0(SCMP_CMP_EQ, self));
    rules.add(SCMP_ACT_ALLOW, SYS_mmap);
    rules.add(SCMP_ACT_ALLOW, SYS_mprotect);
    // The C library makes threads and processes with all signals blocked: a trap would kill it.
    for (const int call : {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork}) {
        rules.add(SCMP_ACT_ERRNO(EPERM), call);
    }
    rules.add(SCMP_ACT_ALLOW, SYS_seccomp);  // A further filter; seal() takes this away, too.
    rules.load();
}

}  // namespace

void sandbox::end_with(int parent) {
    check(::prctl(PR_SET_PDEATHSIG, SIGKILL), "PR_SET_PDEATHSIG");
    // Its parent may have died before that.
    if (::getppid() != parent) refuse("its keeper is gone", ESRCH);
}

void sandbox::close(const sandbox_terms& terms) {
    become(terms.user);
    end_with(terms.parent);  // Another user's process forgets it.
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
    limit(RLIMIT_AS, mapped_bytes() + terms.memory_bytes, "RLIMIT_AS");
    limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE");
    limit(RLIMIT_CORE, 0, "RLIMIT_CORE");
    limit(RLIMIT_NOFILE, 16, "RLIMIT_NOFILE");
    limit(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK");
    told_to = terms.told;
    plugin_file = terms.plugin_file;
    struct sigaction action {};
    action.sa_sigaction = answer_denied;
    action.sa_flags = SA_SIGINFO;
    ::sigemptyset(&action.sa_mask);
    check(::sigaction(SIGSYS, &action, nullptr), "sigaction");
    install_filter();
}

void sandbox::seal() {
    ::close(plugin_file);
    plugin_file = -1;
    // Two filters are asked, and the stricter one is heard.
    filter rules(SCMP_ACT_ALLOW);
    for (const int call : {SYS_mmap, SYS_mprotect}) {
        rules.add(SCMP_ACT_TRAP, call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
    }
    rules.add(SCMP_ACT_TRAP, SYS_seccomp);
    rules.load();
}

}  // namespace perdure::plugins
