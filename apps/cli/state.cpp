// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/json_diff.hpp>
#include <perdure/apps/cli/state_place.hpp>

namespace perdure::apps {
namespace {

namespace json = boost::json;

std::string thing_of(const state_order& order) { return "document " + order.document; }

json::object as_json(const document_head& head) {
    return {{"collection", head.collection},
            {"name", head.name},
            {"kind", spell(head.kind)},
            {"state", head.state},
            {"version", head.version},
            {"oldest", head.oldest},
            {"bytes", head.bytes},
            {"versions_max", head.limits.versions},
            {"bytes_max", head.limits.bytes},
            {"lsn", head.lsn}};
}

std::string state_or_none(std::string_view state) {
    return state.empty() ? std::string("-") : std::string(state);
}

std::string hex_of(std::string_view value) {
    std::string out;
    for (const char byte : value) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return out;
}

struct version_text {
    std::uint64_t version;
    std::string value;
};

version_text value_of(state_place& place, const state_order& order, std::uint64_t version) {
    const auto which = name_in(order.document);
    const auto thing =
        version == 0 ? thing_of(order) : fmt::format("{}, version {}", thing_of(order), version);
    return place.read(thing, [&](view& seen) -> result<version_text> {
        const auto newest = PERDURE_TRY(place.all().head(seen, which)).version;
        auto value = PERDURE_TRY(place.all().get(seen, which, version));
        return version_text{version == 0 ? newest : version, std::move(value)};
    });
}

void print_json_difference(const json_difference& each, json::array* out) {
    if (out != nullptr) {
        json::object change{{"path", each.path}};
        if (each.before != nullptr) change["before"] = *each.before;
        if (each.after != nullptr) change["after"] = *each.after;
        out->push_back(std::move(change));
        return;
    }
    if (each.before == nullptr) {
        print(fmt::format("+ {} {}", each.path, json::serialize(*each.after)));
    } else if (each.after == nullptr) {
        print(fmt::format("- {} {}", each.path, json::serialize(*each.before)));
    } else {
        print(fmt::format("~ {} {} -> {}", each.path, json::serialize(*each.before),
                          json::serialize(*each.after)));
    }
}

json::value parsed(const std::string& text) {
    json::parse_options options;
    options.max_depth = 64;  // As is_json() allows.
    return json::parse(text, {}, options);
}

void diff_json(const state_order& order, const version_text& before, const version_text& after) {
    const json::value old_value = parsed(before.value);
    const json::value new_value = parsed(after.value);
    json::array changes;
    for (const auto& each : differences(old_value, new_value)) {
        print_json_difference(each, order.where.json ? &changes : nullptr);
    }
    if (!order.where.json) return;
    print(json::object{{"document", order.document},
                       {"from", before.version},
                       {"to", after.version},
                       {"changes", std::move(changes)}});
}

void diff_bytes(const state_order& order, const version_text& before, const version_text& after) {
    const auto& [old_version, old_value] = before;
    const auto& [new_version, new_value] = after;
    std::size_t first = 0;
    const std::size_t least = std::min(old_value.size(), new_value.size());
    while (first < least && old_value[first] == new_value[first]) ++first;
    const bool same = old_value == new_value;
    if (order.where.json) {
        print(json::object{{"document", order.document},
                           {"from", old_version},
                           {"to", new_version},
                           {"bytes_before", old_value.size()},
                           {"bytes_after", new_value.size()},
                           {"first_difference", same ? json::value(nullptr) : json::value(first)}});
    } else if (!same) {
        print(fmt::format("{} bytes -> {} bytes, first difference at byte {}", old_value.size(),
                          new_value.size(), first));
    }
}

}  // namespace

int state_put(const state_order& order) {
    const auto which = name_in(order.document);
    const std::string text = read_whole(order.file);
    document_change change;
    change.expect_version = order.expect_version;
    if (order.from_state) change.from_state = *order.from_state;
    if (order.to_state) change.to_state = *order.to_state;
    change.reason = order.reason;
    if (order.versions) change.limits.versions = *order.versions;
    state_place place(order.where);
    const document_value value{order.binary ? document_kind::binary : document_kind::json,
                               std::as_bytes(std::span(text))};
    const auto done = place.need(place.all().put(place.by, which, value, change), thing_of(order));
    place.make_durable(done.paid, thing_of(order));
    if (order.where.json) {
        print(json::object{
            {"document", order.document}, {"version", done.version}, {"lsn", done.paid.lsn}});
    } else {
        print(fmt::format("{} is at version {}, durable", order.document, done.version));
    }
    return exit_done;
}

int state_get(const state_order& order) {
    const auto which = name_in(order.document);
    state_place place(order.where);
    const auto found = value_of(place, order, order.version);
    if (!order.where.json) {
        write_whole(order.file, found.value);
        return exit_done;
    }
    const auto head =
        place.read(thing_of(order), [&](view& seen) { return place.all().head(seen, which); });
    if (!order.file.empty()) write_whole(order.file, found.value);
    json::object out{{"document", order.document},
                     {"version", found.version},
                     {"kind", spell(head.kind)},
                     {"bytes", found.value.size()}};
    if (!order.file.empty()) {
        out["file"] = order.file;
    } else if (head.kind == document_kind::json) {
        out["value"] = parsed(found.value);
    } else {
        out["hex"] = hex_of(found.value);
    }
    print(out);
    return exit_done;
}

int state_history(const state_order& order) {
    const auto which = name_in(order.document);
    state_place place(order.where);
    const auto steps =
        place.read(thing_of(order), [&](view& seen) { return place.all().history(seen, which); });
    json::array all;
    for (const auto& each : steps) {
        if (order.where.json) {
            all.push_back(json::object{{"version", each.version},
                                       {"lsn", each.lsn},
                                       {"bytes", each.bytes},
                                       {"from_state", each.from_state},
                                       {"to_state", each.to_state},
                                       {"reason", each.reason}});
            continue;
        }
        print(fmt::format("version {:<6} LSN {:<12} {:>12} bytes  {} -> {}  reason {}",
                          each.version, each.lsn, each.bytes, state_or_none(each.from_state),
                          state_or_none(each.to_state), each.reason));
    }
    if (order.where.json) {
        print(json::object{{"document", order.document}, {"versions", std::move(all)}});
    }
    return exit_done;
}

int state_diff(const state_order& order) {
    const auto which = name_in(order.document);
    state_place place(order.where);
    const auto head =
        place.read(thing_of(order), [&](view& seen) { return place.all().head(seen, which); });
    const auto to = order.to == 0 ? head.version : order.to;
    const auto from = order.from == 0 ? to - 1 : order.from;
    if (from == 0) state_place::refuse(thing_of(order) + ", version 0", errc::not_found);
    const auto before = value_of(place, order, from);
    const auto after = value_of(place, order, to);
    if (head.kind == document_kind::json) {
        diff_json(order, before, after);
    } else {
        diff_bytes(order, before, after);
    }
    return exit_done;
}

int state_list(const state_order& order) {
    state_place place(order.where);
    const auto heads =
        place.need(place.all().list(place.by, order.collection), "collection " + order.collection);
    json::array all;
    for (const auto& each : heads) {
        if (order.where.json) {
            all.push_back(as_json(each));
            continue;
        }
        print(fmt::format("{}/{}  {}  version {}  {}  {}", each.collection, each.name,
                          spell(each.kind), each.version, rounded_bytes(each.bytes),
                          state_or_none(each.state)));
    }
    if (order.where.json) print(json::object{{"documents", std::move(all)}});
    return exit_done;
}

int state_erase(const state_order& order) {
    const auto which = name_in(order.document);
    state_place place(order.where);
    const auto paid = place.need(
        place.by.write([&](tx& now) { return place.all().erase(now, which, {}, order.reason); }),
        thing_of(order));
    place.make_durable(paid, thing_of(order));
    if (order.where.json) {
        print(json::object{{"document", order.document}, {"erased", true}, {"lsn", paid.lsn}});
    } else {
        print(order.document + " is gone");
    }
    return exit_done;
}

int state_limit(const state_order& order) {
    const auto which = name_in(order.document);
    state_place place(order.where);
    document_limits limits;
    const auto paid = place.need(place.by.write([&](tx& now) -> result<> {
        limits = PERDURE_TRY(place.all().head(now, which)).limits;
        limits.versions = order.versions.value_or(limits.versions);
        limits.bytes = order.bytes.value_or(limits.bytes);
        return place.all().limit(now, which, limits);
    }),
                                 thing_of(order));
    place.make_durable(paid, thing_of(order));
    if (order.where.json) {
        print(json::object{{"document", order.document},
                           {"versions_max", limits.versions},
                           {"bytes_max", limits.bytes},
                           {"lsn", paid.lsn}});
    } else {
        print(fmt::format("{} keeps {} versions of at most {} bytes", order.document,
                          limits.versions, grouped(limits.bytes)));
    }
    return exit_done;
}

}  // namespace perdure::apps
