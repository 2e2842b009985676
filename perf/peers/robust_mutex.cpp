// SPDX-License-Identifier: Apache-2.0
#include "robust_mutex.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace perdure::perf {
namespace {

void check(int rc, const std::string& what) {
    if (rc != 0) throw engine_failure(what + ": " + std::generic_category().message(rc));
}

class robust_mutex final : public engine {
  public:
    ~robust_mutex() override { unmap(); }

    durability_level applied_level() const noexcept override { return durability_level::none; }

    void create(const store_plan& plan) override {
        std::filesystem::create_directories(plan.memory_directory);
        map(plan, O_CREAT | O_EXCL);
        pthread_mutexattr_t how;
        check(pthread_mutexattr_init(&how), "mutex attributes");
        check(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED), "shared mutex");
        check(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST), "robust mutex");
        check(pthread_mutex_init(mutex_, &how), "mutex");
        check(pthread_mutexattr_destroy(&how), "mutex attributes");
        unmap();
    }

    void destroy() noexcept override {
        unmap();
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    void open(const store_plan& plan) override { map(plan, 0); }
    void warm() override {}

    bool pay(const payment& /*what*/) override {
        lock();
        unlock();
        return true;
    }
    void pay_durably(std::span<const payment> /*what*/) override {
        throw engine_failure("robust-mutex keeps nothing on disk");
    }
    account_row read(std::uint64_t /*account*/) override {
        throw engine_failure("robust-mutex keeps no accounts");
    }

    void hold(std::uint64_t /*account*/, const std::function<void()>& while_held) override {
        lock();
        while_held();
        unlock();
    }

    std::int64_t total() override { return 0; }

  private:
    void lock() {
        int rc = pthread_mutex_lock(mutex_);
        if (rc == EOWNERDEAD) rc = pthread_mutex_consistent(mutex_);
        check(rc, "lock");
    }
    void unlock() { check(pthread_mutex_unlock(mutex_), "unlock"); }

    void map(const store_plan& plan, int flags) {
        path_ = std::string(plan.memory_directory) + "/robust-mutex";
        const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
        if (file < 0) check(errno, path_);
        const int grown = flags != 0 ? posix_fallocate(file, 0, sizeof(pthread_mutex_t)) : 0;
        void* const at =
            mmap(nullptr, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        const int mapped = at == MAP_FAILED ? errno : 0;
        ::close(file);
        check(grown, path_);
        check(mapped, path_);
        mutex_ = static_cast<pthread_mutex_t*>(at);
    }

    void unmap() noexcept {
        if (mutex_ != nullptr) munmap(mutex_, sizeof(pthread_mutex_t));
        mutex_ = nullptr;
    }

    std::string path_;
    pthread_mutex_t* mutex_ = nullptr;
};

}  // namespace

std::unique_ptr<engine> make_robust_mutex() { return std::make_unique<robust_mutex>(); }

}  // namespace perdure::perf
