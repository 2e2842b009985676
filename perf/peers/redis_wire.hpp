// SPDX-License-Identifier: Apache-2.0
//
// As much of the Redis protocol as a benchmark speaks: commands are sent in a pipeline, replies
// are read one by one.
//
// Threads     A wire belongs to one thread.
#pragma once

#include "../engine.hpp"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace perdure::perf {

/// Bytes of an object, as an argument.
template <class T>
std::string_view argument(const T& object) noexcept {
    return {reinterpret_cast<const char*>(&object), sizeof object};
}

struct redis_reply {
    char kind = 0;  ///< + - : $ *
    std::int64_t number = 0;
    std::string text;  ///< Of a status, an error, a string.
    std::vector<redis_reply> parts;
};

class redis_wire {
  public:
    /// Throws engine_failure when nobody listens there.
    explicit redis_wire(const std::string& path);
    redis_wire(const redis_wire&) = delete;
    redis_wire& operator=(const redis_wire&) = delete;
    ~redis_wire();

    /// Adds a command to what ask() or flush() will send.
    void put(std::initializer_list<std::string_view> words);
    void put(const std::vector<std::string_view>& words);
    void flush();
    /// Waits for the next reply. Throws engine_failure with the server's words.
    redis_reply next();
    redis_reply ask(std::initializer_list<std::string_view> words) {
        put(words);
        flush();
        return next();
    }

  private:
    void append(std::string_view word);
    void fill();
    std::string line();
    redis_reply parse();

    int socket_ = -1;
    std::string out_;
    std::string in_;
    std::size_t at_ = 0;
};

}  // namespace perdure::perf
