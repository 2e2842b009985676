// SPDX-License-Identifier: Apache-2.0
#include <perdure/io/catalog_json.hpp>

#include <boost/json.hpp>
#include <string_view>

namespace perdure::io {
namespace {

namespace json = boost::json;

/// Its objects; none if it is no list.
std::vector<json::object> objects_in(const std::string& text) {
    json::parse_options options;
    options.allow_invalid_utf8 = true;  // Paths and messages are bytes.
    boost::system::error_code wrong;
    const json::value list = json::parse(text, wrong, {}, options);
    if (wrong || !list.is_array()) return {};
    std::vector<json::object> found;
    for (const json::value& each : list.get_array()) {
        if (each.is_object()) found.push_back(each.get_object());
    }
    return found;
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    const json::string* const text = found != nullptr ? found->if_string() : nullptr;
    return text != nullptr ? std::string(*text) : std::string();
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    if (found == nullptr) return 0;
    boost::system::error_code wrong;
    const auto number = found->to_number<std::uint64_t>(wrong);
    return wrong ? 0 : number;
}

}  // namespace

std::string json_of(const std::vector<recovery_fact::attempt>& tried) {
    json::array list;
    for (const auto& each : tried) {
        list.push_back(json::object{{"what", each.what}, {"verdict", each.verdict}});
    }
    return json::serialize(list);
}

std::string json_of(const std::vector<recovery_fact::phase>& phases) {
    json::array list;
    for (const auto& each : phases) {
        list.push_back(json::object{{"name", each.name}, {"milliseconds", each.milliseconds}});
    }
    return json::serialize(list);
}

std::vector<recovery_fact::attempt> attempts_in(const std::string& text) {
    std::vector<recovery_fact::attempt> tried;
    for (const json::object& each : objects_in(text)) {
        tried.push_back({text_at(each, "what"), text_at(each, "verdict")});
    }
    return tried;
}

std::vector<recovery_fact::phase> phases_in(const std::string& text) {
    std::vector<recovery_fact::phase> phases;
    for (const json::object& each : objects_in(text)) {
        phases.push_back({text_at(each, "name"), number_at(each, "milliseconds")});
    }
    return phases;
}

}  // namespace perdure::io
