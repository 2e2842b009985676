// SPDX-License-Identifier: Apache-2.0
#include <grp.h>

#include <array>
#include <charconv>
#include <perdure/io/group.hpp>
#include <perdure/shm/error.hpp>

namespace perdure::io {

std::uint32_t group_named(const std::string& name) {
    std::uint32_t number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && rest == end) return number;
    std::array<char, 16384> room{};
    group entry{};
    group* found = nullptr;
    ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
    if (found == nullptr) {
        throw failure(errc::bad_setting, "access.group: no group is called " + name,
                      "give a group of this machine by name or number");
    }
    return found->gr_gid;
}

}  // namespace perdure::io
