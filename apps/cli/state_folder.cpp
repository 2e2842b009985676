// SPDX-License-Identifier: Apache-2.0
//
// Whole collections: a folder's files into a world, and back.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <perdure/apps/cli/console.hpp>
#include <perdure/apps/cli/state_place.hpp>

namespace perdure::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t bytes_at_once = 64U << 20;

std::vector<fs::path> files_of(const std::string& folder) {
    std::error_code wrong;
    std::vector<fs::path> files;
    for (const auto& each : fs::directory_iterator(folder, wrong)) {
        if (each.is_regular_file()) files.push_back(each.path());
    }
    if (wrong) {
        throw failure(errc::io_error, folder + ": " + wrong.message(),
                      "name a folder whose files are the documents");
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Files until their bytes are enough for one go.
struct batch {
    std::vector<std::string> names;
    std::vector<std::string> texts;
    std::size_t bytes = 0;

    void add(const fs::path& file) {
        names.push_back(file.filename().string());
        texts.push_back(read_whole(file.string()));
        bytes += texts.back().size();
    }
    receipt save(state_place& place, const state_order& order) {
        std::vector<document_entry> entries;
        for (std::size_t i = 0; i < names.size(); ++i) {
            const auto kind =
                names[i].ends_with(".json") ? document_kind::json : document_kind::binary;
            entries.push_back({names[i], {kind, std::as_bytes(std::span(texts[i]))}});
        }
        saving how;
        how.atomic = order.atomic;
        how.reason = order.reason;
        const auto thing = names.size() == 1
                               ? "document " + order.collection + "/" + names[0]
                               : fmt::format("documents {0}/{1} to {0}/{2}", order.collection,
                                             names.front(), names.back());
        return place.need(place.all().save(place.by, order.collection, entries, how), thing);
    }
};

}  // namespace

int state_save(const state_order& order) {
    const auto files = files_of(order.folder);
    state_place place(order.where);
    std::size_t bytes = 0;
    receipt last;
    for (std::size_t i = 0; i < files.size();) {
        batch some;
        while (i < files.size() && (order.atomic || some.bytes < bytes_at_once)) {
            some.add(files[i++]);
        }
        last = some.save(place, order);
        bytes += some.bytes;
    }
    place.make_durable(last, "collection " + order.collection);
    if (order.where.json) {
        print(boost::json::object{{"collection", order.collection},
                                  {"documents", files.size()},
                                  {"bytes", bytes},
                                  {"lsn", last.lsn}});
    } else {
        print(fmt::format("saved {} documents, {}, into {}: durable", grouped(files.size()),
                          rounded_bytes(bytes), order.collection));
    }
    return exit_done;
}

int state_load(const state_order& order) {
    state_place place(order.where);
    const auto all =
        place.need(place.all().load(place.by, order.collection), "collection " + order.collection);
    std::error_code wrong;
    fs::create_directories(order.folder, wrong);
    if (wrong) {
        throw failure(errc::io_error, order.folder + ": " + wrong.message(),
                      "name a folder that can be made");
    }
    std::size_t bytes = 0;
    for (const auto& each : all) {
        write_whole((fs::path(order.folder) / each.head.name).string(), each.value);
        bytes += each.value.size();
    }
    if (order.where.json) {
        print(boost::json::object{{"collection", order.collection},
                                  {"documents", all.size()},
                                  {"bytes", bytes},
                                  {"folder", order.folder}});
    } else {
        print(fmt::format("loaded {} documents, {}, into {}", grouped(all.size()),
                          rounded_bytes(bytes), order.folder));
    }
    return exit_done;
}

}  // namespace perdure::apps
