// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <perdure/tests/crash/named_points.hpp>
#include <regex>
#include <stdexcept>

namespace perdure::tests {

std::set<std::string> points_named_in(const std::string& folder) {
    const char* root = std::getenv("PERDURE_SOURCE");
    if (root == nullptr) throw std::runtime_error("PERDURE_SOURCE is not set");
    std::set<std::string> names;
    const std::regex point(R"rx(PERDURE_CRASH_POINT\("([a-z_.]+)"\))rx");
    for (const auto& file : std::filesystem::directory_iterator(std::string(root) + "/" + folder)) {
        if (file.path().extension() != ".cpp") continue;
        std::ifstream in(file.path());
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        for (std::sregex_iterator at(text.begin(), text.end(), point), end; at != end; ++at) {
            names.insert((*at)[1]);
        }
    }
    return names;
}

}  // namespace perdure::tests
