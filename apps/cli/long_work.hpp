// SPDX-License-Identifier: Apache-2.0
//
// Says on standard error that a work goes on when it takes long: for how long, and how much of the
// files it has read. On a terminal one line that is gone in the end, else a line now and then.
//
// Promise     Standard output is left alone; what is quick says nothing.
// Threads     One of its own; made and ended by the main thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace perdure::apps {

class long_work {
  public:
    /// `what` goes on, for example "restoring ./bazaar".
    explicit long_work(std::string what);
    /// Told now and then in place of standard error, on another thread.
    using teller = std::function<void(std::uint64_t seconds, std::uint64_t bytes_read)>;
    explicit long_work(teller tell);
    long_work(const long_work&) = delete;
    long_work& operator=(const long_work&) = delete;
    ~long_work();

  private:
    void watch();

    std::string what_;
    teller tell_;
    std::mutex mutex_;  // Of ends_.
    std::condition_variable ended_;
    bool ends_ = false;
    std::thread watching_;
};

}  // namespace perdure::apps
