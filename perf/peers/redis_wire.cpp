// SPDX-License-Identifier: Apache-2.0
#include "redis_wire.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace perdure::perf {

redis_wire::redis_wire(const std::string& path) {
    sockaddr_un where{};
    where.sun_family = AF_UNIX;
    if (path.size() >= sizeof where.sun_path) throw engine_failure("redis: too long: " + path);
    std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
    socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
        const int cause = errno;
        close(socket_);
        throw engine_failure("redis: connect to " + path + ": " + std::strerror(cause));
    }
}

redis_wire::~redis_wire() { close(socket_); }

void redis_wire::append(std::string_view word) {
    out_ += '$';
    out_ += std::to_string(word.size());
    out_ += "\r\n";
    out_ += word;
    out_ += "\r\n";
}

void redis_wire::put(std::initializer_list<std::string_view> words) {
    out_ += '*';
    out_ += std::to_string(words.size());
    out_ += "\r\n";
    for (const auto word : words) append(word);
}

void redis_wire::put(const std::vector<std::string_view>& words) {
    out_ += '*';
    out_ += std::to_string(words.size());
    out_ += "\r\n";
    for (const auto word : words) append(word);
}

void redis_wire::flush() {
    for (std::size_t sent = 0; sent < out_.size();) {
        const auto wrote = send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) throw engine_failure("redis: the server does not take commands any more");
        sent += static_cast<std::size_t>(wrote);
    }
    out_.clear();
}

void redis_wire::fill() {
    if (at_ == in_.size()) {
        in_.clear();
        at_ = 0;
    }
    char some[65'536];
    ssize_t got = 0;
    do {
        got = recv(socket_, some, sizeof some, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) throw engine_failure("redis: the server has hung up");
    in_.append(some, static_cast<std::size_t>(got));
}

std::string redis_wire::line() {
    for (;;) {
        const auto end = in_.find("\r\n", at_);
        if (end != std::string::npos) {
            std::string made = in_.substr(at_, end - at_);
            at_ = end + 2;
            return made;
        }
        fill();
    }
}

redis_reply redis_wire::parse() {
    const std::string head = line();
    redis_reply made;
    made.kind = head.at(0);
    if (made.kind == '+' || made.kind == '-') {
        made.text = head.substr(1);
        return made;
    }
    made.number = std::stoll(head.substr(1));
    if (made.kind == '$' && made.number >= 0) {
        const auto bytes = static_cast<std::size_t>(made.number);
        while (in_.size() - at_ < bytes + 2) fill();
        made.text = in_.substr(at_, bytes);
        at_ += bytes + 2;
    }
    for (std::int64_t i = 0; made.kind == '*' && i < made.number; ++i) {
        made.parts.push_back(parse());  // The benchmark asks for no list of lists.
    }
    return made;
}

redis_reply redis_wire::next() {
    redis_reply made = parse();
    if (made.kind == '-') throw engine_failure("redis: " + made.text);
    return made;
}

}  // namespace perdure::perf
